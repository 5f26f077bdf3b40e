import MeshCompiler

/// A namespace that a rule names; `action` is empty where being named means nothing for its pods.
func checkNamespace(
  _ name: String, _ node: Node, _ action: String, of policy: Item, _ mesh: MeshObjects,
  _ report: inout Report
) {
  if name.contains("*") { return checkNamespacePattern(name, node, of: policy, mesh, &report) }
  if mesh.lacksNamespace(name) {
    let hint = report.hint(name, among: mesh.items(.namespace).map(\.name.name).sorted())
    report.add(
      .namespaceMissing, policy, at: node,
      "There is no namespace \(name), so nobody is meant\(hint).",
      next: "Name one that exists; until then this part of the rule takes nobody.")
    return
  }
  let pods = mesh.pods(in: name)
  guard action == "ALLOW", !pods.isEmpty,
    pods.allSatisfy({ mesh.accounts.isWithoutIdentity($0.namespace, $0.account) })
  else { return }
  report.add(
    .sourceWithoutIdentity, policy, at: node,
    "No pod of \(name) is in the mesh, so their connections carry no identity and this does not "
      + "let them in.",
    next: "Enrol it: kubectl label namespace \(name) \(Key.dataplaneMode)=ambient; or let it in by "
      + "ipBlocks.")
}

private func checkNamespacePattern(
  _ pattern: String, _ node: Node, of policy: Item, _ mesh: MeshObjects, _ report: inout Report
) {
  guard pattern != "*", mesh.knowsAll(.namespace) else { return }
  let part = pattern.hasSuffix("*") ? pattern.dropLast() : pattern.dropFirst()
  let matches = mesh.items(.namespace).contains { item in
    pattern.hasSuffix("*") ? item.name.name.hasPrefix(part) : item.name.name.hasSuffix(part)
  }
  if matches { return }
  report.add(
    .namespaceMissing, policy, at: node, "No namespace is called like \(pattern).",
    next: "Name one that exists; until then this part of the rule takes nobody.")
}

func checkPrincipal(
  _ text: String, _ node: Node, _ action: String, of policy: Item, _ mesh: MeshObjects,
  _ report: inout Report
) {
  if text == "*" || text.isEmpty || text.hasPrefix("spiffe://") { return }
  // `*/ns/a/sa/b` and `cluster.local/ns/a/sa/*` still name a namespace.
  let principal = Principal(text.hasPrefix("*/") ? "any/" + text.dropFirst(2) : text)
  guard let principal, !principal.namespace.contains("*") else {
    return checkPattern(text, node, of: policy, mesh, &report)
  }
  if !text.hasPrefix("*"), !mesh.accounts.trustDomains.contains(principal.trustDomain) {
    report.add(
      .foreignTrustDomain, policy, at: node,
      "The trust domain is \(principal.trustDomain), and the mesh's is "
        + "\(mesh.options.trustDomain), so no pod here is meant.",
      next: "Write \(mesh.options.trustDomain)/ns/\(principal.namespace)/sa/\(principal.account), "
        + "unless it is a federated domain.")
    return
  }
  if principal.account.contains("*") {
    return checkPattern(text, node, of: policy, mesh, &report)
  }
  checkAccount(principal.namespace, principal.account, node, action, of: policy, mesh, &report)
}

func checkAccount(
  _ namespace: String, _ account: String, _ node: Node, _ action: String, of policy: Item,
  _ mesh: MeshObjects, _ report: inout Report
) {
  if mesh.lacksNamespace(namespace) {
    report.add(
      .identityMissing, policy, at: node,
      "There is no namespace \(namespace), so nobody has this identity.",
      next: "Name an account of a namespace that exists.")
  } else if !mesh.accounts.has(namespace, account), mesh.knowsAll(.serviceAccount, in: namespace) {
    let hint = report.hint(account, among: mesh.accounts.names(in: namespace))
    report.add(
      .identityMissing, policy, at: node,
      "There is no ServiceAccount \(namespace)/\(account), so nobody has this identity\(hint).",
      next: "Name an account of kubectl -n \(namespace) get serviceaccounts.")
  } else if action == "ALLOW", mesh.accounts.isWithoutIdentity(namespace, account) {
    report.add(
      .sourceWithoutIdentity, policy, at: node,
      "No pod that runs as \(namespace)/\(account) is in the mesh, so their connections carry no "
        + "identity and this does not let them in.",
      next: "Enrol them: kubectl label namespace \(namespace) \(Key.dataplaneMode)=ambient; or let "
        + "them in by ipBlocks.")
  }
}

/// A pattern, or what is no principal at all.
private func checkPattern(
  _ text: String, _ node: Node, of policy: Item, _ mesh: MeshObjects, _ report: inout Report
) {
  let hasStar = text.hasPrefix("*") || text.hasSuffix("*")
  guard mesh.knowsAll(.serviceAccount), mesh.knowsAll(.pod) || !hasStar else { return }
  if hasStar, mesh.accounts.matches(pattern: text) { return }
  report.add(
    .identityMissing, policy, at: node,
    hasStar
      ? "No account's principal is like \(quoted(text))."
      : "\(quoted(text)) is no principal of a workload.",
    next:
      "Principals are \(mesh.options.trustDomain)/ns/<namespace>/sa/<account>, with one * at an "
      + "end at most.")
}
