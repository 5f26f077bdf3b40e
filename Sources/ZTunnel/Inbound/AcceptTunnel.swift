import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS

extension Worker {
  /// A peer's tunnel connection to one of our pods.
  func acceptTunnel(
    _ socket: consuming Socket, from peer: SocketAddress, to local: SocketAddress,
    in pod: ServedPod
  ) throws(LinuxError) {
    guard let identity = mesh.workload(uid: pod.workloadUID)?.identity else {
      socket.closeWithReset()
      return
    }
    let tunnel = Tunnel(
      id: takeIdentifier(), pod: pod, purpose: .server(local: local), peer: peer,
      localIdentity: identity, socket: socket, state: .waitingForIdentity, worker: self)
    do throws(LinuxError) {
      try tunnel.start()
    } catch {
      tunnel.abandon()
      throw error
    }
    handshakeBegan(tunnel)
    if !beginServing(tunnel) {
      waitingTunnels.append(tunnel)
      tunnel.expire(after: ZTunnelLimit.identityWait)
    }
  }

  /// Counts a handshake; when there are too many, the oldest gives way.
  ///
  /// An honest peer's is over within a few turns of the loop, so only those that dawdle grow old:
  /// a flood of them never keeps an honest peer out.
  private func handshakeBegan(_ tunnel: Tunnel) {
    if handshakes.count >= ZTunnelLimit.handshakesPerWorker, let oldest = handshakes.first {
      oldest.fail(.tlsFailure, "TLS handshake not done when \(handshakes.count) newer ones came")
    }
    handshakes.append(tunnel)
  }

  func handshakeEnded(_ tunnel: Tunnel) { handshakes.removeAll { $0 === tunnel } }

  /// Starts the handshake when there is a certificate to show; false when it has to wait.
  func beginServing(_ tunnel: Tunnel) -> Bool {
    guard !tunnel.isClosed else { return true }
    guard let credentials = usableCredentials(of: tunnel.localIdentity) else { return false }
    do throws(TLSFailure) {
      tunnel.begin(try TLSSession(server: credentials))
    } catch {
      tunnel.fail(.tlsFailure, "\(error)")
    }
    return true
  }

  /// A CONNECT that is for this pod and may pass goes on to its application.
  func acceptStream(_ stream: StreamID, _ request: ConnectRequest, on tunnel: Tunnel) {
    guard case .server(let local) = tunnel.purpose else { return }
    guard request.fault == nil, let target = Self.target(of: request, local: local) else {
      tunnel.refuseStream(stream, status: 400)
      return
    }
    guard !AgentPort.contains(target.port) else {
      tunnel.refuseStream(stream, status: 503)
      return
    }
    let facts = ConnectionFacts(
      source: tunnel.peerIdentity, sourceIP: tunnel.peer.ip, destinationIP: target.ip,
      destinationPort: target.port)
    if case .deny(let denial) = verdict(facts, for: tunnel.pod) {
      tunnel.refuseStream(stream, status: 401, [refusal(denial, facts, on: tunnel)])
      return
    }
    let setup = InboundSetup(
      on: tunnel, stream, to: target, facts: facts, isEnd: request.isEnd, worker: self)
    setup.begin()
  }

  /// Records a refusal, and gives what tells the other side of it.
  func refusal(
    _ denial: Verdict.Denial, _ facts: ConnectionFacts, on tunnel: Tunnel
  ) -> HeaderField {
    let id = randomNumber()
    refusedInbound(id: id, .policy(denial), facts, source: tunnel.peer, in: tunnel.pod)
    return RefusalHeader(id: id, reason: "\(denial)").field
  }

  /// The pod's own address and a port of the application, or nil.
  static func target(of request: ConnectRequest, local: SocketAddress) -> SocketAddress? {
    let authority: ConnectAuthority
    do throws(ConnectAuthority.ParseError) {
      authority = try ConnectAuthority(parsing: request.authority)
    } catch {
      return nil
    }
    guard let target = authority.socketAddress, target.ip == local.ip, target.port > 0 else {
      return nil
    }
    return target
  }
}

extension Tunnel {
  func refuseStream(_ stream: StreamID, status: UInt16, _ headers: [HeaderField] = []) {
    http2.respond(stream, status: status, headers: headers, endStream: true)
    http2.closed(stream)
    worker.flushLater(self)
  }
}

/// One stream of a peer on its way to the application.
final class InboundSetup: Setup {
  let worker: Worker
  private let tunnel: Tunnel
  private let stream: StreamID
  private let target: SocketAddress
  private let facts: ConnectionFacts
  private let isEnd: Bool
  private var application: AppSocket?

  init(
    on tunnel: Tunnel, _ stream: StreamID, to target: SocketAddress, facts: ConnectionFacts,
    isEnd: Bool, worker: Worker
  ) {
    self.tunnel = tunnel
    self.stream = stream
    self.target = target
    self.facts = facts
    self.isEnd = isEnd
    self.worker = worker
  }

  func begin() {
    do throws(LinuxError) {
      let socket = try worker.dialApplication(
        in: tunnel.pod, from: tunnel.peer.ip, to: target)
      let application = AppSocket(socket, in: tunnel.pod, isClient: false, worker: worker)
      application.setup = self
      application.isEnding = isEnd
      self.application = application
      tunnel.streams[stream] = application
      try application.start()
      application.expire(after: ZTunnelLimit.applicationConnect)
    } catch {
      fail("\(error)")
    }
  }

  override func socketReady(_ socket: AppSocket, _ readiness: Readiness) {
    do throws(LinuxError) {
      guard try socket.socket?.connectResult(readiness) == .connected else { return }
    } catch {
      fail("\(error)")
      return
    }
    // The policy may have changed while the application took its time to answer.
    if case .deny(let denial) = worker.verdict(facts, for: tunnel.pod) {
      end(status: 401, [worker.refusal(denial, facts, on: tunnel)])
      return
    }
    application = nil
    socket.deadline = nil
    socket.setup = nil
    socket.link = .stream(tunnel, stream)
    worker.openedInbound(socket, facts, source: tunnel.peer, target, .hbone, in: tunnel.pod)
    tunnel.http2.respond(
      stream, status: 200, headers: [ConnectHeaders.described(by: tunnel.pod.baggage)],
      endStream: false)
    worker.flushLater(tunnel)
    socket.drainPending()
    if !socket.isClosed { worker.queue(socket) }
  }

  override func expired() {
    fail("no answer to TCP connect within \(ZTunnelLimit.applicationConnect)")
  }

  override func cancel() {
    leave()
    tunnel.resetStream(stream)
  }

  override func streamWasReset(_ code: ErrorCode) { leave() }

  override func tunnelFailed(_ failure: TunnelFailure) { leave() }

  private func fail(_ reason: String) {
    worker.failedInbound(facts, source: tunnel.peer, target, .hbone, reason, in: tunnel.pod)
    end(status: 503, [])
  }

  private func end(status: UInt16, _ headers: [HeaderField]) {
    leave()
    tunnel.http2.respond(stream, status: status, headers: headers, endStream: true)
    if tunnel.streams[stream] != nil {
      tunnel.forgetStream(stream)
    } else {
      tunnel.http2.closed(stream)
    }
    worker.flushLater(tunnel)
  }

  private func leave() {
    guard let application else { return }
    self.application = nil
    application.setup = nil
    application.close(withReset: true)
  }
}
