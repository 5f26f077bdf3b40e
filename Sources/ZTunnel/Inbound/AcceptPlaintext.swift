import AgentProtocol
import Linux
import MeshModel

extension Worker {
  /// A connection to a pod from outside the mesh, or from a pod that is not enrolled.
  func acceptPlaintext(
    _ socket: consuming Socket, from peer: SocketAddress, to destination: SocketAddress,
    in pod: ServedPod
  ) throws(LinuxError) {
    let client = AppSocket(socket, in: pod, isClient: true, worker: self)
    let facts = ConnectionFacts(
      source: nil, sourceIP: peer.ip, destinationIP: destination.ip,
      destinationPort: destination.port)
    guard !AgentPort.contains(destination.port), drain == nil else {
      client.close(withReset: true)
      return
    }
    if case .deny(let denial) = verdict(facts, for: pod) {
      refusedInbound(id: randomNumber(), .policy(denial), facts, source: peer, in: pod)
      client.close(withReset: true)
      return
    }
    let setup = PlaintextSetup(
      client, from: peer, to: destination, facts: facts, in: pod, worker: self)
    client.setup = setup
    try client.start()
    setup.begin()
  }

  /// Begins to connect to an application, inside its pod's namespace, keeping the client's address.
  ///
  /// The mark brings the answers back through lo, to us. A pod that calls itself keeps nothing: the
  /// kernel would take such a packet for its own. Nor does a dial of loopback, which hears of the
  /// client by other means.
  func dialApplication(
    in pod: ServedPod, from client: IPAddress, to target: SocketAddress
  ) throws(LinuxError) -> Socket {
    let socket: Socket
    if let configuration, client != target.ip, client.isIPv4 == target.ip.isIPv4,
      !target.ip.isLoopback
    {
      socket = try dial(
        target, in: pod.shared.namespace,
        as: PreservedSource(
          client: client, mark: configuration.mark, ports: configuration.reservedPorts))
    } else {
      socket = try Socket.stream(for: target.ip, in: pod.shared.namespace)
      _ = try socket.connect(to: target)
    }
    // Its far end is in this kernel: no keepalive is needed to see it go.
    try socket.setNoDelay()
    return socket
  }

  /// Looks for a free port from a random one on, until every reserved port was tried.
  ///
  /// Random, so that long-lived connections leave no run of taken ports behind.
  private func dial(
    _ target: SocketAddress, in namespace: borrowing NetworkNamespace, as source: PreservedSource
  ) throws(LinuxError) -> Socket {
    let start = randomNumber()
    var tried = 0
    while true {
      do throws(LinuxError) {
        return try Socket.connect(
          to: target, as: source, turn: start &+ UInt64(tried), in: namespace)
      } catch {
        tried += Socket.Limit.portsPerConnect
        guard error.isAddressTaken, tried < source.ports.count else { throw error }
      }
    }
  }
}

/// A plain connection on its way to the application.
final class PlaintextSetup: Setup {
  let worker: Worker
  private let client: AppSocket
  private let source: SocketAddress
  private let target: SocketAddress
  private let facts: ConnectionFacts
  private let pod: ServedPod
  private var application: AppSocket?

  init(
    _ client: AppSocket, from source: SocketAddress, to target: SocketAddress,
    facts: ConnectionFacts, in pod: ServedPod, worker: Worker
  ) {
    self.client = client
    self.source = source
    self.target = target
    self.facts = facts
    self.pod = pod
    self.worker = worker
  }

  func begin() {
    do throws(LinuxError) {
      let socket = try worker.dialApplication(in: pod, from: source.ip, to: target)
      let application = AppSocket(socket, in: pod, isClient: false, worker: worker)
      application.setup = self
      self.application = application
      try application.start()
      client.expire(after: ZTunnelLimit.applicationConnect)
    } catch {
      fail("\(error)")
    }
  }

  override func socketReady(_ socket: AppSocket, _ readiness: Readiness) {
    if socket === client {
      if readiness.contains(.error) { leave() }
      return
    }
    do throws(LinuxError) {
      guard try socket.socket?.connectResult(readiness) == .connected else { return }
    } catch {
      fail("\(error)")
      return
    }
    // The policy may have changed while the application took its time to answer.
    if case .deny(let denial) = worker.verdict(facts, for: pod) {
      worker.refusedInbound(
        id: worker.randomNumber(), .policy(denial), facts, source: source, in: pod)
      leave()
      return
    }
    client.deadline = nil
    client.setup = nil
    socket.setup = nil
    client.link = .socket(socket)
    socket.link = .socket(client)
    worker.openedInbound(client, facts, source: source, target, .plaintext, in: pod)
    worker.queue(client)
    worker.queue(socket)
  }

  override func cancel() { leave() }

  override func expired() {
    fail("no answer to TCP connect within \(ZTunnelLimit.applicationConnect)")
  }

  private func fail(_ reason: String) {
    worker.failedInbound(facts, source: source, target, .plaintext, reason, in: pod)
    leave()
  }

  private func leave() {
    application?.setup = nil
    application?.close(withReset: true)
    client.setup = nil
    client.close(withReset: true)
  }
}
