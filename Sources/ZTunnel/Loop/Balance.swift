import Linux
import MeshModel
import Synchronization

/// A worker as the others see it.
final class WorkerPeer: Sendable {
  let mailbox: Mailbox<WorkerCommand>
  /// Sockets it serves, as of its last batch of events; a hint, so relaxed.
  let sockets = Atomic<Int>(0)

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

extension Worker {
  /// The worker that should serve a new connection instead of this one, nil when it may stay.
  ///
  /// The kernel wakes the same idle worker again and again; without this one would carry all.
  func lighterWorker() -> WorkerPeer? {
    let own = socketCount
    var lightest: WorkerPeer?
    var least = own - ZTunnelLimit.imbalance
    for peer in peers {
      let count = peer.sockets.load(ordering: .relaxed)
      if count < least { (lightest, least) = (peer, count) }
    }
    return lightest
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
