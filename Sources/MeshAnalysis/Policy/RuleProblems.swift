import MeshCompiler

/// What is wrong with the rules of an AuthorizationPolicy.
func checkRules(of policy: Item, _ mesh: MeshObjects, _ report: inout Report) {
  let action = policy.spec["action"].text ?? "ALLOW"
  for rule in policy.spec["rules"].items {
    if action == "DENY", rule.value != nil, rule.isEmpty {
      sayDeniesAll(policy, rule, mesh, &report)
    }
    for source in rule["from"].items.map({ $0["source"] }) {
      checkContradictions(in: source, sourceFields, of: policy, &report)
      checkSource(source, action, of: policy, mesh, &report)
    }
    for operation in rule["to"].items.map({ $0["operation"] }) {
      checkContradictions(in: operation, operationFields, of: policy, &report)
      checkPorts(operation["ports"], of: policy, mesh, &report)
    }
    for condition in rule["when"].items {
      checkContradictions(in: condition, [("values", "notValues")], of: policy, &report)
      checkCondition(condition, action, of: policy, mesh, &report)
    }
  }
}

private let sourceFields = [
  ("principals", "notPrincipals"), ("namespaces", "notNamespaces"),
  ("serviceAccounts", "notServiceAccounts"), ("ipBlocks", "notIpBlocks"),
  ("remoteIpBlocks", "notRemoteIpBlocks"), ("requestPrincipals", "notRequestPrincipals"),
]

private let operationFields = [
  ("ports", "notPorts"), ("hosts", "notHosts"), ("methods", "notMethods"), ("paths", "notPaths"),
]

private func sayDeniesAll(
  _ policy: Item, _ rule: Node, _ mesh: MeshObjects, _ report: inout Report
) {
  let pods = mesh.pods(of: policy).count
  report.add(
    .deniesEverything, policy, at: rule,
    "A DENY rule without a condition takes every connection, so nobody reaches the "
      + "\(count(pods, "pod")) it applies to, health checks of others than the kubelet included.",
    next: "Say whom or what it denies; to close pods but for some callers, write an ALLOW instead.")
}

/// A list whose every value its negation takes away again.
private func checkContradictions(
  in node: Node, _ pairs: [(String, String)], of policy: Item, _ report: inout Report
) {
  for (name, negation) in pairs {
    let wanted = node[name].texts
    let excluded = Set(node[negation].texts.map(\.text))
    guard !wanted.isEmpty, !excluded.isEmpty,
      excluded.contains("*") || wanted.allSatisfy({ excluded.contains($0.text) })
    else { continue }
    report.add(
      .neverMatches, policy, at: node,
      "Every value of \(name) is also in \(negation), so this never matches.",
      next: "Take the values that are meant out of \(negation).")
  }
}

/// Ports that no container of the pods declares; one that declares none may serve any.
private func checkPorts(
  _ ports: Node, of policy: Item, _ mesh: MeshObjects, _ report: inout Report
) {
  guard !ports.texts.isEmpty, !policy.spec["targetRefs"].isWritten else { return }
  let pods = mesh.pods(of: policy)
  guard !pods.isEmpty, pods.allSatisfy({ !$0.ports.isEmpty }) else { return }
  let served = Set(pods.lazy.flatMap(\.ports).map(\.number))
  for (text, node) in ports.texts {
    guard let port = Int(text), !served.contains(port) else { continue }
    let services = mesh.services[policy.namespace]?.values ?? [:].values
    let isService = services.contains { $0.ports.contains { $0.number == port } }
    let reason =
      isService ? "; it is a service's port, and policies see the application's" : ""
    report.add(
      .portServedByNobody, policy, at: node,
      "No container of the pods it applies to declares port \(port)\(reason).",
      next: "Write the containerPort; they declare \(listed(served.map { "\($0)" })).")
  }
}

private func checkCondition(
  _ condition: Node, _ action: String, of policy: Item, _ mesh: MeshObjects,
  _ report: inout Report
) {
  switch condition["key"].text {
  case "source.namespace":
    for (name, node) in condition["values"].texts {
      checkNamespace(name, node, action, of: policy, mesh, &report)
    }
  case "source.principal":
    for (text, node) in condition["values"].texts {
      checkPrincipal(text, node, action, of: policy, mesh, &report)
    }
  case "destination.port":
    checkPorts(condition["values"], of: policy, mesh, &report)
  default: break
  }
}

/// Names, and their negations: one of nobody is misspelt in either.
private func checkSource(
  _ source: Node, _ action: String, of policy: Item, _ mesh: MeshObjects, _ report: inout Report
) {
  for key in ["namespaces", "notNamespaces"] {
    for (name, node) in source[key].texts {
      checkNamespace(name, node, key == "namespaces" ? action : "", of: policy, mesh, &report)
    }
  }
  for key in ["principals", "notPrincipals"] {
    for (text, node) in source[key].texts {
      checkPrincipal(text, node, key == "principals" ? action : "", of: policy, mesh, &report)
    }
  }
  for key in ["serviceAccounts", "notServiceAccounts"] {
    for (text, node) in source[key].texts {
      let parts = text.split(separator: "/").map(String.init)
      guard let account = parts.last, parts.count <= 2 else { continue }
      let namespace = parts.count == 2 ? parts[0] : policy.namespace
      checkAccount(
        namespace, account, node, key == "serviceAccounts" ? action : "", of: policy, mesh, &report)
    }
  }
}
