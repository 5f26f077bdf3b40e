public import IstioAPI
public import MeshModel
internal import SwiftProtobuf

extension AuthorizationPolicy {
  /// Reads a policy; its name on the wire is `<namespace>/<name>`.
  ///
  /// A value that does not parse rejects the whole policy: leaving it out of its list could widen
  /// what the policy allows. Extensions are not looked at.
  public init(_ wire: Istio_Security_Authorization) throws(FieldError) {
    guard canBeHalf(wire.namespace), canBeHalf(wire.name) else {
      throw FieldError("namespace and name", .malformedName("\(wire.namespace)/\(wire.name)"))
    }
    self.init(
      key: PolicyKey(namespace: wire.namespace, name: wire.name),
      scope: try known(wire.scope, "scope"), action: try known(wire.action, "action"),
      isDryRun: wire.dryRun)
    for (index, wireRule) in wire.rules.enumerated() {
      var rule = Rule()
      for (clauseIndex, wireClause) in wireRule.clauses.enumerated() {
        var clause = Clause()
        for (matchIndex, match) in wireClause.matches.enumerated() {
          let field = "rules[\(index)].clauses[\(clauseIndex)].matches[\(matchIndex)]"
          clause.matches.append(try Match(match, field))
        }
        rule.clauses.append(clause)
      }
      rules.append(rule)
    }
  }
}

extension AuthorizationPolicy {
  /// What stands for a policy whose content was refused; nil when it does not say where it applies.
  init?(unreadable resource: DiscoveryResource) {
    guard resource.resource.value.count <= Limit.resourceBytes,
      resource.resource.typeURL == ResourceType.authorization.typeURL
    else { return nil }
    do {
      let wire: Istio_Security_Authorization = try message(resource.resource.value)
      let scope: Scope = try known(wire.scope, "scope")
      guard !wire.dryRun, canBeHalf(wire.namespace), canBeHalf(wire.name),
        "\(wire.namespace)/\(wire.name)" == resource.name
      else { return nil }
      self = .unreadable(PolicyKey(namespace: wire.namespace, name: wire.name), scope: scope)
    } catch {
      return nil
    }
  }
}

extension AuthorizationPolicy.Match {
  fileprivate init(_ wire: Istio_Security_Match, _ field: String) throws(FieldError) {
    self.init()
    principals = try strings(wire.principals, "\(field).principals")
    notPrincipals = try strings(wire.notPrincipals, "\(field).not_principals")
    namespaces = try strings(wire.namespaces, "\(field).namespaces")
    notNamespaces = try strings(wire.notNamespaces, "\(field).not_namespaces")
    serviceAccounts = accounts(wire.serviceAccounts)
    notServiceAccounts = accounts(wire.notServiceAccounts)
    sourceIPs = try blocks(wire.sourceIps, "\(field).source_ips")
    notSourceIPs = try blocks(wire.notSourceIps, "\(field).not_source_ips")
    destinationIPs = try blocks(wire.destinationIps, "\(field).destination_ips")
    notDestinationIPs = try blocks(wire.notDestinationIps, "\(field).not_destination_ips")
    destinationPorts = try ports(wire.destinationPorts, "\(field).destination_ports")
    notDestinationPorts = try ports(wire.notDestinationPorts, "\(field).not_destination_ports")
  }
}

private func strings(
  _ wires: [Istio_Security_StringMatch], _ field: String
) throws(FieldError) -> [StringMatch] {
  var matches: [StringMatch] = []
  for (index, wire) in wires.enumerated() {
    switch wire.matchType {
    case .exact(let text): matches.append(.exact(text))
    case .prefix(let text): matches.append(.prefix(text))
    case .suffix(let text): matches.append(.suffix(text))
    case .presence: matches.append(.presence)
    case nil: throw FieldError("\(field)[\(index)].match_type", .missing)
    }
  }
  return matches
}

private func accounts(_ wires: [Istio_Security_ServiceAccountMatch]) -> [ServiceAccountMatch] {
  wires.map { ServiceAccountMatch(namespace: $0.namespace, serviceAccount: $0.serviceAccount) }
}

private func blocks(
  _ wires: [Istio_Security_Address], _ field: String
) throws(FieldError) -> [CIDR] {
  var blocks: [CIDR] = []
  for (index, wire) in wires.enumerated() {
    blocks.append(try block(wire.address, length: wire.length, "\(field)[\(index)]"))
  }
  return blocks
}

private func ports(_ wires: [UInt32], _ field: String) throws(FieldError) -> [UInt16] {
  var ports: [UInt16] = []
  for (index, wire) in wires.enumerated() { ports.append(try port(wire, "\(field)[\(index)]")) }
  return ports
}

extension Istio_Security_Authorization {
  public init(_ policy: AuthorizationPolicy) {
    self.init()
    name = policy.key.name
    namespace = policy.key.namespace
    scope = wire(policy.scope)
    action = wire(policy.action)
    dryRun = policy.isDryRun
    rules = policy.rules.map { rule in
      .with {
        $0.clauses = rule.clauses.map { clause in
          .with { $0.matches = clause.matches.map(Istio_Security_Match.init) }
        }
      }
    }
  }
}

extension Istio_Security_Match {
  fileprivate init(_ match: AuthorizationPolicy.Match) {
    self.init()
    principals = match.principals.map(Istio_Security_StringMatch.init)
    notPrincipals = match.notPrincipals.map(Istio_Security_StringMatch.init)
    namespaces = match.namespaces.map(Istio_Security_StringMatch.init)
    notNamespaces = match.notNamespaces.map(Istio_Security_StringMatch.init)
    serviceAccounts = match.serviceAccounts.map(Istio_Security_ServiceAccountMatch.init)
    notServiceAccounts = match.notServiceAccounts.map(Istio_Security_ServiceAccountMatch.init)
    sourceIps = match.sourceIPs.map(Istio_Security_Address.init)
    notSourceIps = match.notSourceIPs.map(Istio_Security_Address.init)
    destinationIps = match.destinationIPs.map(Istio_Security_Address.init)
    notDestinationIps = match.notDestinationIPs.map(Istio_Security_Address.init)
    destinationPorts = match.destinationPorts.map(UInt32.init)
    notDestinationPorts = match.notDestinationPorts.map(UInt32.init)
  }
}

extension Istio_Security_StringMatch {
  fileprivate init(_ match: StringMatch) {
    self.init()
    switch match {
    case .exact(let text): exact = text
    case .prefix(let text): prefix = text
    case .suffix(let text): suffix = text
    case .presence: presence = .init()
    }
  }
}

extension Istio_Security_ServiceAccountMatch {
  fileprivate init(_ match: ServiceAccountMatch) {
    self.init()
    namespace = match.namespace
    serviceAccount = match.serviceAccount
  }
}

extension Istio_Security_Address {
  fileprivate init(_ block: CIDR) {
    self.init()
    address = wireBytes(block.base.bytes)
    length = UInt32(block.prefixLength)
  }
}
