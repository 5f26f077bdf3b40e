import MeshCompiler

/// What keeps pods out of the mesh, or unreachable in it.
func findEnrolmentProblems(_ mesh: MeshObjects, _ report: inout Report) {
  for namespace in mesh.items(.namespace) {
    checkInjection(of: namespace, mesh, &report)
    checkWords(of: namespace, namespace.labels, &report)
    checkWaypoint(of: namespace, in: namespace.name.name, mesh, &report)
  }
  for pod in mesh.allPods { checkPod(pod, mesh, &report) }
  for kind in [ObjectKind.service, .serviceEntry, .workloadEntry, .pod] {
    for item in mesh.items(kind) {
      checkWaypoint(of: item, in: item.namespace, mesh, &report)
      if kind != .pod { checkWords(of: item, item.labels, &report) }
    }
  }
  findNetworkPolicyProblems(mesh, &report) { $0.isEnrolled }
}

// MARK: Labels

/// The label that guides for sidecars have users put on namespaces.
private func checkInjection(of namespace: Item, _ mesh: MeshObjects, _ report: inout Report) {
  guard namespace.labels[Key.injection] == "enabled" else { return }
  let label = namespace.label(Key.injection)
  let name = namespace.name.name
  switch namespace.labels[Key.dataplaneMode] {
  case nil where !mesh.options.enrolsInjectionLabel:
    report.add(
      .injectionLabel, namespace, at: label,
      "The label \(Key.injection): enabled asks for sidecars, which there are none of here, so its "
        + "pods are not in the mesh.",
      next:
        "kubectl label namespace \(name) \(Key.dataplaneMode)=ambient \(Key.injection)-; or run "
        + "control plane and node agents with --enroll-injection-label.")
  case nil: return
  case let mode?:
    report.add(
      .contradictingLabels, namespace, at: label,
      "It asks for sidecars by \(Key.injection): enabled, and says \(Key.dataplaneMode): \(mode), "
        + "which is what counts here.",
      next: "kubectl label namespace \(name) \(Key.injection)-.")
  }
}

/// Values, and keys that are nearly ours.
private func checkWords(of item: Item, _ labels: [String: String], _ report: inout Report) {
  for (key, value) in labels {
    if key == Key.dataplaneMode {
      guard !["ambient", "none", ""].contains(value) else { continue }
      let hint =
        nearest(to: value, among: ["ambient", "none"]).map { "; did you mean \($0)?" } ?? ""
      report.add(
        .misspeltLabel, item, at: item.label(key),
        "\(key) is ambient or none; \(quoted(value)) enrols nothing\(hint).",
        next: "Set it to ambient.")
    } else if key.contains("plane") || key.contains("waypoint"), !ourLabels.contains(key),
      let meant = nearest(to: key, among: ourLabels)
    {
      report.add(
        .misspeltLabel, item, at: item.label(key),
        "Nothing reads the label \(quoted(key)); did you mean \(meant)?",
        next: "Set \(meant): \(value), and take the other label away.")
    }
  }
}

private let ourLabels = [
  Key.dataplaneMode, Key.useWaypoint, Key.useWaypointNamespace, Key.waypointFor,
]

/// A waypoint that is named by an object's own label, and is not there.
private func checkWaypoint(
  of item: Item, in namespace: String, _ mesh: MeshObjects, _ report: inout Report
) {
  guard let name = item.labels[Key.useWaypoint], name != "none" else { return }
  let waypoint = mesh.reference(name, item, in: namespace)
  let label = item.label(Key.useWaypoint)
  guard let gateway = mesh.item(.gateway, waypoint.namespace, name) else {
    guard mesh.knowsAll(.gateway, in: waypoint.namespace) else { return }
    let hint = report.hint(name, among: mesh.names(.gateway, in: waypoint.namespace))
    report.add(
      .waypointMissing, item, at: label,
      "There is no Gateway \(waypoint.namespace)/\(name), and connections are refused until "
        + "there is\(hint).",
      next: "Make a Gateway of class istio-waypoint of that name, or take the label away.")
    return
  }
  let className = gateway.spec["gatewayClassName"].text ?? ""
  guard className != "istio-waypoint" else { return }
  report.add(
    .waypointMissing, item, at: label,
    "\(gateway.name) is of class \(quoted(className)), so it is no waypoint, and connections are "
      + "refused.",
    next: "Name a Gateway of class istio-waypoint, or take the label away.")
}

// MARK: Pods

private func checkPod(_ pod: PodSource, _ mesh: MeshObjects, _ report: inout Report) {
  checkWords(of: pod.item, pod.labels, &report)
  if pod.enrolment == .notEnrolled(.hostNetwork) {
    report.add(
      .hostNetwork, pod.item, at: pod.spec["hostNetwork"],
      "It is in an enrolled namespace and uses the node's network, where there is nothing to "
        + "capture: its connections are plaintext.",
      next: "Nothing, if it is a node's daemon; else take hostNetwork out.")
  }
  let isAsked = pod.isEnrolled || pod.enrolment == .notEnrolled(.sidecar)
  if isAsked, let sidecar = pod.sidecar {
    report.add(
      .sidecar, pod.item, at: sidecar,
      "It is labelled for the mesh and has a sidecar \(sidecar["name"].text ?? "") of its own, "
        + "which does not know the mesh's identities.",
      next:
        "Take the sidecar out: kubectl label namespace \(pod.namespace) \(Key.injection)-, then "
        + "restart its workload.")
  }
  if pod.labels[Key.dataplaneMode] == "ambient", pod.labels[Key.sidecarInjection] == "true" {
    report.add(
      .contradictingLabels, pod.item, at: pod.item.label(Key.sidecarInjection),
      "It asks for a sidecar by \(Key.sidecarInjection): true, and for none by "
        + "\(Key.dataplaneMode): ambient.",
      next: "Take the label \(Key.sidecarInjection) away.")
  }
}

extension PodSource {
  /// Beside an application; a gateway's proxy is no sidecar.
  fileprivate var sidecar: Node? {
    guard labels[Key.gatewayName] == nil else { return nil }
    let containers = spec["containers"].items + spec["initContainers"].items
    guard containers.count > 1 else { return nil }
    return containers.first { ["istio-proxy", "linkerd-proxy"].contains($0["name"].text) }
  }
}
