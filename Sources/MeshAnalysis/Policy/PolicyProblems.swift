import MeshCompiler

/// What is wrong with the policies: whom they reach, whom they name, what they can match.
func findPolicyProblems(_ mesh: MeshObjects, _ report: inout Report) {
  for policy in mesh.items(.authorizationPolicy) {
    checkReach(of: policy, mesh, &report)
    checkTargets(of: policy, mesh, &report)
    checkRules(of: policy, mesh, &report)
  }
  for policy in mesh.items(.peerAuthentication) { checkReach(of: policy, mesh, &report) }
  findMutualTLSProblems(mesh, &report)
  for policy in mesh.items(.requestAuthentication) {
    report.add(
      .needsWaypoint, policy,
      "It is applied by waypoints alone; the connections of pods pass without their tokens being "
        + "looked at.",
      next: "Check tokens in a gateway or the application; a DENY without tokens holds only there.")
  }
}

extension MeshObjects {
  /// The pods that a policy's selector takes: of the root namespace's, in every namespace.
  func pods(of policy: Item) -> [PodSource] {
    let labels = policy.spec["selector"]["matchLabels"].labels
    guard policy.namespace == options.rootNamespace else {
      return selected(by: labels, in: policy.namespace)
    }
    return pods.values.flatMap { $0.selected(by: labels) }
  }

  /// Whether all pods are known that a policy could be about.
  func knowsPods(of policy: Item) -> Bool {
    policy.namespace == options.rootNamespace
      ? knowsAll(.pod) || !pods.isEmpty : knowsPods(in: policy.namespace)
  }
}

private func checkReach(of policy: Item, _ mesh: MeshObjects, _ report: inout Report) {
  guard !policy.spec["targetRefs"].isWritten, !policy.spec["targetRef"].isWritten else { return }
  guard mesh.knowsPods(of: policy) else { return }
  let selector = policy.spec["selector"]
  let pods = mesh.pods(of: policy)
  if pods.isEmpty {
    guard selector["matchLabels"].isWritten else { return }
    report.add(
      .selectsNothing, policy, at: selector,
      "No pod has the labels it selects, so it applies to nothing.",
      next: "Compare them with kubectl -n \(policy.namespace) get pods --show-labels.")
  } else if !pods.contains(where: { $0.isEnrolled || $0.enrolment == .notEnrolled(.nativeTunnel) })
  {
    report.add(
      .enforcedNowhere, policy,
      "None of the \(count(pods.count, "pod")) it applies to is in the mesh: nobody enforces it.",
      next: "Enrol them: kubectl label namespace \(pods[0].namespace) "
        + "\(Key.dataplaneMode)=ambient.")
  }
}

private func checkTargets(of policy: Item, _ mesh: MeshObjects, _ report: inout Report) {
  var references = policy.spec["targetRefs"].items
  if policy.spec["targetRef"].isWritten { references.append(policy.spec["targetRef"]) }
  for reference in references {
    guard let kindName = reference["kind"].text, let name = reference["name"].text else { continue }
    let group = reference["group"].text ?? ""
    let kind = ObjectKind.allCases.first { $0.name == kindName && $0.group == group }
    guard let kind, [.service, .serviceEntry, .gateway].contains(kind),
      mesh.item(kind, policy.namespace, name) == nil, mesh.knowsAll(kind, in: policy.namespace)
    else { continue }
    let hint = report.hint(name, among: mesh.names(kind, in: policy.namespace))
    report.add(
      .targetMissing, policy, at: reference,
      "There is no \(kindName) \(policy.namespace)/\(name), so the policy applies to nothing "
        + "through it\(hint).",
      next: "Name one of the policy's own namespace, or use a selector.")
  }
}
