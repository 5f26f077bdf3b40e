import Commands
import FoundationEssentials

/// JSON for the wire.
func jsonBytes(of value: some Encodable) throws -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return Array(try encoder.encode(value))
}

func decoded<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
  try JSONDecoder().decode(type, from: Data(bytes))
}

extension StatusReport {
  /// The whole report, or the value of one section alone.
  func json(section: StatusSection?) throws -> String {
    switch section {
    case nil: try jsonText(of: self)
    case .node: try jsonText(of: node)
    case .redirect: try jsonText(of: redirect)
    case .ztunnel: try jsonText(of: ztunnel)
    case .model: try jsonText(of: model)
    case .controlPlane: try jsonText(of: controlPlane)
    case .cluster: try jsonText(of: cluster)
    case .cni: try jsonText(of: cni)
    case .pods: try jsonText(of: pods)
    case .certificates: try jsonText(of: certificates)
    case .signing: try jsonText(of: signing)
    case .trust: try jsonText(of: trust)
    case .connections: try jsonText(of: connections)
    case .tunnels: try jsonText(of: tunnels)
    case .refusals: try jsonText(of: refusals)
    }
  }
}
