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
    guard let identity = pod.workload?.identity else {
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
      tunnel.begin(try TLSSession(server: credentials, trust: trust))
    } catch {
      tunnel.fail(.tlsFailure, "\(error)")
    }
    return true
  }

  /// A CONNECT that is for this pod and may pass goes on to its application.
  func acceptStream(_ stream: StreamID, _ request: ConnectRequest, on tunnel: Tunnel) {
    guard case .server(let local) = tunnel.purpose else { return }
    guard request.fault == nil, let authority = Hop.Authority(of: request) else {
      tunnel.refuseStream(stream, status: 400)
      return
    }
    let workload = tunnel.pod.workload
    let plan =
      workload.map { mesh.inboundPlan(for: $0, at: local.ip, authority: authority) }
      ?? .refuse(.unknownWorkload)
    var facts = ConnectionFacts(
      source: tunnel.peerIdentity, sourceIP: tunnel.peer.ip, destinationIP: local.ip,
      destinationPort: authority.port)
    let isForeign = ConnectHeaders.isFromOtherNetwork(
      request.headers, own: workload?.network ?? "")
    // A peer that dials the pod knows its address; all else it may be fishing for.
    let isOwn = authority.ip == local.ip
    switch plan {
    case .refuse(let refusal):
      if !isOwn, let workload, let denial = mesh.denial(of: facts, atAnyPortOf: workload) {
        tunnel.refuseStream(
          stream, status: 401, [self.refusal(denial, facts, on: tunnel, isTold: false)])
        return
      }
      let id = randomNumber()
      refusedInbound(
        id: id, .failure(flag: .connect, reason: "\(refusal)"), facts, source: tunnel.peer,
        in: tunnel.pod)
      tunnel.refuseStream(
        stream, status: refusal.status, [RefusalHeader(id: id, reason: "\(refusal)").field])
    case .accept(let target):
      facts.destinationPort = target.address.port
      if case .deny(let denial) = verdict(facts, for: tunnel.pod) {
        tunnel.refuseStream(
          stream, status: 401, [self.refusal(denial, facts, on: tunnel, isTold: isOwn)])
        return
      }
      let setup = InboundSetup(
        on: tunnel, stream, to: target, facts: facts, isForeign: isForeign, isOwn: isOwn,
        isEnd: request.isEnd, worker: self)
      setup.begin()
    }
  }

  /// Records a refusal, and gives what tells the other side of it.
  ///
  /// - isTold: whether the other side hears why; the record here has it in any case.
  func refusal(
    _ denial: Verdict.Denial, _ facts: ConnectionFacts, on tunnel: Tunnel, isTold: Bool
  ) -> HeaderField {
    let id = randomNumber()
    refusedInbound(id: id, .policy(denial), facts, source: tunnel.peer, in: tunnel.pod)
    return RefusalHeader(id: id, reason: isTold ? "\(denial)" : RefusalHeader.untold).field
  }
}

extension Hop.Authority {
  /// What a CONNECT asks for; nil when that cannot be read.
  init?(of request: ConnectRequest) {
    do throws(ConnectAuthority.ParseError) {
      let authority = try ConnectAuthority(parsing: request.authority)
      guard authority.port > 0 else { return nil }
      switch authority.host {
      case .address(let ip): self = .address(SocketAddress(ip: ip, port: authority.port))
      case .name(let name): self = .host(name, port: authority.port)
      }
    } catch {
      return nil
    }
  }

  var port: UInt16 {
    switch self {
    case .address(let address): address.port
    case .host(_, let port): port
    }
  }

  /// Nil for a name.
  var ip: IPAddress? {
    switch self {
    case .address(let address): address.ip
    case .host: nil
    }
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
  private let target: InboundTarget
  private let facts: ConnectionFacts
  /// The peer's address means another workload here, if any.
  private let isForeign: Bool
  /// The peer asked for the pod's own address.
  private let isOwn: Bool
  private let isEnd: Bool
  private var application: AppSocket?

  init(
    on tunnel: Tunnel, _ stream: StreamID, to target: InboundTarget, facts: ConnectionFacts,
    isForeign: Bool, isOwn: Bool, isEnd: Bool, worker: Worker
  ) {
    self.tunnel = tunnel
    self.stream = stream
    self.target = target
    self.facts = facts
    self.isForeign = isForeign
    self.isOwn = isOwn
    self.isEnd = isEnd
    self.worker = worker
  }

  func begin() {
    do throws(LinuxError) {
      let socket = try worker.dialApplication(
        in: tunnel.pod, from: tunnel.peer.ip, to: target.dialled)
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
      end(status: 401, [worker.refusal(denial, facts, on: tunnel, isTold: isOwn)])
      return
    }
    guard sendHeader(to: socket) else {
      fail("the application took no PROXY header")
      return
    }
    application = nil
    socket.deadline = nil
    socket.setup = nil
    socket.link = .stream(tunnel, stream)
    worker.openedInbound(
      socket, facts, source: tunnel.peer, target.address, .hbone, in: tunnel.pod,
      service: target.service, isForeign: isForeign)
    tunnel.http2.respond(
      stream, status: 200, headers: [ConnectHeaders.described(by: tunnel.pod.baggage)],
      endStream: false)
    worker.flushLater(tunnel)
    socket.drainPending()
    if !socket.isClosed { worker.queue(socket) }
  }

  /// Tells an application tunnel who connects, and to what; true when there is nothing to tell.
  ///
  /// A socket that has just connected takes so few bytes at once.
  private func sendHeader(to socket: AppSocket) -> Bool {
    guard let proxied = target.proxied else { return true }
    var bytes = Buffer()
    bytes.append(
      contentsOf: ProxyHeader(
        source: tunnel.peer, destination: proxied, identity: tunnel.peerIdentity
      ).bytes)
    let outcome = socket.socket?.send(from: &bytes) ?? .wouldBlock
    if case .sent = outcome { return bytes.isEmpty }
    return false
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
    worker.failedInbound(
      facts, source: tunnel.peer, target.address, .hbone, reason, in: tunnel.pod,
      isForeign: isForeign)
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
