import AgentProtocol
import MeshModel

/// The last refusals, newest first when read; equal ones are one entry with a count.
///
/// Each kind has room of its own, so that whoever may cause one kind without end (a stranger who
/// begins handshakes) pushes out none of the others. Within a kind the least recent goes first.
struct RefusalRing {
  /// Refusals that differ in nothing but time and the source's port.
  struct Entry: Hashable {
    var latest: Refusal
    var first: WallTime
    var count: UInt64
    /// Its place in the order of all refusals.
    fileprivate var stamp: UInt64

    init(_ refusal: Refusal, stamp: UInt64 = 0) {
      latest = refusal
      first = refusal.at
      count = 1
      self.stamp = stamp
    }
  }

  /// All refusals ever recorded, also those that have gone.
  private(set) var total: UInt64 = 0
  private var shares: [Kind: Share] = [:]
  private let capacity: Int

  /// - capacity: entries of each kind.
  init(capacity: Int = Limit.refusalsKeptOfEachKind) {
    precondition(capacity > 0, "a ring of \(capacity) keeps nothing")
    self.capacity = capacity
  }

  mutating func record(_ refusal: Refusal) {
    total += 1
    shares[Kind(refusal), default: Share(capacity: capacity)].record(refusal, stamp: total)
  }

  var newestFirst: [Entry] {
    shares.values.flatMap(\.entries.values).sorted { $0.stamp > $1.stamp }
  }
}

/// Who can cause a refusal.
private enum Kind: Hashable {
  /// A proven identity that policy keeps out.
  case member
  /// Plaintext that policy keeps out.
  case plaintext
  /// Somebody who proved nothing, in TLS.
  case stranger
  /// The other node refused one of our pods.
  case peer
  /// One of our own pods' connections failed closed.
  case failure

  init(_ refusal: Refusal) {
    let isProven = refusal.sourceIdentity != nil
    self =
      switch refusal.cause {
      case .policy: isProven ? .member : .plaintext
      case .peer: .peer
      case .failure: refusal.direction == .inbound && !isProven ? .stranger : .failure
      }
  }
}

/// What makes two refusals equal.
private struct Key: Hashable {
  var direction: Direction
  var source: IPAddress
  var destination: SocketAddress
  var sourceIdentity: SPIFFEID?
  var destinationIdentity: SPIFFEID?
  var cause: Refusal.Cause
  var endedLiveConnection: Bool
  var podUID: String

  init(_ refusal: Refusal) {
    direction = refusal.direction
    source = refusal.source.ip
    destination = refusal.destination
    sourceIdentity = refusal.sourceIdentity
    destinationIdentity = refusal.destinationIdentity
    cause = refusal.cause
    endedLiveConnection = refusal.endedLiveConnection
    podUID = refusal.podUID
  }
}

/// The entries of one kind.
private struct Share {
  private let capacity: Int
  private(set) var entries: [Key: RefusalRing.Entry] = [:]
  /// Least recent first; a place whose stamp is no longer the entry's is stale.
  private var order: [(key: Key, stamp: UInt64)] = []
  private var firstInOrder = 0

  /// Places kept for each entry before the stale ones are swept.
  private static let placesPerEntry = 8

  init(capacity: Int) {
    self.capacity = capacity
  }

  mutating func record(_ refusal: Refusal, stamp: UInt64) {
    let key = Key(refusal)
    if var known = entries[key] {
      known.latest = refusal
      known.count += 1
      known.stamp = stamp
      entries[key] = known
    } else {
      if entries.count == capacity { forgetLeastRecent() }
      entries[key] = RefusalRing.Entry(refusal, stamp: stamp)
    }
    order.append((key, stamp))
    if order.count > capacity * Share.placesPerEntry { sweep() }
  }

  private mutating func forgetLeastRecent() {
    while firstInOrder < order.count {
      let (key, stamp) = order[firstInOrder]
      firstInOrder += 1
      guard entries[key]?.stamp == stamp else { continue }
      entries[key] = nil
      return
    }
  }

  private mutating func sweep() {
    order = entries.map { ($0.key, $0.value.stamp) }.sorted { $0.1 < $1.1 }
    firstInOrder = 0
  }
}
