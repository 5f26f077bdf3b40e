import MeshModel

/// One source, operation or condition of a rule, divided into what ztunnel sees and what it does not.
struct RulePart {
  var match = AuthorizationPolicy.Match()
  /// Paths of fields that need HTTP, for messages.
  var httpFields: [String] = []
  /// True when its fields contradict each other, so that no connection can match.
  var isImpossible = false

  var hasNetworkFields: Bool { match != AuthorizationPolicy.Match() }
}

extension ObjectReader {
  /// The enforceable form of a rule; nil when it is left out, which is always the stricter way.
  ///
  /// An ALLOW rule that needs HTTP is left out: what only it allowed is denied. A DENY rule loses
  /// its HTTP conditions and denies more: all that its L4 part selects, or simply all.
  mutating func policyRule(
    _ fields: Fields, _ action: RequestedAction
  ) -> AuthorizationPolicy.Rule? {
    var groups: [[RulePart]] = []
    if fields["from"] != nil { groups.append(parts(fields, "from", "source") { $0.source($1) }) }
    if fields["to"] != nil { groups.append(parts(fields, "to", "operation") { $0.operation($1) }) }
    for condition in mappings(fields["when"], .condition) {
      groups.append([self.condition(condition)])
    }
    let httpFields = groups.joined().flatMap(\.httpFields)
    if !httpFields.isEmpty {
      reportHTTP(httpFields, fields, action)
      if action == .allow { return nil }
    }
    var clauses: [AuthorizationPolicy.Clause] = []
    for group in groups {
      let possible = group.filter { !$0.isImpossible }
      if possible.isEmpty {
        report(
          .warning, .selectsNothing, at: fields.path, line: fields.line,
          "ipBlocks and remoteIpBlocks have no address in common; the rule matches nothing")
        return nil
      }
      // A part without L4 fields selects everything, and the whole clause with it.
      guard possible.allSatisfy(\.hasNetworkFields) else { continue }
      clauses.append(AuthorizationPolicy.Clause(matches: possible.map(\.match)))
    }
    return AuthorizationPolicy.Rule(clauses: clauses)
  }

  private mutating func reportHTTP(
    _ httpFields: [String], _ rule: Fields, _ action: RequestedAction
  ) {
    let shown = alternatives(httpFields.map { String($0.dropFirst(rule.path.utf8.count + 1)) })
    let effect =
      switch action {
      case .allow: "the rule is left out: what only it allows is denied"
      case .deny, .custom: "the rule denies whatever its other conditions select"
      case .audit: "the rule is ignored"
      }
    report(
      action == .audit ? .warning : .refusal, .notEnforcedAsWritten, at: rule.path,
      line: rule.line, "\(shown) needs HTTP, and no waypoint enforces it; \(effect)")
  }

  /// The items of `from` or `to`, each a mapping with one key, `inner`.
  private mutating func parts(
    _ rule: Fields, _ outer: String, _ inner: String,
    _ read: (inout ObjectReader, Fields) -> RulePart
  ) -> [RulePart] {
    let items = mappings(rule[outer], Schema(inner, unknownField: .error))
    if items.isEmpty {
      report(
        .error, .missing, at: rule.pathOf(outer), line: rule.line,
        "expected at least one \(inner); leave \(outer) away to match all")
    }
    var parts: [RulePart] = []
    for item in items {
      let errors = errorCount
      let schema: Schema = inner == "source" ? .source : .operation
      guard let fields = mapping(item[inner], schema) else {
        if item[inner] == nil {
          report(
            .error, .missing, at: item.pathOf(inner), line: item.line, "expected \(inner)")
        }
        continue
      }
      let part = read(&self, fields)
      let isEmpty = !part.hasNetworkFields && part.httpFields.isEmpty && !part.isImpossible
      if isEmpty, errors == errorCount {
        report(
          .error, .missing, at: fields.path, line: fields.line,
          "expected at least one of \(alternatives(schema.known))")
      }
      parts.append(part)
    }
    return parts
  }

  private mutating func source(_ fields: Fields) -> RulePart {
    var part = RulePart()
    part.match.principals = patterns(fields["principals"], isPrincipal: true)
    part.match.notPrincipals = patterns(fields["notPrincipals"], isPrincipal: true)
    part.match.namespaces = patterns(fields["namespaces"])
    part.match.notNamespaces = patterns(fields["notNamespaces"])
    part.match.serviceAccounts = serviceAccounts(fields["serviceAccounts"])
    part.match.notServiceAccounts = serviceAccounts(fields["notServiceAccounts"])
    let blocks = blocks(fields["ipBlocks"])
    let remoteBlocks = remoteBlocks(fields["remoteIpBlocks"])
    part.match.sourceIPs = blocks + remoteBlocks
    if !blocks.isEmpty, !remoteBlocks.isEmpty {
      part.match.sourceIPs = common(blocks, remoteBlocks)
      part.isImpossible = part.match.sourceIPs.isEmpty
    }
    part.match.notSourceIPs =
      self.blocks(fields["notIpBlocks"]) + self.remoteBlocks(fields["notRemoteIpBlocks"])
    part.httpFields = http(fields, ["requestPrincipals", "notRequestPrincipals"])
    for (accounts, others) in [
      ("serviceAccounts", ["principals", "namespaces"]),
      ("notServiceAccounts", ["notPrincipals", "notNamespaces"]),
    ] {
      for other in others where fields[accounts] != nil && fields[other] != nil {
        report(
          .error, .invalidValue, at: fields.pathOf(accounts), line: fields.line,
          "expected \(accounts) or \(other), found both")
      }
    }
    return part
  }

  private mutating func operation(_ fields: Fields) -> RulePart {
    var part = RulePart()
    part.match.destinationPorts = textPorts(fields["ports"])
    part.match.notDestinationPorts = textPorts(fields["notPorts"])
    part.httpFields = http(
      fields, ["hosts", "notHosts", "methods", "notMethods", "paths", "notPaths"])
    return part
  }

  private mutating func condition(_ fields: Fields) -> RulePart {
    var part = RulePart()
    let (values, notValues) = (fields["values"], fields["notValues"])
    if values == nil, notValues == nil {
      report(
        .error, .missing, at: fields.pathOf("values"), line: fields.line,
        "expected values, notValues or both")
    }
    guard let key = string(fields["key"]) else {
      if fields["key"] == nil {
        report(
          .error, .missing, at: fields.pathOf("key"), line: fields.line,
          "expected \(alternatives(networkKeys))")
      }
      return part
    }
    switch key.value {
    case "source.ip":
      part.match.sourceIPs = blocks(values)
      part.match.notSourceIPs = blocks(notValues)
    case "remote.ip":
      part.match.sourceIPs = remoteBlocks(values)
      part.match.notSourceIPs = remoteBlocks(notValues)
    case "source.namespace":
      part.match.namespaces = patterns(values)
      part.match.notNamespaces = patterns(notValues)
    case "source.principal":
      part.match.principals = patterns(values, isPrincipal: true)
      part.match.notPrincipals = patterns(notValues, isPrincipal: true)
    case "destination.ip":
      part.match.destinationIPs = blocks(values)
      part.match.notDestinationIPs = blocks(notValues)
    case "destination.port":
      part.match.destinationPorts = textPorts(values)
      part.match.notDestinationPorts = textPorts(notValues)
    default:
      part.httpFields = httpCondition(key, fields)
    }
    return part
  }

  private mutating func httpCondition(_ key: Written<String>, _ fields: Fields) -> [String] {
    let isKnown =
      key.value.hasPrefix("request.") || key.value.hasPrefix("experimental.")
      || key.value == "connection.sni"
    if !isKnown {
      let hint = nearest(to: key.value, among: networkKeys).map { "; did you mean \($0)?" } ?? ""
      invalid(key, "expected an attribute Istio knows, found \(quoted(key.value))\(hint)")
    }
    _ = values(fields["values"]) + values(fields["notValues"])
    return isKnown ? ["\(fields.path) (\(key.value))"] : []
  }

  private mutating func http(_ fields: Fields, _ keys: [String]) -> [String] {
    var paths: [String] = []
    for key in keys {
      guard let field = fields[key] else { continue }
      _ = values(field)
      paths.append(field.path)
    }
    return paths
  }
}

/// The conditions that need no HTTP.
private let networkKeys = [
  "source.ip", "source.namespace", "source.principal", "destination.ip", "destination.port",
  "remote.ip",
]

extension Schema {
  fileprivate static let source = Schema(
    """
    principals notPrincipals requestPrincipals notRequestPrincipals namespaces notNamespaces
    serviceAccounts notServiceAccounts ipBlocks notIpBlocks remoteIpBlocks notRemoteIpBlocks
    """, unknownField: .error)
  fileprivate static let operation = Schema(
    "hosts notHosts ports notPorts methods notMethods paths notPaths", unknownField: .error)
  fileprivate static let condition = Schema("key values notValues", unknownField: .error)
}
