import AgentProtocol
import MeshModel

extension UInt64 {
  /// Sixteen hexadecimal digits, as ids of connections and refusals are written.
  var hexadecimal: String { Hexadecimal.text(of: self) }
}

extension Direction {
  var name: String {
    switch self {
    case .inbound: "inbound"
    case .outbound: "outbound"
    }
  }

  /// Which end reports, in Istio's words.
  var reporter: String {
    switch self {
    case .inbound: "destination"
    case .outbound: "source"
    }
  }
}

extension Transport {
  var name: String {
    switch self {
    case .passthrough: "passthrough"
    case .hbone: "hbone"
    case .local: "local"
    case .plaintext: "plaintext"
    case .waypoint: "waypoint"
    case .doubleHBONE: "double hbone"
    }
  }
}

extension Verdict.Denial {
  var policy: PolicyKey? {
    switch self {
    case .matched(let policy, _), .missingPolicy(let policy): policy
    case .noAllowMatched, .unknownWorkload, .aroundWaypoint, .couldForgeHeader: nil
    }
  }

  var rule: Int? {
    switch self {
    case .matched(_, let rule): rule
    case .noAllowMatched, .missingPolicy, .unknownWorkload, .aroundWaypoint, .couldForgeHeader:
      nil
    }
  }

  var nearest: NearMiss? {
    switch self {
    case .noAllowMatched(let nearest): nearest
    case .matched, .missingPolicy, .unknownWorkload, .aroundWaypoint, .couldForgeHeader: nil
    }
  }
}

extension Refusal.Cause {
  var text: String {
    switch self {
    case .policy(let denial): denial.description
    case .peer(let status, let reason): "the other node answered \(status): \(reason)"
    case .failure(_, let reason): reason
    }
  }

  /// A constant word for logs and filters.
  var name: String {
    switch self {
    case .policy: "policy"
    case .peer: "peer"
    case .failure(let flag, _): flag.rawValue
    }
  }

  var denial: Verdict.Denial? {
    switch self {
    case .policy(let denial): denial
    case .peer, .failure: nil
    }
  }
}
