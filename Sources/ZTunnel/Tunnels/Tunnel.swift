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
    case server(ListenerHandler, local: SocketAddress)
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
  private var leftover = Buffer()

  var isReadable = false
  var isWritable = false
  var isPeerClosed = false
  var isUnflushed = false
  private var hasSettings = false
  private var pingSent: Instant?
  /// When the last stream ended, or the connection began.
  var idleSince: Instant

  var streams: [StreamID: AppSocket] = [:]
  var totalStreams: UInt64 = 0
  private var parked: [AppSocket] = []
  private var touched: [AppSocket] = []

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
    case .open, .draining:
      tick()
    }
  }
}

// MARK: Coming up

extension Tunnel {
  private func finishConnect() {
    do throws(LinuxError) {
      guard try socket?.connectResult() == .connected else { return }
    } catch {
      fail(.connect, "\(error)")
      return
    }
    guard case .client(let key) = purpose, let credentials = worker.credentials[localIdentity]
    else {
      fail(.identity, "no certificate for \(localIdentity)")
      return
    }
    do throws(TLSFailure) {
      begin(try TLSSession(client: credentials, expecting: [key.destination]))
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
  @discardableResult private func handshake() -> Bool {
    let result = tls?.handshake(from: &worker.cipher, to: &cipherOut) ?? .needsMore
    worker.flushLater(self)
    switch result {
    case .needsMore: return false
    case .failed(let failure):
      flush()
      fail(.tlsFailure, "\(failure)")
      return false
    case .done:
      peerIdentity = tls?.peerIdentity
      state = .open
      expire(after: ZTunnelLimit.settings)
      switch purpose {
      case .client(let key): worker.tunnelIsUp(self, key)
      case .server(let listener, _): listener.handshakeEnded()
      }
      return !isClosed
    }
  }
}

// MARK: Reading

extension Tunnel {
  private func read() {
    var reads = ZTunnelLimit.readsPerTurn
    while isReadable, !isClosed {
      guard reads > 0 else {
        worker.queue(self)
        return
      }
      reads -= 1
      let wanted = ZTunnelLimit.cipherReadBytes
      switch socket?.receive(into: &worker.cipher, atMost: wanted) ?? .wouldBlock {
      case .bytes(let count):
        if count < wanted, !isPeerClosed { isReadable = false }
        open()
        worker.cipher.removeAll()
      case .endOfFile:
        isReadable = false
        ended()
      case .wouldBlock:
        isReadable = false
      case .reset(let errno):
        fail(state == .handshaking ? .tlsFailure : .connect, "the peer reset (errno \(errno))")
      }
    }
  }

  private func ended() {
    let reason = tls?.transportEnded().map(String.init(describing:)) ?? "closed by the peer"
    fail(state == .handshaking ? .tlsFailure : .connect, reason)
  }

  /// Opens all records at hand; what they hold is handled batch by batch.
  private func open() {
    if state == .handshaking, !handshake() { return }
    while !isClosed {
      if !leftover.isEmpty {
        leftover.withReadable { worker.plain.append($0) }
        leftover.removeAll()
      }
      let limit = ZTunnelLimit.plainBytes
      let result =
        tls?.read(from: &worker.cipher, into: &worker.plain, atMost: limit, to: &cipherOut)
        ?? .wantsMore
      if !cipherOut.isEmpty { worker.flushLater(self) }
      switch result {
      case .bytes:
        parse()
      case .wantsMore:
        keepLeftover(from: 0)
        return
      case .closed:
        keepLeftover(from: 0)
        fail(.connect, "closed by the peer")
      case .failed(let failure):
        worker.plain.removeAll()
        flush()
        fail(.tlsFailure, "\(failure)")
      }
    }
  }

  private func parse() {
    var offset = 0
    while !isClosed {
      let step: (consumed: Int, event: Event?)
      do throws(ConnectionError) {
        step = try worker.plain.withReadable(from: offset) { bytes throws(ConnectionError) in
          try http2.receive(bytes, at: worker.now)
        }
      } catch {
        worker.plain.removeAll()
        takeControl()
        flush()
        fail(.http2Failure, "\(error)")
        return
      }
      if let event = step.event { handle(event, at: offset) }
      guard step.consumed > 0 || step.event != nil else { break }
      offset += step.consumed
    }
    for socket in touched {
      socket.deliverGathered()
      if socket.isEnding, !socket.isClosed { socket.finishWriting() }
    }
    touched.removeAll(keepingCapacity: true)
    keepLeftover(from: offset)
    if !isClosed, !http2.control.isEmpty { worker.flushLater(self) }
  }

  private func keepLeftover(from offset: Int) {
    if !isClosed, offset < worker.plain.count {
      worker.plain.withReadable(from: offset) { leftover.append($0) }
    }
    worker.plain.removeAll()
  }

  private func handle(_ event: Event, at offset: Int) {
    switch event {
    case .data(let stream, let start, let count, let isEnd):
      receive(stream, (offset + start)..<(offset + start + count), isEnd: isEnd)
    case .connectRequest(let stream, let request):
      totalStreams += 1
      worker.acceptStream(stream, request, on: self)
    case .response(let stream, let response):
      guard let setup = streams[stream]?.setup as? OutboundSetup else { return }
      setup.answered(response)
    case .reset(let stream, let code):
      streamWasReset(stream, code)
    case .windowOpened, .peerSettings:
      if case .peerSettings = event {
        hasSettings = true
        worker.streamsMayOpen(on: self)
      }
      unparkAll()
    case .goAway:
      if state == .open { state = .draining }
      closeIfDrained()
    case .pingAcknowledged:
      pingSent = nil
    }
  }

  private func receive(_ stream: StreamID, _ range: Range<Int>, isEnd: Bool) {
    guard let socket = streams[stream], !socket.isClosed else {
      // Nobody wants the bytes, but the other streams want the connection's credit back.
      if !range.isEmpty { http2.consumed(stream, count: range.count) }
      return
    }
    if let last = socket.gathered.last, last.upperBound == range.lowerBound {
      socket.gathered[socket.gathered.count - 1] = last.lowerBound..<range.upperBound
    } else if !range.isEmpty {
      socket.gathered.append(range)
    }
    if isEnd { socket.isEnding = true }
    if !socket.isTouched {
      socket.isTouched = true
      touched.append(socket)
    }
  }

  private func streamWasReset(_ stream: StreamID, _ code: ErrorCode) {
    guard let socket = streams[stream] else { return }
    forgetStream(stream)
    if let setup = socket.setup {
      setup.streamWasReset(code)
      return
    }
    socket.link = .none
    let isClean = code == .noError && !socket.hasPending && socket.gathered.isEmpty
    socket.close(withReset: !isClean, reason: isClean ? "" : "reset by the other side (\(code))")
  }
}

// MARK: Writing

extension Tunnel {
  /// Moves control frames in front of what is written next.
  func takeControl() {
    guard !http2.control.isEmpty else { return }
    http2.control.withBytes { plainOut.append($0) }
    http2.control.removeAll(keepingCapacity: false)
  }

  func flush() {
    guard tls?.isEstablished == true else {
      send()
      return
    }
    takeControl()
    repeat {
      while !plainOut.isEmpty, cipherOut.count < ZTunnelLimit.backlogBytes {
        let result = tls?.write(from: &plainOut, to: &cipherOut) ?? .failed(.closed)
        if case .failed(let failure) = result {
          plainOut.removeAll()
          fail(.tlsFailure, "\(failure)")
          return
        }
      }
      send()
    } while isWritable && !isClosed && backlogBytes > 0
    if backlogBytes < ZTunnelLimit.backlogBytes { unparkAll() }
  }

  private func send() {
    while isWritable, !cipherOut.isEmpty, !isClosed {
      switch socket?.send(from: &cipherOut) ?? .wouldBlock {
      case .sent: break
      case .wouldBlock: isWritable = false
      case .failed(let errno):
        cipherOut.removeAll()
        fail(.connect, "the peer is gone (errno \(errno))")
      }
    }
  }

  func park(_ socket: AppSocket) {
    socket.isParked = true
    parked.append(socket)
  }

  private func unparkAll() {
    guard !parked.isEmpty else { return }
    for socket in parked where socket.isParked {
      socket.isParked = false
      if !socket.isClosed { worker.queue(socket) }
    }
    parked.removeAll(keepingCapacity: true)
  }

  func endStream(_ stream: StreamID) {
    guard http2.canSend(stream) else { return }
    takeControl()
    let header = http2.writeDataHeader(stream, count: 0, endStream: true)
    plainOut.append(header)
    worker.flushLater(self)
  }

  func giveBack(_ stream: StreamID, _ count: Int) {
    http2.consumed(stream, count: count)
    if !http2.control.isEmpty { worker.flushLater(self) }
  }
}

// MARK: Streams and the end

extension Tunnel {
  /// Whether this connection may carry another stream of ours.
  var takesStreams: Bool {
    state == .open && !isClosed && !http2.isDraining
      && streams.count < ZTunnelLimit.streamsPerTunnel
  }

  func resetStream(_ stream: StreamID, _ code: ErrorCode = .cancel) {
    http2.reset(stream, code)
    forgetStream(stream)
    worker.flushLater(self)
  }

  /// The stream is over on our side.
  func forgetStream(_ stream: StreamID) {
    guard streams.removeValue(forKey: stream) != nil else { return }
    http2.closed(stream)
    if !http2.control.isEmpty { worker.flushLater(self) }
    idleSince = worker.now
    worker.streamsMayOpen(on: self)
    closeIfDrained()
  }

  /// Takes no new streams; ends with the last one.
  func startDraining() {
    guard !isClosed else { return }
    guard state == .open else {
      if state != .draining { fail(.connect, "ztunnel is draining") }
      return
    }
    state = .draining
    http2.goAway(.noError)
    worker.flushLater(self)
    closeIfDrained()
  }

  private func closeIfDrained() {
    guard state == .draining, streams.isEmpty, !isClosed else { return }
    closeGracefully()
  }

  private func closeGracefully() {
    flush()
    guard !isClosed else { return }
    tls?.closeNotify(to: &cipherOut)
    send()
    fail(.none, "")
  }

  /// Keeps the connection proven, gives memory back, and ends it after long idleness.
  private func tick() {
    guard hasSettings else {
      fail(.http2Failure, "no SETTINGS from \(peer) within \(ZTunnelLimit.settings)")
      return
    }
    if let pingSent, worker.now.since(pingSent) >= ZTunnelLimit.pingAnswer {
      fail(.connect, "no answer to a PING within \(ZTunnelLimit.pingAnswer)")
      return
    }
    if case .client = purpose, streams.isEmpty,
      worker.now.since(idleSince) >= ZTunnelLimit.tunnelIdle
    {
      closeGracefully()
      return
    }
    if pingSent == nil {
      pingSent = worker.now
      http2.ping(worker.now.nanoseconds)
      worker.flushLater(self)
    }
    plainOut.release()
    cipherOut.release()
    leftover.release()
    expire(after: ZTunnelLimit.pingInterval)
  }

  /// Ends the connection and everything on it.
  func fail(_ flag: ResponseFlag, _ reason: String) {
    guard !isClosed else { return }
    let wasHandshaking = state != .open && state != .draining
    worker.bury(self)
    worker.tunnels[id] = nil
    _ = socket.take()
    let carried = streams
    streams = [:]
    parked = []
    for socket in carried.values {
      if let setup = socket.setup {
        setup.tunnelFailed(flag, reason)
      } else {
        socket.link = .none
        socket.close(withReset: true, flag: flag, reason: "the tunnel ended: \(reason)")
      }
    }
    switch purpose {
    case .client(let key): worker.tunnelIsDown(self, key, flag, reason)
    case .server(let listener, _):
      if wasHandshaking {
        listener.handshakeEnded()
        worker.refuseHandshake(self, flag, reason)
      }
    }
  }

  var record: TunnelRecord {
    let direction: Direction =
      switch purpose {
      case .client: .outbound
      case .server: .inbound
      }
    return TunnelRecord(
      direction: direction, podUID: pod.uid, peer: peer, peerIdentity: peerIdentity,
      localIdentity: localIdentity, liveStreams: UInt32(clamping: streams.count),
      totalStreams: totalStreams, age: worker.now.since(created), state: state.rawValue)
  }
}
