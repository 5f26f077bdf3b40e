/// Which of a service's endpoints a client may use, and which it prefers.
///
/// Source: ambient-protocol.md, section 3.4.
public struct LoadBalancing: Hashable, Sendable {
  public enum Mode: UInt8, Hashable, Sendable {
    /// Any endpoint.
    case any = 0
    /// Only endpoints that match every preference.
    case strict = 1
    /// The endpoints that match most preferences.
    case failover = 2
    /// No endpoint is chosen: the connection goes to where the application dialled.
    case passthrough = 3
  }

  /// What a client and an endpoint can have in common.
  public enum Scope: UInt8, Hashable, Sendable {
    case region = 1
    case zone = 2
    case subzone = 3
    case node = 4
    case cluster = 5
    case network = 6
  }

  public var mode: Mode
  /// Compared in this order; the first that differs ends the comparison.
  public var preferences: [Scope]

  public init(mode: Mode = .any, preferences: [Scope] = []) {
    self.mode = mode
    self.preferences = preferences
  }

  /// `internalTrafficPolicy: Local`: only endpoints on the client's node.
  public static let nodeLocal = LoadBalancing(mode: .strict, preferences: [.node])
}
