import MeshModel

/// Section 4 of the protocol's description, word for word and with no thought of speed.
///
/// It shares nothing with the product but the values: no index, no field table, no CIDR arithmetic.
enum ReferenceEvaluator {
  enum Outcome: Equatable { case allowed, deniedBy(Set<PolicyKey>), missing, notAllowed, unknown }

  static func outcome(
    _ facts: ConnectionFacts, for workload: Workload?, among all: [AuthorizationPolicy]
  ) -> Outcome {
    guard let workload else { return .unknown }
    var applying: [AuthorizationPolicy] = []
    var isMissing = false
    for policy in all {
      if policy.scope == .namespace && policy.key.namespace == workload.namespace {
        applying.append(policy)
      } else if policy.scope == .global {
        applying.append(policy)
      } else if workload.authorizationPolicies.contains(policy.key) {
        applying.append(policy)
      }
    }
    for key in workload.authorizationPolicies where !all.contains(where: { $0.key == key }) {
      isMissing = true
    }
    applying.removeAll { $0.isDryRun }
    let denying = applying.filter {
      $0.action == .deny && isMatch(facts, $0, in: workload.trustDomain)
    }
    if !denying.isEmpty { return .deniedBy(Set(denying.map(\.key))) }
    if isMissing { return .missing }
    let allowing = applying.filter { $0.action == .allow }
    if allowing.isEmpty { return .allowed }
    return allowing.contains { isMatch(facts, $0, in: workload.trustDomain) }
      ? .allowed : .notAllowed
  }

  static func isMatch(
    _ facts: ConnectionFacts, _ policy: AuthorizationPolicy, in trustDomain: String
  ) -> Bool {
    for rule in policy.rules {
      var allClausesHold = true
      for clause in rule.clauses {
        var oneMatchHolds = clause.matches.isEmpty
        for match in clause.matches {
          if match == AuthorizationPolicy.Match() { continue }
          if isMatch(facts, match, policy.action, in: trustDomain) { oneMatchHolds = true }
        }
        if !oneMatchHolds { allClausesHold = false }
      }
      if allClausesHold { return true }
    }
    return false
  }

  static func isMatch(
    _ facts: ConnectionFacts, _ match: AuthorizationPolicy.Match,
    _ action: AuthorizationPolicy.Action, in trustDomain: String
  ) -> Bool {
    if let source = facts.source, source.trustDomain != trustDomain {
      let isAllow = action == .allow
      let namesSome = !match.namespaces.isEmpty || !match.serviceAccounts.isEmpty
      let sparesSome = !match.notNamespaces.isEmpty || !match.notServiceAccounts.isEmpty
      // Strangers are let in by their principals only, and never spared.
      if isAllow && (namesSome || sparesSome) { return false }
      if sparesSome {
        var rest = match
        (rest.notNamespaces, rest.notServiceAccounts) = ([], [])
        return rest == AuthorizationPolicy.Match()
          || isMatch(facts, rest, action, in: trustDomain)
      }
    }
    func isPrincipal(_ wanted: StringMatch) -> Bool {
      guard let source = facts.source else { return false }
      return isMatch(String("\(source)".dropFirst("spiffe://".count)), wanted)
    }
    func isNamespace(_ wanted: StringMatch) -> Bool {
      isMatch(facts.source == nil ? "" : facts.source?.namespace ?? "", wanted)
    }
    func isAccount(_ wanted: ServiceAccountMatch) -> Bool {
      guard let source = facts.source else { return false }
      return source.namespace == wanted.namespace && source.serviceAccount == wanted.serviceAccount
    }
    func some<Value>(_ values: [Value], _ test: (Value) -> Bool) -> Bool {
      values.isEmpty ? true : values.contains(where: test)
    }
    func no<Value>(_ values: [Value], _ test: (Value) -> Bool) -> Bool {
      values.isEmpty ? true : values.allSatisfy { !test($0) }
    }
    return some(match.principals, isPrincipal) && no(match.notPrincipals, isPrincipal)
      && some(match.namespaces, isNamespace) && no(match.notNamespaces, isNamespace)
      && some(match.serviceAccounts, isAccount) && no(match.notServiceAccounts, isAccount)
      && some(match.sourceIPs) { isInside(facts.sourceIP, $0) }
      && no(match.notSourceIPs) { isInside(facts.sourceIP, $0) }
      && some(match.destinationIPs) { isInside(facts.destinationIP, $0) }
      && no(match.notDestinationIPs) { isInside(facts.destinationIP, $0) }
      && some(match.destinationPorts) { $0 == facts.destinationPort }
      && no(match.notDestinationPorts) { $0 == facts.destinationPort }
  }

  static func isMatch(_ text: String, _ wanted: StringMatch) -> Bool {
    switch wanted {
    case .exact(let value): return text == value
    case .prefix(let value): return value.isEmpty || text.hasPrefix(value)
    case .suffix(let value): return value.isEmpty || text.hasSuffix(value)
    case .presence: return text != ""
    }
  }

  /// Bit by bit.
  static func isInside(_ address: IPAddress, _ block: CIDR) -> Bool {
    guard address.isIPv4 == block.base.isIPv4 else { return false }
    func bits(_ address: IPAddress) -> [UInt8] {
      address.bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
    }
    return bits(address).prefix(block.prefixLength) == bits(block.base).prefix(block.prefixLength)
  }
}
