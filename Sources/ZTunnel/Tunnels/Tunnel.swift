import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS

/// One mTLS connection with HTTP/2 on it, and the streams it carries; ours or a peer's.
///
///     application -> plainOut -> TLS -> cipherOut -> socket
///     application <- worker.plain <- TLS <- worker.cipher <- socket
///
/// Parts of frames wait in `leftover`; everything else of the inbound path is the worker's.
final class Tunnel: Handler {
  enum Purpose {
    case client(TunnelKey)
    /// Address the peer dialled: the pod's own, on port 15008.
    case server(local: SocketAddress)
  }

  enum State: String {
    case waitingForIdentity = "waiting for a certificate"
    case connecting
    case handshaking
    case open
    case draining
  }

  let id: UInt64
  let pod: ServedPod
  let purpose: Purpose
  let peer: SocketAddress
  let localIdentity: SPIFFEID
  let created: Instant
  var state: State
  var socket: Socket?
  var tls: TLSSession?
  var http2: HTTP2Connection
  var peerIdentity: SPIFFEID?

  var plainOut = Buffer()
  var cipherOut = Buffer()
  var leftover = Buffer()

  var isReadable = false
  var isWritable = false
  var isPeerClosed = false
  var isUnflushed = false
  var hasSettings = false
  var pingSent: Instant?
  /// When the last stream ended, or the connection began.
  var idleSince: Instant

  var streams: [StreamID: AppSocket] = [:]
  var totalStreams: UInt64 = 0
  var parked: [AppSocket] = []
  var touched: [AppSocket] = []

  init(
    id: UInt64, pod: ServedPod, purpose: Purpose, peer: SocketAddress, localIdentity: SPIFFEID,
    socket: consuming Socket, state: State, worker: Worker
  ) {
    self.id = id
    self.pod = pod
    self.purpose = purpose
    self.peer = peer
    self.localIdentity = localIdentity
    self.state = state
    self.socket = consume socket
    created = worker.now
    idleSince = worker.now
    let role: Role =
      switch purpose {
      case .client: .client
      case .server: .server
      }
    http2 = HTTP2Connection(role: role, at: worker.now)
    super.init(worker: worker)
    worker.tunnels[id] = self
  }

  /// Bytes that wait for the socket, sealed or not.
  var backlogBytes: Int { plainOut.count + cipherOut.count }

  func start() throws(LinuxError) {
    guard let number = socket?.number else { return }
    try worker.watch(self, number, [.readable, .writable, .peerClosed, .edgeTriggered])
  }

  override func ready(_ readiness: Readiness) {
    if readiness.contains(.writable) { isWritable = true }
    if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { isPeerClosed = true }
    if !readiness.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { isReadable = true }
    switch state {
    case .waitingForIdentity: return
    case .connecting: finishConnect()
    case .handshaking, .open, .draining:
      if isWritable, backlogBytes > 0 { worker.flushLater(self) }
      if isReadable, !isQueued { read() }
    }
  }

  override func turn() { read() }

  override func expired() {
    switch state {
    case .waitingForIdentity:
      fail(.identity, "no certificate for \(localIdentity) within \(ZTunnelLimit.identityWait)")
    case .connecting:
      fail(
        .networkPolicy,
        "no answer to TCP connect to \(peer) within \(ZTunnelLimit.tcpConnect): "
          + "a network policy or firewall may block port \(AgentPort.hbone)")
    case .handshaking:
      fail(.tlsFailure, "TLS handshake with \(peer) not done within \(ZTunnelLimit.tlsHandshake)")
    case .open: tick()
    case .draining:
      nameLastStream()
      if !isClosed { tick() }
    }
  }
}

// MARK: Coming up

extension Tunnel {
  private func finishConnect() {
    do throws(LinuxError) {
      guard try socket?.connectResult() == .connected else { return }
    } catch {
      fail(.connect, "\(error)", isRefusal: error.isRefused)
      return
    }
    guard case .client(let key) = purpose else { return }
    beginClient(key)
  }

  /// Proves ourselves and asks the far end to prove one of the identities it may have.
  func beginClient(_ key: TunnelKey) {
    guard let credentials = worker.credentials[localIdentity] else {
      fail(.identity, "no certificate for \(localIdentity)")
      return
    }
    do throws(TLSFailure) {
      begin(try TLSSession(client: credentials, expecting: key.expected, trust: worker.trust))
    } catch {
      fail(.tlsFailure, "\(error)")
    }
  }

  /// Goes on with the handshake; a client speaks first.
  func begin(_ session: consuming TLSSession) {
    tls = consume session
    state = .handshaking
    expire(after: ZTunnelLimit.tlsHandshake)
    handshake()
    if !isClosed, isReadable { read() }
  }

  /// False when there is nothing further to read now.
  @discardableResult func handshake() -> Bool {
    let result = tls?.handshake(from: &worker.cipher, to: &cipherOut) ?? .needsMore
    worker.flushLater(self)
    switch result {
    case .needsMore: return false
    case .failed(let failure):
      flush()
      fail(flag(of: failure), "\(failure)")
      return false
    case .done:
      peerIdentity = tls?.peerIdentity
      if let failure = objection() {
        // The trust or the roots changed during the handshake.
        fail(flag(of: failure), "\(failure)")
        return false
      }
      state = .open
      expire(after: ZTunnelLimit.settings)
      switch purpose {
      case .client(let key): worker.tunnelIsUp(self, key)
      case .server: worker.handshakeEnded(self)
      }
      return !isClosed
    }
  }
}
