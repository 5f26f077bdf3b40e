import DNS
import Linux
import MeshModel

/// DNS over TCP: a connection of an application to port 53, looked into message by message.
///
/// What the mesh knows is answered here. The rest goes on over one connection to where the
/// application dialled, which is like any other of the pod: routed, encrypted and judged. What turns
/// out not to be DNS goes there whole. Source: RFC 1035, section 4.2.2; RFC 7766.
///
///     count 16 | message
final class DNSStream: Handler {
  /// Bytes of one direction of one socket.
  fileprivate struct End: ~Copyable {
    var socket: Socket?
    var received = Buffer()
    var pending = Buffer()
    var isReadable = true
    var isWritable = true
    /// It will send no more, and we have read it all.
    var hasEnded = false
    var isShut = false
  }

  let pod: ServedPod
  private let source: SocketAddress
  private let resolver: SocketAddress
  private var client = End()
  private var upstream = End()
  private var upstreamHandler: UpstreamEnd?
  /// Not DNS: bytes go both ways as they are.
  private var isOpaque = false
  private var hasSpoken = false

  init(
    _ socket: consuming Socket, from source: SocketAddress, to resolver: SocketAddress,
    in pod: ServedPod, worker: Worker
  ) {
    self.pod = pod
    self.source = source
    self.resolver = resolver
    client.socket = consume socket
    super.init(worker: worker)
  }

  func start() throws(LinuxError) {
    guard let number = client.socket?.number else { return }
    try worker.watch(self, number, [.readable, .writable, .peerClosed, .edgeTriggered])
    pod.dnsStreams[token] = self
    expire(after: DNSLimit.firstMessage)
  }

  override func ready(_ readiness: Readiness) {
    if readiness.contains(.error) {
      abort()
      return
    }
    client.note(readiness)
    pump()
  }

  override func turn() { pump() }

  override func expired() {
    if hasSpoken {
      close()
    } else {
      // A protocol in which the server speaks first, or a client that only waits.
      becomeOpaque()
      pump()
    }
  }

  fileprivate func upstreamReady(_ readiness: Readiness) {
    upstream.note(readiness)
    pump()
  }

  func close() {
    guard !isClosed else { return }
    pod.dnsStreams[token] = nil
    worker.bury(self)
    client.socket = nil
    closeUpstream()
  }

  private func abort() {
    guard !isClosed else { return }
    client.reset()
    close()
  }

  private func closeUpstream() {
    if let upstreamHandler { worker.bury(upstreamHandler) }
    upstreamHandler = nil
    upstream.socket = nil
  }
}

// MARK: Moving bytes

extension DNSStream {
  /// Moves whatever can be moved, up to a turn's share.
  private func pump() {
    for _ in 0..<ZTunnelLimit.readsPerTurn {
      guard !isClosed else { return }
      guard client.flush(), upstream.flush() else {
        abort()
        return
      }
      let isMoving = readClient() || readUpstream()
      guard !isClosed else { return }
      if !isMoving {
        finishIfDone()
        return
      }
      // What is not DNS may rest for as long as any connection; the far end has its own limits.
      if !isOpaque { expire(after: DNSLimit.streamIdle) }
    }
    worker.queue(self)
  }

  private func readClient() -> Bool {
    guard client.pending.count < DNSLimit.streamBacklogBytes,
      upstream.pending.count < DNSLimit.streamBacklogBytes
    else { return false }
    // What a full backlog left behind comes first.
    if client.wholeBytes(isOpaque: isOpaque) != nil {
      takeFromClient()
      return true
    }
    switch client.read() {
    case .bytes:
      hasSpoken = true
      takeFromClient()
      return true
    case .endOfFile: return true
    case .wouldBlock: return false
    case .reset:
      abort()
      return false
    }
  }

  private func readUpstream() -> Bool {
    guard upstream.socket != nil, client.pending.count < DNSLimit.streamBacklogBytes else {
      return false
    }
    switch upstream.read() {
    case .bytes:
      while let count = upstream.wholeBytes(isOpaque: isOpaque) {
        upstream.moveReceived(count, to: &client)
      }
      return true
    case .endOfFile: return true
    case .wouldBlock: return false
    case .reset:
      abort()
      return false
    }
  }

  /// Message by message, until something shows that it is none.
  private func takeFromClient() {
    if !isOpaque, client.beginsUnlikeQuery { becomeOpaque() }
    while !isClosed, client.pending.count < DNSLimit.streamBacklogBytes,
      upstream.pending.count < DNSLimit.streamBacklogBytes,
      let count = client.wholeBytes(isOpaque: isOpaque)
    {
      if isOpaque || !answer(count) {
        guard openUpstream() else { return }
        client.moveReceived(count, to: &upstream)
      } else {
        client.received.consume(count)
      }
      if !isOpaque, client.beginsUnlikeQuery { becomeOpaque() }
    }
  }

  /// Answers the message at the front, its prefix included; false when the mesh has nothing to say.
  private func answer(_ count: Int) -> Bool {
    do throws(MessageError) {
      let query = try client.query(count)
      let counters = pod.counters(query.type, isStream: true, worker: worker)
      counters.asked()
      guard case .answer(let answer) = worker.decide(query, limit: Limit.messageBytes, in: pod)
      else {
        counters.askedUpstream()
        return false
      }
      query.write(answer, limit: Limit.messageBytes, into: &worker.dns.answer)
    } catch {
      return false
    }
    let total = worker.dns.answer.count
    client.pending.append(UInt8(truncatingIfNeeded: total >> 8))
    client.pending.append(UInt8(truncatingIfNeeded: total))
    client.pending.append(contentsOf: worker.dns.answer)
    return true
  }

  private func becomeOpaque() {
    isOpaque = true
    hasSpoken = true
    guard openUpstream() else { return }
    deadline = nil
  }

  private func finishIfDone() {
    if client.hasEnded, client.wholeBytes(isOpaque: isOpaque) == nil,
      client.received.isEmpty || !isOpaque
    {
      if upstream.socket == nil {
        if client.pending.isEmpty { close() }
        return
      }
      upstream.shutWhenFlushed()
    }
    if upstream.socket != nil, upstream.hasEnded, client.pending.isEmpty { close() }
  }
}

// MARK: Onwards

extension DNSStream {
  /// The connection to where the application dialled, as if the application had made it.
  ///
  /// Its other end is an application connection like any other; a pair of sockets joins them.
  private func openUpstream() -> Bool {
    guard upstream.socket == nil else { return true }
    do throws(LinuxError) {
      let pair = try UnixSocket.pair()
      try pair.separate { ours, theirs throws(LinuxError) in
        let handler = UpstreamEnd(self, worker: worker)
        try worker.watch(
          handler, ours.number, [.readable, .writable, .peerClosed, .edgeTriggered])
        upstreamHandler = handler
        upstream.socket = consume ours
        let end = AppSocket(consume theirs, in: pod, isClient: true, worker: worker)
        let setup = OutboundSetup(end, from: source, to: resolver, in: pod, worker: worker)
        end.setup = setup
        try end.start()
        setup.begin()
      }
    } catch {
      abort()
    }
    return !isClosed
  }
}

/// Our end of the connection onwards, in the poller.
private final class UpstreamEnd: Handler {
  private unowned let stream: DNSStream

  init(_ stream: DNSStream, worker: Worker) {
    self.stream = stream
    super.init(worker: worker)
  }

  override func ready(_ readiness: Readiness) { stream.upstreamReady(readiness) }
}

// MARK: One end

extension DNSStream.End {
  fileprivate mutating func note(_ readiness: Readiness) {
    if readiness.contains(.writable) { isWritable = true }
    if !readiness.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { isReadable = true }
  }

  fileprivate mutating func read() -> ReceiveOutcome {
    guard isReadable, !hasEnded, let socket = socket.take() else { return .wouldBlock }
    let outcome = socket.receive(into: &received, atMost: DNSLimit.streamReadBytes)
    self.socket = consume socket
    switch outcome {
    case .bytes: break
    case .endOfFile: hasEnded = true
    case .wouldBlock, .reset: isReadable = false
    }
    return outcome
  }

  /// Hands pending bytes to the kernel; false when the connection is gone.
  fileprivate mutating func flush() -> Bool {
    while isWritable, !pending.isEmpty, let socket = socket.take() {
      let outcome = socket.send(from: &pending)
      self.socket = consume socket
      switch outcome {
      case .sent: continue
      case .wouldBlock: isWritable = false
      case .failed: return false
      }
    }
    if pending.isEmpty { pending.release() }
    return true
  }

  /// How many bytes make one whole message with its prefix, or all there are; nil: none yet.
  fileprivate func wholeBytes(isOpaque: Bool) -> Int? {
    if isOpaque { return received.isEmpty ? nil : received.count }
    guard received.count >= 2 else { return nil }
    let count = 2 + (Int(received.readable[0]) << 8 | Int(received.readable[1]))
    return received.count >= count ? count : nil
  }

  /// What a resolver's client never sends: too short for a header, an answer, no question.
  fileprivate var beginsUnlikeQuery: Bool {
    let bytes = received.readable
    if bytes.count >= 2, bytes[0] == 0, bytes[1] < 12 { return true }
    if bytes.count >= 5, bytes[4] & 0x80 != 0 { return true }
    guard bytes.count >= 8 else { return false }
    return bytes[6] != 0 || bytes[7] != 1
  }

  /// The message at the front, `count` bytes with its prefix, as a query.
  fileprivate func query(_ count: Int) throws(MessageError) -> Query {
    try Query(parsing: received.readable.extracting(2..<count))
  }

  fileprivate mutating func moveReceived(_ count: Int, to other: inout DNSStream.End) {
    other.pending.append(received.readable.extracting(0..<count))
    received.consume(count)
    if received.isEmpty { received.release() }
  }

  /// Sends no more, once everything is sent.
  fileprivate mutating func shutWhenFlushed() {
    guard pending.isEmpty, !isShut else { return }
    isShut = true
    socket?.shutdownWrite()
  }

  fileprivate mutating func reset() {
    if let socket = socket.take() { socket.closeWithReset() }
  }
}
