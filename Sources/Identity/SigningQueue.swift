public import MeshModel

/// How soon a certificate is needed; the first is the soonest.
public enum SigningUrgency: Int, Comparable, Hashable, Sendable {
  /// A pod that serves has none: its connections wait or fail.
  case needed
  /// A pod on its way into the mesh will need one.
  case warmUp
  /// One that is still valid is to be replaced.
  case renewal

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// Requests on their way to an authority: the most urgent first, few at once, none for ever.
///
/// One request of each identity waits at most, the newest; a request that has to go is told, so that
/// every one is answered. Urgency is asked for when it matters: it changes while a request waits.
public struct SigningQueue: Sendable {
  public struct Request: Hashable, Sendable {
    public var identity: SPIFFEID
    /// PKCS #10, DER.
    public var bytes: [UInt8]

    public init(identity: SPIFFEID, bytes: [UInt8]) {
      self.identity = identity
      self.bytes = bytes
    }
  }

  private struct Entry {
    var bytes: [UInt8]
    var since: Instant
    var number: UInt64
  }

  private var entries: [SPIFFEID: Entry] = [:]
  private var underWay: Set<SPIFFEID> = []
  private var nextNumber: UInt64 = 0

  public init() {}

  public var waitingCount: Int { entries.count }
  public var underWayCount: Int { underWay.count }

  /// Takes a request in place of an earlier one that waits; the identity that has to go for it.
  ///
  /// When too many wait it is the least urgent one, the youngest of equals: maybe this one.
  public mutating func add(
    _ request: Request, at now: Instant, urgency: (SPIFFEID) -> SigningUrgency
  ) -> SPIFFEID? {
    let known = entries[request.identity]
    entries[request.identity] = Entry(
      bytes: request.bytes, since: now, number: known?.number ?? nextNumber)
    nextNumber += 1
    guard entries.count > IdentityLimit.signingWaiting else { return nil }
    let last = entries.max { isBefore($0, $1, urgency) }?.key
    if let last { entries[last] = nil }
    return last
  }

  /// The request to send now, if one more may be under way.
  public mutating func next(urgency: (SPIFFEID) -> SigningUrgency) -> Request? {
    guard underWay.count < IdentityLimit.signingAtOnce else { return nil }
    let free = entries.filter { !underWay.contains($0.key) }
    guard let (identity, entry) = free.min(by: { isBefore($0, $1, urgency) }) else { return nil }
    entries[identity] = nil
    underWay.insert(identity)
    return Request(identity: identity, bytes: entry.bytes)
  }

  public mutating func finished(_ identity: SPIFFEID) { underWay.remove(identity) }

  /// Lets go of those that have waited too long.
  public mutating func expire(at now: Instant) -> [SPIFFEID] {
    let late = entries.filter { IdentityLimit.signingWait <= now.since($0.value.since) }.map(\.key)
    for identity in late { entries[identity] = nil }
    return late
  }

  /// Nobody waits any more for what has not been sent.
  public mutating func removeWaiting() { entries = [:] }

  private func isBefore(
    _ a: (key: SPIFFEID, value: Entry), _ b: (key: SPIFFEID, value: Entry),
    _ urgency: (SPIFFEID) -> SigningUrgency
  ) -> Bool {
    (urgency(a.key), a.value.number) < (urgency(b.key), b.value.number)
  }
}
