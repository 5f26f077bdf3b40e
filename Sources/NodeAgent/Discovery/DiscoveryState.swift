import MeshModel

/// What there is to say about the control plane, for status and metrics.
struct DiscoveryState: Hashable, Sendable {
  enum Connection: Hashable, Sendable {
    case connecting
    /// A stream stands; its first answers may still be missing.
    case connected
    case waiting(until: WallTime)
  }

  /// Why streams end, as Istio's metric has it.
  enum Termination: String, CaseIterable, Hashable, Sendable {
    /// There never was a stream.
    case connectionError = "ConnectionError"
    /// The other end, or this one, ended it with an error.
    case error = "Error"
    /// The other end asked to come again: it is going away.
    case reconnect = "Reconnect"
    /// The other end finished the stream.
    case complete = "Complete"
  }

  struct Traffic: Hashable, Sendable {
    var messages: UInt64 = 0
    var bytes: UInt64 = 0
  }

  private(set) var connection = Connection.connecting
  /// Since when the connection is as it is.
  private(set) var since: WallTime
  /// The last answer of the control plane.
  private(set) var lastContact: WallTime?
  /// Since when what is served here may be out of date; nil while it is not.
  private(set) var staleSince: WallTime?
  private(set) var isRestored = false
  private(set) var lastError: String?
  private(set) var terminations: [Termination: UInt64] = [:]
  /// By type URL.
  private(set) var traffic: [String: Traffic] = [:]

  /// Nothing has been heard yet, now or ever.
  init(at now: WallTime) {
    since = now
    staleSince = now
  }

  /// A state of before is served again; it was last confirmed at `contact`.
  mutating func restored(lastContact contact: WallTime) {
    isRestored = true
    lastContact = contact
    staleSince = contact
  }

  mutating func connecting(at now: WallTime) {
    connection = .connecting
    since = now
  }

  mutating func received(_ typeURL: String, bytes: Int, at now: WallTime) {
    if connection != .connected {
      connection = .connected
      since = now
    }
    lastContact = now
    // Types are the peer's words: of too many, the rest is counted together.
    let isKnown = traffic[typeURL] != nil || traffic.count < Limit.discoveryTypesCounted
    traffic[isKnown ? typeURL : "other", default: Traffic()].messages += 1
    traffic[isKnown ? typeURL : "other", default: Traffic()].bytes += UInt64(max(bytes, 0))
  }

  /// Everything asked for has been answered on this stream.
  mutating func inStep() {
    staleSince = nil
    isRestored = false
    lastError = nil
  }

  mutating func ended(
    _ termination: Termination, reason: String, at now: WallTime, retryAt: WallTime
  ) {
    terminations[termination, default: 0] += 1
    lastError = reason
    // A stream that stood until now said that nothing had changed until now.
    if staleSince == nil { staleSince = now }
    connection = .waiting(until: retryAt)
    since = now
  }

  /// Something other than the connection went wrong.
  mutating func failed(_ reason: String) { lastError = reason }
}
