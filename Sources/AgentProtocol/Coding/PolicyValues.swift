import MeshModel

extension AuthorizationPolicy: Coded {
  func write(to writer: inout Writer) {
    key.write(to: &writer)
    writer.byte(scope.rawValue)
    writer.byte(action.rawValue)
    writer.boolean(isDryRun)
    writer.list(rules)
    writer.boolean(isUnreadable)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      key: try PolicyKey(from: &reader), scope: try reader.member(.scope),
      action: try reader.member(.action), isDryRun: try reader.boolean(), rules: try reader.list())
    isUnreadable = try reader.boolean()
  }
}

extension AuthorizationPolicy.Rule: Coded {
  func write(to writer: inout Writer) { writer.list(clauses) }
  init(from reader: inout Reader) throws(DecodingError) { self.init(clauses: try reader.list()) }
}

extension AuthorizationPolicy.Clause: Coded {
  func write(to writer: inout Writer) { writer.list(matches) }
  init(from reader: inout Reader) throws(DecodingError) { self.init(matches: try reader.list()) }
}

extension AuthorizationPolicy.Match: Coded {
  func write(to writer: inout Writer) {
    writer.list(principals)
    writer.list(notPrincipals)
    writer.list(namespaces)
    writer.list(notNamespaces)
    writer.list(serviceAccounts)
    writer.list(notServiceAccounts)
    writer.list(sourceIPs)
    writer.list(notSourceIPs)
    writer.list(destinationIPs)
    writer.list(notDestinationIPs)
    writer.list(destinationPorts) { $1.integer($0) }
    writer.list(notDestinationPorts) { $1.integer($0) }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init()
    principals = try reader.list()
    notPrincipals = try reader.list()
    namespaces = try reader.list()
    notNamespaces = try reader.list()
    serviceAccounts = try reader.list()
    notServiceAccounts = try reader.list()
    sourceIPs = try reader.list()
    notSourceIPs = try reader.list()
    destinationIPs = try reader.list()
    notDestinationIPs = try reader.list()
    destinationPorts = try reader.list { reader throws(DecodingError) in try reader.integer() }
    notDestinationPorts = try reader.list { reader throws(DecodingError) in try reader.integer() }
  }
}

extension StringMatch: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .exact(let text):
      writer.byte(0)
      writer.text(text)
    case .prefix(let text):
      writer.byte(1)
      writer.text(text)
    case .suffix(let text):
      writer.byte(2)
      writer.text(text)
    case .presence:
      writer.byte(3)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    switch try reader.byte() {
    case 0: self = .exact(try reader.text())
    case 1: self = .prefix(try reader.text())
    case 2: self = .suffix(try reader.text())
    case 3: self = .presence
    case let tag: throw reader.unknown(tag, of: .stringMatch)
    }
  }
}

extension ServiceAccountMatch: Coded {
  func write(to writer: inout Writer) {
    writer.text(namespace)
    writer.text(serviceAccount)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(namespace: try reader.text(), serviceAccount: try reader.text())
  }
}

extension Verdict.Denial: Coded {
  func write(to writer: inout Writer) {
    switch self {
    case .matched(let policy, let rule):
      writer.byte(0)
      policy.write(to: &writer)
      writer.signed(Int64(rule))
    case .noAllowMatched(let nearest):
      writer.byte(1)
      writer.optional(nearest)
    case .missingPolicy(let policy):
      writer.byte(2)
      policy.write(to: &writer)
    case .unknownWorkload:
      writer.byte(3)
    case .aroundWaypoint(let bypass):
      writer.byte(4)
      bypass.write(to: &writer)
    case .couldForgeHeader(let port):
      writer.byte(5)
      writer.integer(port)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    switch try reader.byte() {
    case 0:
      self = .matched(policy: try PolicyKey(from: &reader), rule: Int(try reader.signed()))
    case 1: self = .noAllowMatched(nearest: try reader.optional())
    case 2: self = .missingPolicy(try PolicyKey(from: &reader))
    case 3: self = .unknownWorkload
    case 4: self = .aroundWaypoint(try WaypointBypass(from: &reader))
    case 5: self = .couldForgeHeader(port: try reader.integer())
    case let tag: throw reader.unknown(tag, of: .denial)
    }
  }
}

extension NearMiss: Coded {
  func write(to writer: inout Writer) {
    policy.write(to: &writer)
    writer.signed(Int64(rule))
    writer.text(field)
    writer.text(expected)
    writer.text(actual)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      policy: try PolicyKey(from: &reader), rule: Int(try reader.signed()),
      field: try reader.text(), expected: try reader.text(), actual: try reader.text())
  }
}

extension DryRunMatch: Coded {
  func write(to writer: inout Writer) {
    policy.write(to: &writer)
    writer.byte(action.rawValue)
    writer.boolean(wouldAllow)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(
      policy: try PolicyKey(from: &reader), action: try reader.member(.action),
      wouldAllow: try reader.boolean())
  }
}
