import Linux
import MeshModel
import Synchronization
import Telemetry
import XDS

/// What is known of the streams that are open; for status.
final class StreamRegister: Sendable {
  private let streams = Mutex<[UInt64: StreamStatus]>([:])

  func open(_ number: UInt64, _ status: StreamStatus) {
    streams.withLock { $0[number] = status }
  }

  func update(_ number: UInt64, _ change: (inout StreamStatus) -> Void) {
    streams.withLock { streams in
      guard var status = streams[number] else { return }
      change(&status)
      streams[number] = status
    }
  }

  func close(_ number: UInt64) {
    streams.withLock { _ = $0.removeValue(forKey: number) }
  }

  var count: Int { streams.withLock(\.count) }

  /// By node, then by age.
  var all: [StreamStatus] {
    streams.withLock { streams in
      streams.sorted { ($0.value.node, $0.key) < ($1.value.node, $1.key) }.map(\.value)
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
