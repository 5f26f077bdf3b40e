/// The fields of a match, in the order in which a near miss names them.
enum MatchField: CaseIterable {
  case principals, notPrincipals, namespaces, notNamespaces
  case serviceAccounts, notServiceAccounts, sourceIPs, notSourceIPs
  case destinationIPs, notDestinationIPs, destinationPorts, notDestinationPorts

  static let inOrder = Array(MatchField.allCases)

  /// The field as an AuthorizationPolicy spells it; those without a field are keys of `when`.
  var spelling: String {
    switch self {
    case .principals: "principals"
    case .notPrincipals: "notPrincipals"
    case .namespaces: "namespaces"
    case .notNamespaces: "notNamespaces"
    case .serviceAccounts: "serviceAccounts"
    case .notServiceAccounts: "notServiceAccounts"
    case .sourceIPs: "ipBlocks"
    case .notSourceIPs: "notIpBlocks"
    case .destinationIPs: "destination.ip"
    case .notDestinationIPs: "destination.ip notValues"
    case .destinationPorts: "ports"
    case .notDestinationPorts: "notPorts"
    }
  }

  var isNegative: Bool {
    switch self {
    case .notPrincipals, .notNamespaces, .notServiceAccounts, .notSourceIPs, .notDestinationIPs,
      .notDestinationPorts:
      true
    case .principals, .namespaces, .serviceAccounts, .sourceIPs, .destinationIPs, .destinationPorts:
      false
    }
  }

  /// Whether it names members without their trust domain, so that only members of our own are meant.
  var isDomestic: Bool {
    switch self {
    case .namespaces, .notNamespaces, .serviceAccounts, .notServiceAccounts: true
    case .principals, .notPrincipals, .sourceIPs, .notSourceIPs, .destinationIPs,
      .notDestinationIPs, .destinationPorts, .notDestinationPorts:
      false
    }
  }

  /// What the connection has to show for this field, for an operator.
  func actual(_ subject: ConnectionSubject) -> String {
    switch self {
    case .principals, .notPrincipals: subject.principal ?? "no identity"
    case .namespaces, .notNamespaces: subject.facts.source?.namespace ?? "no identity"
    case .serviceAccounts, .notServiceAccounts:
      subject.facts.source.map { "\($0.namespace)/\($0.serviceAccount)" } ?? "no identity"
    case .sourceIPs, .notSourceIPs: "\(subject.facts.sourceIP)"
    case .destinationIPs, .notDestinationIPs: "\(subject.facts.destinationIP)"
    case .destinationPorts, .notDestinationPorts: "\(subject.facts.destinationPort)"
    }
  }
}

extension AuthorizationPolicy.Match {
  /// Whether a field holds; nil when the match does not ask for it.
  ///
  /// A positive field needs one of its values to match, a negative one none. Namespaces and service
  /// accounts of another trust domain are others than the policy means, whatever they are called: an
  /// ALLOW does not let them in by these, and a DENY that spares some does not spare them. Source:
  /// decision 0009.
  func holds(
    _ field: MatchField, for subject: ConnectionSubject, _ action: AuthorizationPolicy.Action
  ) -> Bool? {
    if subject.isForeign, field.isDomestic, action == .allow || field.isNegative {
      return values(of: field).isEmpty ? nil : action == .deny
    }
    let facts = subject.facts
    return switch field {
    case .principals: asks(principals) { subject.principal.map($0.matches) ?? false }
    case .notPrincipals: refuses(notPrincipals) { subject.principal.map($0.matches) ?? false }
    case .namespaces: asks(namespaces) { $0.matches(subject.namespace) }
    case .notNamespaces: refuses(notNamespaces) { $0.matches(subject.namespace) }
    case .serviceAccounts: asks(serviceAccounts) { facts.source.map($0.matches) ?? false }
    case .notServiceAccounts: refuses(notServiceAccounts) { facts.source.map($0.matches) ?? false }
    case .sourceIPs: asks(sourceIPs) { $0.contains(facts.sourceIP) }
    case .notSourceIPs: refuses(notSourceIPs) { $0.contains(facts.sourceIP) }
    case .destinationIPs: asks(destinationIPs) { $0.contains(facts.destinationIP) }
    case .notDestinationIPs: refuses(notDestinationIPs) { $0.contains(facts.destinationIP) }
    case .destinationPorts: asks(destinationPorts) { $0 == facts.destinationPort }
    case .notDestinationPorts: refuses(notDestinationPorts) { $0 == facts.destinationPort }
    }
  }

  /// The values of a field as the user writes them.
  func values(of field: MatchField) -> [String] {
    switch field {
    case .principals: principals.map(\.description)
    case .notPrincipals: notPrincipals.map(\.description)
    case .namespaces: namespaces.map(\.description)
    case .notNamespaces: notNamespaces.map(\.description)
    case .serviceAccounts: serviceAccounts.map(\.description)
    case .notServiceAccounts: notServiceAccounts.map(\.description)
    case .sourceIPs: sourceIPs.map(\.description)
    case .notSourceIPs: notSourceIPs.map(\.description)
    case .destinationIPs: destinationIPs.map(\.description)
    case .notDestinationIPs: notDestinationIPs.map(\.description)
    case .destinationPorts: destinationPorts.map(\.description)
    case .notDestinationPorts: notDestinationPorts.map(\.description)
    }
  }

  private func asks<Value>(_ values: [Value], _ matches: (Value) -> Bool) -> Bool? {
    values.isEmpty ? nil : values.contains(where: matches)
  }

  private func refuses<Value>(_ values: [Value], _ matches: (Value) -> Bool) -> Bool? {
    values.isEmpty ? nil : !values.contains(where: matches)
  }
}

extension StringMatch: CustomStringConvertible {
  /// As Istio's API writes it: `x`, `x*`, `*x` or `*`.
  public var description: String {
    switch self {
    case .exact(let value): value
    case .prefix(let value): "\(value)*"
    case .suffix(let value): "*\(value)"
    case .presence: "*"
    }
  }
}

extension ServiceAccountMatch: CustomStringConvertible {
  public var description: String { "\(namespace)/\(serviceAccount)" }
}
