import AgentProtocol
import Linux
import MeshModel
import Synchronization

/// A worker as the others see it.
final class WorkerPeer: Sendable {
  let mailbox: Mailbox<WorkerCommand>
  /// Sockets it serves, as of its last batch of events; a hint, so relaxed.
  let sockets = Atomic<Int>(0)
  /// Tunnel connections among them: each carries the streams of many.
  let tunnels = Atomic<Int>(0)

  init(_ mailbox: Mailbox<WorkerCommand>) { self.mailbox = mailbox }
}

/// A connection on its way from the worker that accepted it to the one that will serve it.
final class HandedSocket: Sendable {
  let listener: ListenerSocket
  let peer: SocketAddress
  private let socket: Mutex<Socket?>

  init(_ socket: consuming Socket, from peer: SocketAddress, on listener: ListenerSocket) {
    self.socket = Mutex(consume socket)
    self.peer = peer
    self.listener = listener
  }

  /// The socket, for the first who asks.
  func take() -> Socket? { socket.withLock { $0.take() } }
}

/// Which of several has room.
enum Balance {
  /// The candidate with the least weight, the first of equals, when that is below `limit`.
  static func lightest<Candidate>(
    _ candidates: [Candidate], by weight: (Candidate) -> Int, than limit: Int
  ) -> Candidate? {
    var lightest: Candidate?
    var least = limit
    for candidate in candidates {
      let weight = weight(candidate)
      if weight < least { (lightest, least) = (candidate, weight) }
    }
    return lightest
  }
}

extension Worker {
  /// The worker that should serve a new connection instead of this one, nil when it may stay.
  ///
  /// The kernel wakes the same idle worker again and again; without this one would carry all. Two
  /// tunnel connections on one worker while another has none would be half a processor's work.
  func lighterWorker(for kind: ListenerKind) -> WorkerPeer? {
    let own = peers[number]
    guard !kind.isTunnel else {
      return Balance.lightest(
        peers, by: { $0 === own ? .max : $0.tunnels.load(ordering: .relaxed) },
        than: tunnels.count)
    }
    return Balance.lightest(
      peers, by: { $0 === own ? .max : $0.sockets.load(ordering: .relaxed) },
      than: socketCount - ZTunnelLimit.imbalance)
  }

  /// A connection that another worker accepted.
  func take(_ handed: HandedSocket) {
    guard let socket = handed.take(),
      let listener = pods[handed.listener.podUID]?.listeners.first(where: {
        $0.listener === handed.listener
      })
    else { return }
    listener.serve(socket, from: handed.peer)
  }
}

extension ListenerKind {
  /// Whether peers' tunnel connections arrive there.
  var isTunnel: Bool {
    switch self {
    case .hbone4, .hbone6: true
    case .outbound4, .outbound6, .inbound4, .inbound6: false
    }
  }
}
