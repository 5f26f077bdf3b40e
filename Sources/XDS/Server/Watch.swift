internal import IstioAPI

/// What one stream knows and waits for, of one type.
struct Watch: Sendable {
  /// Everything, beside the names asked for.
  var isWildcard = false
  /// Names and aliases asked for one by one.
  var names: Set<String> = []
  /// Resources sent because of a name; not kept under a wildcard, which covers all.
  var sent: Set<String> = []
  /// Names to send or to report gone, once the client has acknowledged what is on its way.
  var waiting: Set<String> = []
  /// The client must be answered even if there is nothing to say.
  var owesAnswer = false
  /// Changes up to this sequence have been put into `waiting`.
  var sequence: UInt64
  /// The nonce on its way, and the generation that the client has once it is acknowledged.
  var outstanding: (nonce: String, generation: UInt64?)?
  var nextNonce: UInt64 = 1
  var statistics = WatchStatistics()

  /// Whether a stream that asks by name is told of a resource.
  func covers(_ entry: ResourceTable.Entry, node: String) -> Bool {
    if isWildcard || names.contains(entry.envelope.name) || sent.contains(entry.envelope.name) {
      return true
    }
    if !entry.node.isEmpty && entry.node == node { return true }
    return entry.envelope.aliases.contains(where: names.contains)
      || entry.services.contains { names.contains($0) || sent.contains($0) }
  }
}

/// What happened on one stream with one type.
public struct WatchStatistics: Hashable, Sendable {
  public internal(set) var responses: UInt64 = 0
  public internal(set) var resources: UInt64 = 0
  public internal(set) var removals: UInt64 = 0
  public internal(set) var acknowledged: UInt64 = 0
  public internal(set) var refused: UInt64 = 0
  /// Requests with a nonce other than the one on its way.
  public internal(set) var stale: UInt64 = 0
  /// What the client said when it last refused something.
  public internal(set) var lastRefusal: String?
  /// The generation of which the client has answered everything it asked for, be it by a refusal;
  /// nil before that.
  public internal(set) var generation: UInt64?
}
