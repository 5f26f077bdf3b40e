/// The facts about one connection that a policy may ask for.
public struct ConnectionFacts: Hashable, Sendable {
  /// The proven identity; nil for plaintext.
  public var source: SPIFFEID?
  public var sourceIP: IPAddress
  /// The pod address dialled.
  public var destinationIP: IPAddress
  /// The port the application listens on, never 15008 nor the service port.
  public var destinationPort: UInt16

  public init(
    source: SPIFFEID?, sourceIP: IPAddress, destinationIP: IPAddress, destinationPort: UInt16
  ) {
    self.source = source
    self.sourceIP = sourceIP
    self.destinationIP = destinationIP
    self.destinationPort = destinationPort
  }
}

/// Whether a connection may pass, and which rule said so.
public enum Verdict: Hashable, Sendable {
  case allow(because: Allowance)
  case deny(because: Denial)

  public enum Allowance: Hashable, Sendable {
    case noPolicy
    case matched(policy: PolicyKey, rule: Int)
  }

  public enum Denial: Hashable, Sendable {
    /// A DENY policy's rule, counted from 0, matched.
    case matched(policy: PolicyKey, rule: Int)
    /// ALLOW policies apply and none matched; the nearest one and what it missed.
    case noAllowMatched(nearest: NearMiss?)
    /// The workload lists a policy that has not arrived.
    case missingPolicy(PolicyKey)
    /// The workload itself is unknown here.
    case unknownWorkload
    /// The destination takes connections through its waypoint only.
    case aroundWaypoint(WaypointBypass)
    /// Plaintext at a port that believes a PROXY header; 0: any port of the workload may.
    case couldForgeHeader(port: UInt16)
  }
}

/// The ALLOW rule that came closest, and the first field that failed in it.
public struct NearMiss: Hashable, Sendable {
  public var policy: PolicyKey
  public var rule: Int
  /// The field as the user writes it: `principals`, `notPorts`, …; empty when the policy has no rule.
  public var field: String
  public var expected: String
  public var actual: String

  public init(policy: PolicyKey, rule: Int, field: String, expected: String, actual: String) {
    self.policy = policy
    self.rule = rule
    self.field = field
    self.expected = expected
    self.actual = actual
  }
}

/// A dry-run policy that would have changed the answer.
public struct DryRunMatch: Hashable, Sendable {
  public var policy: PolicyKey
  public var action: AuthorizationPolicy.Action
  /// The answer it would have given; an ALLOW that matches nothing else turns a yes into a no.
  public var wouldAllow: Bool

  public init(policy: PolicyKey, action: AuthorizationPolicy.Action, wouldAllow: Bool) {
    self.policy = policy
    self.action = action
    self.wouldAllow = wouldAllow
  }
}

extension Verdict {
  public var isAllowed: Bool {
    switch self {
    case .allow: true
    case .deny: false
    }
  }
}

extension Verdict: CustomStringConvertible {
  public var description: String {
    switch self {
    case .allow(.noPolicy): "allowed: no ALLOW policy applies and no DENY policy matches"
    case .allow(.matched(let policy, let rule)): "allowed by policy \(policy), rule \(rule)"
    case .deny(let denial): "denied: \(denial)"
    }
  }
}

extension Verdict.Denial: CustomStringConvertible {
  /// One line for an operator, and for the peer that was refused.
  public var description: String {
    switch self {
    case .matched(let policy, let rule):
      "DENY policy \(policy), rule \(rule), matches"
    case .noAllowMatched(let nearest?):
      "no ALLOW policy matches; nearest is \(nearest)"
    case .noAllowMatched(nil):
      "no ALLOW policy matches"
    case .missingPolicy(let policy):
      "policy \(policy) applies to the workload, but has not arrived or could not be read"
    case .unknownWorkload:
      "the destination workload is not known here"
    case .aroundWaypoint(let bypass):
      "\(bypass)"
    case .couldForgeHeader(0):
      "any port of the workload may believe a PROXY header, which plaintext could forge"
    case .couldForgeHeader(let port):
      "port \(port) believes a PROXY header, which plaintext could forge"
    }
  }
}

extension NearMiss: CustomStringConvertible {
  public var description: String {
    let missed = field.isEmpty ? "" : "\(field): "
    return "\(policy), rule \(rule): \(missed)wanted \(expected), got \(actual)"
  }
}
