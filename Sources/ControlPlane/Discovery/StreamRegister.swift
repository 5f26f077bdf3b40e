import ControlAPI
import Linux
import MeshModel
import Synchronization
import Telemetry
import XDS

/// The streams that are open: what is known of each, and until when it may stay.
final class StreamRegister: Sendable {
  private struct Entry {
    var status: StreamStatus
    var exchange: DiscoveryExchange
    var endsAt: WallTime?
  }

  private struct State {
    var streams: [UInt64: Entry] = [:]
    var trustChanges: UInt64 = 0
  }

  private let state = Mutex(State())

  /// How often tokens, keys, roots or revocations have changed.
  var trustChanges: UInt64 { state.withLock(\.trustChanges) }

  /// - endsAt: when the stream must look whether it may stay.
  func open(
    _ number: UInt64, _ status: StreamStatus, _ exchange: DiscoveryExchange, endsAt: WallTime?
  ) {
    state.withLock {
      $0.streams[number] = Entry(status: status, exchange: exchange, endsAt: endsAt)
    }
  }

  func update(_ number: UInt64, _ change: (inout StreamStatus) -> Void) {
    state.withLock { state in
      guard var entry = state.streams[number] else { return }
      change(&entry.status)
      state.streams[number] = entry
    }
  }

  func close(_ number: UInt64) {
    state.withLock { _ = $0.streams.removeValue(forKey: number) }
  }

  /// Has every stream look whether its proof still holds.
  func trustChanged() {
    let exchanges = state.withLock { state in
      state.trustChanges += 1
      return state.streams.values.map(\.exchange)
    }
    for exchange in exchanges { exchange.nudge() }
  }

  /// Wakes the streams whose proof has ended by itself.
  func wakeOverdue(at now: WallTime) {
    let exchanges = state.withLock { state in
      state.streams.values.filter { $0.endsAt.map { $0 <= now } ?? false }.map(\.exchange)
    }
    for exchange in exchanges { exchange.nudge() }
  }

  var count: Int { state.withLock(\.streams.count) }

  /// By node, then by age.
  var all: [StreamStatus] {
    state.withLock { state in
      state.streams.sorted { ($0.value.status.node, $0.key) < ($1.value.status.node, $1.key) }
        .map(\.value.status)
    }
  }
}

/// One stream, for people.
struct StreamStatus: Codable, Hashable, Sendable {
  struct Kind: Codable, Hashable, Sendable {
    var responses: UInt64
    var resources: UInt64
    var removals: UInt64
    var acknowledged: UInt64
    var refused: UInt64
    var stale: UInt64
    /// A response is on its way.
    var isWaiting: Bool
    var isOnDemand: Bool
    /// The generation that the node has answered all of.
    var generation: UInt64?
    var lastRefusal: String?
  }

  var node: String
  var peer: String
  var since: String
  /// What the node calls itself; absent before its first request.
  var id: String?
  var addresses: Kind?
  var policies: Kind?

  init(node: String, peer: String, since: WallTime) {
    self.node = node
    self.peer = peer
    self.since = since.timestamp
  }

  mutating func take(_ server: DiscoveryServer) {
    id = server.node?.id
    addresses = Kind(server, .address)
    policies = Kind(server, .authorization)
  }

  /// The oldest generation that the node has of any type.
  var generation: UInt64? {
    guard let addresses = addresses?.generation, let policies = policies?.generation else {
      return nil
    }
    return min(addresses, policies)
  }

  var refused: UInt64 { (addresses?.refused ?? 0) + (policies?.refused ?? 0) }
}

extension StreamStatus.Kind {
  init?(_ server: DiscoveryServer, _ type: ResourceType) {
    guard let statistics = server.statistics(type) else { return nil }
    self.init(
      responses: statistics.responses, resources: statistics.resources,
      removals: statistics.removals, acknowledged: statistics.acknowledged,
      refused: statistics.refused, stale: statistics.stale, isWaiting: server.isWaiting(type),
      isOnDemand: server.isOnDemand(type), generation: statistics.generation,
      lastRefusal: statistics.lastRefusal.map { String($0.prefix(Limit.refusalTextBytes)) })
  }
}
