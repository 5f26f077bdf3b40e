import AgentProtocol
import DNS
import Linux
import MeshModel
import Synchronization

/// A pod as one worker serves it.
final class ServedPod {
  let shared: PodNamespace
  var listeners: [ListenerHandler] = []
  /// Connections wait in the kernel until the model knows the pod, rather than be refused.
  var isListening = false
  /// Our tunnel connections from this pod.
  var pools: [TunnelKey: PooledTunnels] = [:]
  /// What it is in the present model; looked up once a generation, not for every connection.
  var workload: Workload?
  /// What our CONNECT requests and answers say of the pod, as of the present model.
  var baggage = ""
  var isRemoved = false
  /// Anything in the pod can dial the canary's address; the node agent does so seldom.
  var canaries = Allowance(ZTunnelLimit.canariesPerSecond, per: .seconds(1))
  var dnsHandlers: [DNSHandler] = []
  /// Queries that wait for the pod's own resolver, by token.
  var exchanges: [UInt64: UpstreamExchange] = [:]
  /// DNS over TCP, by token.
  var dnsStreams: [UInt64: DNSStream] = [:]
  var dnsCounters: [DNSSlot: DNSCounters] = [:]
  var dnsDecisions = DNSDecisions()

  init(_ shared: PodNamespace) { self.shared = shared }

  var uid: String { shared.pod.uid }
  var workloadUID: String { shared.pod.workloadUID }
}

/// One of a pod's listeners in this worker's poller.
final class ListenerHandler: Handler {
  let pod: ServedPod
  let listener: ListenerSocket
  /// Rests because there was no descriptor left.
  private var isResting = false

  init(_ listener: ListenerSocket, of pod: ServedPod, worker: Worker) {
    self.listener = listener
    self.pod = pod
    super.init(worker: worker)
  }

  /// EPOLLEXCLUSIVE: a connection wakes one worker, not all.
  private static let interest = Readiness([.readable, Readiness(rawValue: 1 << 28)])

  func start() throws(LinuxError) {
    try worker.watch(self, listener.socket.number, Self.interest)
  }

  /// Takes no more connections; the socket stays open for those that wait in it.
  func stop() {
    guard !isClosed else { return }
    do throws(LinuxError) {
      if !isResting { try worker.poller.remove(listener.socket.number) }
    } catch {
      // ENOENT: it was not watched.
    }
    worker.bury(self)
  }

  override func ready(_ readiness: Readiness) {
    for _ in 0..<ZTunnelLimit.acceptsPerTurn where !isClosed && !isResting {
      do throws(LinuxError) {
        guard let accepted = try listener.socket.accept() else { return }
        let peer = accepted.peer
        accept(accepted.takeSocket(), from: peer)
      } catch {
        acceptFailed(error)
      }
    }
  }

  private func acceptFailed(_ error: LinuxError) {
    if error.isInvalid {
      stop()
      worker.tellControl(.listenerBroken(listener))
    } else if error.isOutOfDescriptors {
      rest()
    } else {
      worker.failedAccepts += 1
    }
  }

  /// Out of descriptors: refuses one connection so that its client knows, then waits for others to end.
  ///
  /// It rests also when that one could not be refused: a listener left in the poller would be reported
  /// without end, because connections still wait in it.
  private func rest() {
    worker.reserve = nil
    do throws(LinuxError) {
      if let accepted = try listener.socket.accept() {
        accepted.takeSocket().closeWithReset()
        worker.failedAccepts += 1
      }
    } catch {
      // Another thread took the reserve's number first: this client waits in the kernel.
    }
    worker.takeReserve()
    do throws(LinuxError) {
      try worker.poller.remove(listener.socket.number)
      isResting = true
    } catch {
      // ENOENT: it is not watched, so nothing reports it; watched again after the rest.
      isResting = true
    }
    expire(after: ZTunnelLimit.descriptorRest)
  }

  override func expired() {
    guard isResting else { return }
    do throws(LinuxError) {
      try worker.poller.add(listener.socket.number, token: token, Self.interest)
      isResting = false
    } catch {
      expire(after: ZTunnelLimit.descriptorRest)
    }
  }

  private func accept(_ socket: consuming Socket, from peer: SocketAddress) {
    guard let lighter = worker.lighterWorker(for: listener.kind) else {
      serve(socket, from: peer)
      return
    }
    let handed = HandedSocket(socket, from: peer, on: listener)
    if lighter.mailbox.post(.accepted(handed)) {
      // Until its next batch tells better.
      lighter.sockets.add(1, ordering: .relaxed)
      if listener.kind.isTunnel { lighter.tunnels.add(1, ordering: .relaxed) }
      return
    }
    if let socket = handed.take() { serve(socket, from: peer) }
  }

  /// Takes a connection on, as what its listener is for.
  ///
  /// Accepted sockets have the listener's options: no delay, keepalive.
  func serve(_ socket: consuming Socket, from peer: SocketAddress) {
    do throws(LinuxError) {
      let local = try socket.localAddress()
      guard local != listener.bound, worker.configuration != nil else {
        // Dialled directly inside the pod, not steered here: there is nothing to forward to.
        socket.closeWithReset()
        return
      }
      switch listener.kind {
      case .outbound4, .outbound6:
        if local.port == DNS.port, worker.capturesDNS(of: pod) {
          try worker.acceptDNS(socket, from: peer, to: local, in: pod)
        } else {
          try worker.acceptOutbound(socket, from: peer, to: local, in: pod)
        }
      case .inbound4, .inbound6:
        try worker.acceptPlaintext(socket, from: peer, to: local, in: pod)
      case .hbone4, .hbone6:
        try worker.acceptTunnel(socket, from: peer, to: local, in: pod)
      }
    } catch {
      // The connection died before our first question about it.
      worker.failedAccepts += 1
    }
  }
}
