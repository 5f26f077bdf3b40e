import ControlAPI
import IstioAPI
import Linux
import Logging
import MeshModel
import SwiftProtobuf
import XDS

/// One node's stream: requests and generations go through XDS's decisions, responses go out.
///
/// One response of each type is on its way at most, and nothing is kept for a client that does not
/// read: what changed is looked up when it comes back.
struct NodeSession: DiscoverySession {
  let node: String
  let peer: Peer
  let publisher: Publisher
  let register: StreamRegister
  let counters: Counters
  let proof: StreamProof

  func serve(_ exchange: DiscoveryExchange) async throws(CallStatus) {
    // First woken, then shown: what is published in between is not missed.
    let number = publisher.add(exchange)
    register.open(
      number, StreamStatus(node: node, peer: peer.address, since: WallClock.now()), exchange,
      endsAt: proof.endsAt)
    defer {
      publisher.remove(number)
      register.close(number)
    }
    if publisher.isShutDown { throw Publisher.Refusal.shuttingDown.status }
    guard let current = publisher.current else { throw Publisher.Refusal.notReady.status }
    var logger = Logger(label: "discovery")
    logger[metadataKey: "node"] = "\(node)"
    logger[metadataKey: "peer"] = "\(peer.address)"
    logger.info("stream opened")
    var stream = Stream(session: self, server: DiscoveryServer(current.resources), logger: logger)
    do throws(CallStatus) {
      try await stream.run(exchange, number)
    } catch {
      logger.info("stream closed", metadata: ["reason": "\(error)"])
      throw error
    }
    logger.info("stream closed")
  }
}

/// A stream's state while it lives.
private struct Stream {
  let session: NodeSession
  var server: DiscoveryServer
  let logger: Logger
  private var proof: StreamProof
  /// When the oldest generation was read that the client has not been sent, because it had not
  /// acknowledged what came before.
  private var owedSince: Instant?
  private var refusals: UInt64 = 0

  init(session: NodeSession, server: DiscoveryServer, logger: Logger) {
    self.session = session
    self.server = server
    self.logger = logger
    proof = session.proof
  }

  mutating func run(_ exchange: DiscoveryExchange, _ number: UInt64) async throws(CallStatus) {
    while true {
      let event: DiscoveryExchange.Event
      do throws(ControlError) {
        event = try await exchange.next()
      } catch {
        throw error.asStatus
      }
      try await prove()
      let responses: [DiscoveryExchange.Response]
      switch event {
      case .request(let request): responses = try take(request)
      case .nudged: responses = try takeGeneration()
      case .finished: return
      }
      try await send(responses, on: exchange)
      session.register.update(number) { $0.take(server) }
    }
  }

  /// Nobody is told anything any more whose proof is gone.
  private mutating func prove() async throws(CallStatus) {
    do throws(StreamProof.End) {
      try await proof.check(trustChanges: session.register.trustChanges, now: WallClock.now())
    } catch {
      session.counters.stream(ended: error.label)
      logger.warning("stream ended", metadata: ["reason": "\(error)"])
      throw error.status
    }
  }

  private mutating func take(
    _ request: DiscoveryExchange.Request
  ) throws(CallStatus) -> [DiscoveryExchange.Response] {
    var request = request
    if server.node == nil { try identify(&request) }
    do throws(StreamRefusal) {
      let responses = try server.receive(request)
      noteRefusals()
      return responses
    } catch {
      throw error.asStatus
    }
  }

  /// A node may not pass for another: what it is sent unasked depends on its name.
  private func identify(_ request: inout DiscoveryExchange.Request) throws(CallStatus) {
    guard request.hasNode else { return }
    let claimed = request.node.metadata.fields["NODE_NAME"]?.stringValue ?? ""
    guard claimed.isEmpty || claimed == session.node else {
      session.counters.stream(refused: "other_node")
      throw CallStatus(.permissionDenied, "NODE_NAME is not the node that was authenticated")
    }
    request.node.metadata.fields["NODE_NAME"] = Google_Protobuf_Value(stringValue: session.node)
  }

  private mutating func takeGeneration() throws(CallStatus) -> [DiscoveryExchange.Response] {
    if session.publisher.isShutDown { throw Publisher.Refusal.shuttingDown.status }
    guard let publication = session.publisher.current else { return [] }
    do throws(StreamRefusal) {
      let responses = try server.update(to: publication.resources)
      let isWaiting = ResourceType.allCases.contains { server.isWaiting($0) }
      if owedSince == nil, isWaiting || !responses.isEmpty { owedSince = publication.readAt }
      return responses
    } catch {
      throw error.asStatus
    }
  }

  private mutating func send(
    _ responses: [DiscoveryExchange.Response], on exchange: DiscoveryExchange
  ) async throws(CallStatus) {
    guard !responses.isEmpty else {
      if !ResourceType.allCases.contains(where: { server.isWaiting($0) }) { owedSince = nil }
      return
    }
    for response in responses {
      do throws(ControlError) {
        try await exchange.send(response)
      } catch {
        throw error.asStatus
      }
      session.counters.sent(
        resources: response.resources.count, removals: response.removedResources.count)
    }
    if let since = owedSince {
      session.counters.pushed(after: MonotonicClock.now().since(since))
      owedSince = nil
    }
  }

  /// Says in the log what the client would not take.
  private mutating func noteRefusals() {
    let statistics = ResourceType.allCases.compactMap { server.statistics($0) }
    let count = statistics.reduce(0) { $0 + $1.refused }
    guard count > refusals else { return }
    session.counters.refused(count - refusals)
    refusals = count
    let text = statistics.compactMap(\.lastRefusal).last ?? ""
    logger.warning(
      "resources refused by the node",
      metadata: ["reason": "\(text.prefix(Limit.refusalTextBytes))"])
  }
}

extension StreamRefusal {
  fileprivate var asStatus: CallStatus {
    CallStatus(CallStatus.Code(rawValue: statusCode) ?? .unknown, "\(self)")
  }
}

extension ControlError {
  /// What the client is told, if it still listens.
  fileprivate var asStatus: CallStatus {
    switch self {
    case .status(let status): status
    case .ended, .cancelled: CallStatus(.cancelled, "the client went away")
    case .unreadable, .badCredentials, .connectTimedOut: CallStatus(.internalError, "\(self)")
    }
  }
}
