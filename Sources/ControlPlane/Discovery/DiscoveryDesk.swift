import ControlAPI
import Linux
import Logging
import MeshModel

/// Lets node agents at the mesh's discovery.
struct DiscoveryDesk: DiscoveryEndpoint {
  let authentication: Authentication
  let publisher: Publisher
  let register: StreamRegister
  let counters: Counters
  private let logger = Logger(label: "discovery")

  init(
    authentication: Authentication, publisher: Publisher, register: StreamRegister,
    counters: Counters
  ) {
    self.authentication = authentication
    self.publisher = publisher
    self.register = register
    self.counters = counters
  }

  /// Nothing that nodes share is taken before it is clear that a node is asking.
  func session(for peer: Peer) async throws(CallStatus) -> any DiscoverySession {
    // Before it is asked: what changes meanwhile is looked at again.
    let trustChanges = register.trustChanges
    let (node, caller) = try await node(of: peer)
    do throws(Publisher.Refusal) {
      try publisher.admit(at: MonotonicClock.now())
    } catch {
      counters.stream(refused: error.label)
      throw error.status
    }
    return NodeSession(
      node: node, peer: peer, publisher: publisher, register: register, counters: counters,
      proof: StreamProof(
        caller: caller, peer: peer, authentication: authentication, shownAt: WallClock.now(),
        trustChanges: trustChanges, jitter: Double(Random.uint64() >> 11) / Double(1 << 53)))
  }

  private func node(of peer: Peer) async throws(CallStatus) -> (String, Caller) {
    let caller: Caller
    do throws(AuthenticationFailure) {
      caller = try await authentication.caller(of: peer, at: WallClock.now())
    } catch {
      counters.stream(refused: error == .tooManyAttempts ? "too_fast" : "unauthenticated")
      counters.authenticationFailed(error.label)
      logger.log(
        level: error.logLevel, "stream refused",
        metadata: ["peer": "\(peer.address)", "reason": "\(error)"])
      throw error.status
    }
    guard case .node(let node) = caller.role else {
      counters.stream(refused: "not_a_node")
      logger.warning(
        "stream refused",
        metadata: ["peer": "\(peer.address)", "caller": "\(caller)", "reason": "not a node agent"])
      throw CallStatus(.permissionDenied, "discovery is for node agents")
    }
    return (node, caller)
  }
}

extension Publisher.Refusal {
  /// A constant for metrics.
  var label: String {
    switch self {
    case .notReady: "not_ready"
    case .shuttingDown: "shutting_down"
    case .tooMany: "too_many"
    case .tooFast: "too_fast"
    }
  }

  var status: CallStatus {
    switch self {
    case .notReady: CallStatus(.unavailable, "the mesh has not been read yet")
    case .shuttingDown: CallStatus(.unavailable, "shutting down")
    case .tooMany: CallStatus(.resourceExhausted, "too many streams")
    case .tooFast: CallStatus(.resourceExhausted, "too many new streams; try again later")
    }
  }
}
