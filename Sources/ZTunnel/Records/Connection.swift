import AgentProtocol
import MeshModel

/// The record of one application connection, as one side sees it.
final class Connection {
  let id: UInt64
  let direction: Direction
  let transport: Transport
  let podUID: String
  let source: SocketAddress
  let originalDestination: SocketAddress
  let destination: SocketAddress
  let opened: Instant
  let openedAt: WallTime
  /// Names and counters, shared by the connections with the same names.
  let labels: LabelSet
  /// What policy was asked, when it was; asked again when policy changes.
  let facts: ConnectionFacts?
  let dryRunMatches: [DryRunMatch]
  /// The socket that ends it; nil once it has ended.
  var socket: AppSocket?
  /// From client to server.
  private(set) var receivedBytes: UInt64 = 0
  /// From server to client.
  private(set) var sentBytes: UInt64 = 0

  init(
    id: UInt64, direction: Direction, transport: Transport, podUID: String, source: SocketAddress,
    originalDestination: SocketAddress, destination: SocketAddress, opened: Instant,
    openedAt: WallTime, labels: LabelSet, facts: ConnectionFacts?, dryRunMatches: [DryRunMatch]
  ) {
    self.id = id
    self.direction = direction
    self.transport = transport
    self.podUID = podUID
    self.source = source
    self.originalDestination = originalDestination
    self.destination = destination
    self.opened = opened
    self.openedAt = openedAt
    self.labels = labels
    self.facts = facts
    self.dryRunMatches = dryRunMatches
  }

  func count(_ count: Int, fromClient: Bool) {
    let bytes = UInt64(count)
    if fromClient {
      receivedBytes &+= bytes
      labels.receivedBytes &+= bytes
    } else {
      sentBytes &+= bytes
      labels.sentBytes &+= bytes
    }
  }

  /// The record as it stands at `now`.
  func record(
    at now: Instant, flag: ResponseFlag = .none, reason: String = ""
  ) -> ConnectionRecord {
    var record = ConnectionRecord(id: id, direction: direction, source: source, opened: openedAt)
    record.transport = transport
    record.podUID = podUID
    record.sourceWorkload = labels.key.sourceWorkload
    record.destinationWorkload = labels.key.destinationWorkload
    record.sourceIdentity = labels.key.sourceIdentity
    record.destinationIdentity = labels.key.destinationIdentity
    record.originalDestination = originalDestination
    record.destination = destination
    record.service = labels.key.service
    record.duration = now.since(opened)
    record.receivedBytes = receivedBytes
    record.sentBytes = sentBytes
    record.flag = flag
    record.reason = reason
    record.dryRunMatches = dryRunMatches
    return record
  }
}
