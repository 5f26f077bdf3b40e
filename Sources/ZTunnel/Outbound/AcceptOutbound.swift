import AgentProtocol
import Linux
import MeshModel

extension Worker {
  /// A connection that a pod made and the kernel steered to us.
  func acceptOutbound(
    _ socket: consuming Socket, from peer: SocketAddress, to destination: SocketAddress,
    in pod: ServedPod
  ) throws(LinuxError) {
    if destination == configuration?.canary4 || destination == configuration?.canary6 {
      guard pod.canaries.take(at: now) else {
        socket.closeWithReset()
        return
      }
      let canary = Canary(socket, in: pod, worker: self)
      try canary.start()
      return
    }
    let client = AppSocket(socket, in: pod, isClient: true, worker: self)
    let setup = OutboundSetup(client, from: peer, to: destination, in: pod, worker: self)
    client.setup = setup
    try client.start()
    setup.begin()
  }

  /// Whether the address is one of the pod listeners' own.
  func isOwnListener(_ address: SocketAddress) -> Bool {
    pods.values.contains { $0.listeners.contains { $0.listener.bound == address } }
  }
}

/// A connection the node agent makes from inside a pod, to see that capture brings it here.
///
/// It sends eight bytes and gets the same eight back.
final class Canary: Handler {
  private var socket: Socket?
  let pod: ServedPod
  private var bytes = Buffer(capacity: ZTunnelLimit.canaryBytes)

  init(_ socket: consuming Socket, in pod: ServedPod, worker: Worker) {
    self.socket = consume socket
    self.pod = pod
    super.init(worker: worker)
  }

  func start() throws(LinuxError) {
    guard let number = socket?.number else { return }
    try worker.watch(self, number, [.readable, .peerClosed])
    expire(after: ZTunnelLimit.canary)
  }

  override func ready(_ readiness: Readiness) {
    let missing = ZTunnelLimit.canaryBytes - bytes.count
    switch socket?.receive(into: &bytes, atMost: missing) ?? .endOfFile {
    case .bytes: if bytes.count == ZTunnelLimit.canaryBytes { answer() }
    case .wouldBlock: return
    case .endOfFile, .reset: close()
    }
  }

  override func expired() { close() }

  private func answer() {
    let nonce = bytes.withReadable { bytes in
      var nonce: UInt64 = 0
      for index in bytes.indices { nonce = nonce << 8 | UInt64(bytes[index]) }
      return nonce
    }
    // Eight bytes always fit an empty socket; a canary that is gone needs no answer.
    _ = socket?.send(from: &bytes)
    socket?.shutdownWrite()
    worker.report(.canaryArrived(uid: pod.uid, nonce: nonce))
    close()
  }

  func close() {
    worker.bury(self)
    _ = socket.take()
  }
}
