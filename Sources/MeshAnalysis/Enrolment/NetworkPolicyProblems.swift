import MeshCompiler
import MeshModel

/// NetworkPolicies that let an application's port through and not the tunnel's.
///
/// Policies add up: what one lets through no other holds back. A rule is wrong where it lets
/// somebody to a port, and no rule for the same pods lets the same peers to the tunnel's.
///
/// - isConcerned: which pods are in the mesh.
func findNetworkPolicyProblems(
  _ mesh: MeshObjects, _ report: inout Report, isConcerned: (PodSource) -> Bool
) {
  let byNamespace = Dictionary(grouping: mesh.items(.networkPolicy), by: \.namespace)
  for (namespace, policies) in byNamespace {
    guard let index = mesh.pods[namespace] else { continue }
    for direction in Direction.allCases {
      let selected = policies.filter { direction.isRuled(by: $0) }.map { policy in
        (policy, index.selected(by: policy.spec["podSelector"]).filter(isConcerned))
      }
      check(selected.filter { !$0.1.isEmpty }, direction, &report)
    }
  }
}

private enum Direction: CaseIterable {
  case ingress, egress

  var field: String { self == .ingress ? "ingress" : "egress" }
  var peers: String { self == .ingress ? "from" : "to" }

  /// Source: networking/v1 NetworkPolicySpec, `policyTypes`.
  func isRuled(by policy: Item) -> Bool {
    let types = policy.spec["policyTypes"].texts.map(\.text)
    switch self {
    case .ingress: return types.isEmpty || types.contains("Ingress")
    case .egress:
      return types.isEmpty ? policy.spec["egress"].isWritten : types.contains("Egress")
    }
  }
}

private func check(
  _ selected: [(policy: Item, pods: [PodSource])], _ direction: Direction, _ report: inout Report
) {
  // What the tunnel's port is open for, by pod: to everybody, or to these peers.
  var open: [Diagnostic.ObjectName: TunnelPeers] = [:]
  for (policy, pods) in selected {
    for rule in policy.spec[direction.field].items where rule["ports"].letsTunnelThrough {
      for pod in pods { open[pod.item.name, default: TunnelPeers()].add(rule[direction.peers]) }
    }
  }
  for (policy, pods) in selected {
    let rules = policy.spec[direction.field].items
    if rules.isEmpty { sayClosed(policy, pods, direction, open, &report) }
    for rule in rules where !rule["ports"].letsTunnelThrough && rule["ports"].letsSomeTCPThrough {
      let shut = pods.filter { open[$0.item.name]?.covers(rule[direction.peers]) != true }
      if !shut.isEmpty { sayBlocked(policy, rule, shut, direction, &report) }
    }
  }
}

private func sayBlocked(
  _ policy: Item, _ rule: Node, _ pods: [PodSource], _ direction: Direction,
  _ report: inout Report
) {
  let tunnel = "{\"protocol\":\"TCP\",\"port\":\(AgentPort.hbone)}"
  let place = rule["ports"].path.replacingSteps
  report.add(
    direction == .ingress ? .tunnelBlocked : .tunnelBlockedOutbound, policy, at: rule["ports"],
    direction == .ingress
      ? "\(count(pods.count, "enrolled pod")) it selects, such as \(pods[0].item.name.name), take "
        + "connections of the mesh on TCP \(AgentPort.hbone), which it does not let in."
      : "\(count(pods.count, "enrolled pod")) it selects, such as \(pods[0].item.name.name), reach "
        + "the mesh on TCP \(AgentPort.hbone), which it does not let out.",
    next: "kubectl -n \(policy.namespace) patch networkpolicy \(policy.name.name) --type=json -p "
      + "'[{\"op\":\"add\",\"path\":\"\(place)/-\",\"value\":\(tunnel)}]'")
}

private func sayClosed(
  _ policy: Item, _ pods: [PodSource], _ direction: Direction,
  _ open: [Diagnostic.ObjectName: TunnelPeers], _ report: inout Report
) {
  let closed = pods.filter { open[$0.item.name] == nil }
  guard let first = closed.first else { return }
  report.add(
    .closedToAll, policy, at: policy.spec[direction.field],
    direction == .ingress
      ? "It lets nothing in to \(count(closed.count, "enrolled pod")), such as "
        + "\(first.item.name.name), and no other policy lets the mesh in."
      : "It lets nothing out of \(count(closed.count, "enrolled pod")), such as "
        + "\(first.item.name.name), and no other policy lets them to the mesh.",
    next: "Nothing, if they are meant to be closed; else add a rule with ports: [{protocol: TCP, "
      + "port: \(AgentPort.hbone)}].")
}

/// Whom rules let to the tunnel's port.
private struct TunnelPeers {
  private var isForAll = false
  private var lists: Set<String> = []

  mutating func add(_ peers: Node) {
    if peers.items.isEmpty { isForAll = true } else { lists.formUnion(peers.items.map(\.words)) }
  }

  func covers(_ peers: Node) -> Bool {
    isForAll || !peers.items.isEmpty && peers.items.allSatisfy { lists.contains($0.words) }
  }
}

extension Node {
  /// Of a rule's `ports`: none means all.
  fileprivate var letsTunnelThrough: Bool {
    items.isEmpty
      || items.contains { port in
        guard (port["protocol"].text ?? "TCP") == "TCP" else { return false }
        guard port["port"].isWritten else { return true }
        guard let first = port["port"].integer else { return false }
        return (first...max(first, port["endPort"].integer ?? first))
          .contains(Int(AgentPort.hbone))
      }
  }

  fileprivate var letsSomeTCPThrough: Bool {
    items.contains { ($0["protocol"].text ?? "TCP") == "TCP" && !$0["port"].isDNS }
  }

  /// DNS over TCP, which a policy for resolvers opens: those are not in the mesh.
  private var isDNS: Bool { integer == 53 || text == "dns-tcp" || text == "dns" }

  /// The value in words that are the same wherever it stands.
  fileprivate var words: String {
    guard let value else { return "" }
    switch value.content {
    case .mapping(let entries):
      let parts = entries.sorted { $0.key < $1.key }.map { entry in
        "\(quoted(entry.key)):\(Node(entry.value).words)"
      }
      return "{\(parts.joined(separator: ","))}"
    case .sequence(let items):
      return "[\(items.map { Node($0).words }.joined(separator: ","))]"
    case .string(let text): return quoted(text)
    case .integer(let number): return "\(number)"
    case .number(let number): return "\(number)"
    case .boolean(let value): return "\(value)"
    case .null: return ""
    }
  }
}

extension String {
  /// `spec.ingress[0].ports` as a JSON pointer, RFC 6901.
  fileprivate var replacingSteps: String {
    split { $0 == "." || $0 == "[" || $0 == "]" }.reduce("") { "\($0)/\($1)" }
  }
}
