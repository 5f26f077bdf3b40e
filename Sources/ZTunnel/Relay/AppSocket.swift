import AgentProtocol
import HBONE
import Linux
import MeshModel

/// A TCP connection of an application: accepted from it, or dialled to it or on its behalf.
///
/// Linked to another socket (plain relay) or to a stream of a tunnel connection. Bytes wait here
/// only while the kernel does not take them; then whoever sends them is not read.
final class AppSocket: Handler {
  enum Link {
    /// Being set up: nothing is read, so nothing is lost when a dial fails.
    case none
    case socket(AppSocket)
    case stream(Tunnel, StreamID)
    /// The stream is over without error: what it brought is still delivered, nothing is taken.
    case over
  }

  /// Whose namespace the socket lives in.
  let pod: ServedPod
  var socket: Socket?
  var link = Link.none
  /// Whoever is setting this connection up; nil once bytes flow.
  var setup: Setup?
  /// The record this side speaks for.
  var connection: Connection?
  /// What is read here goes from client to server.
  let isClient: Bool

  var isReadable = false
  var isWritable = false
  /// The kernel said that the peer's end, or a reset, is in the queue: read on until it shows.
  var isPeerClosed = false
  /// The application has finished sending, and we have read it all.
  var hasEnded = false
  /// The other side has finished: shut down after what is pending.
  var isEnding = false
  /// Nothing more will be written.
  var isShut = false
  /// Waits for credit or room of its tunnel connection.
  var isParked = false
  /// Is in its tunnel connection's list of sockets with gathered bytes.
  var isTouched = false

  /// Bytes for the application that the kernel has not taken.
  var pending = WaitingBytes()
  /// Parts of the worker's plaintext for the application, gathered while it is parsed.
  var gathered: [Range<Int>] = []

  init(_ socket: consuming Socket, in pod: ServedPod, isClient: Bool, worker: Worker) {
    self.pod = pod
    self.socket = consume socket
    self.isClient = isClient
    super.init(worker: worker)
  }

  /// Begins to watch; the first event tells what is ready.
  ///
  /// What cannot be watched is closed: it and whoever sets it up would keep each other for ever.
  func start() throws(LinuxError) {
    guard let number = socket?.number else { return }
    do throws(LinuxError) {
      try worker.watch(
        self, number, [.readable, .writable, .peerClosed, .edgeTriggered])
    } catch {
      close(withReset: true)
      throw error
    }
    worker.applicationSockets += 1
  }

  var hasPending: Bool { !pending.isEmpty }

  override func ready(_ readiness: Readiness) {
    if readiness.contains(.writable) { isWritable = true }
    if !readiness.isDisjoint(with: [.peerClosed, .hangUp, .error]) { isPeerClosed = true }
    if !readiness.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) { isReadable = true }
    if let setup {
      setup.socketReady(self, readiness)
      return
    }
    if readiness.contains(.error) {
      wasReset()
      return
    }
    if isWritable { drainPending() }
    if !isClosed, isReadable, !isQueued, !isParked { pump() }
  }

  override func turn() {
    if setup == nil { pump() }
  }

  override func expired() {
    if let setup { setup.expired() } else { abort(flag: .none, reason: "the stream was over") }
  }

  /// Moves what the application sends, up to a turn's share.
  func pump() {
    switch link {
    case .none: return
    case .socket(let peer): pump(to: peer)
    case .stream(let tunnel, let stream): pump(into: tunnel, stream)
    case .over: discard()
    }
  }

  /// Counts bytes read from this side.
  func countRead(_ count: Int) {
    connection?.count(count, fromClient: isClient)
  }

  /// Counts bytes that go to this side.
  func countWritten(_ count: Int) {
    connection?.count(count, fromClient: !isClient)
  }
}

// MARK: Ends

extension AppSocket {
  /// The application's side broke: the other side hears it as a reset.
  func wasReset(_ reason: String = "reset by the application") {
    abort(flag: .none, reason: reason)
  }

  /// Ends the connection whatever it is doing.
  func cut(_ reason: String) {
    if let setup { setup.cancel() } else { abort(flag: .none, reason: reason) }
  }

  /// Ends both sides with a reset.
  func abort(flag: ResponseFlag, reason: String) {
    guard !isClosed else { return }
    switch link {
    case .none, .over: break
    case .socket(let peer):
      link = .none
      peer.link = .none
      peer.close(withReset: true, flag: flag, reason: reason)
    case .stream(let tunnel, let stream):
      link = .none
      tunnel.resetStream(stream)
    }
    close(withReset: true, flag: flag, reason: reason)
  }

  /// Closes this side alone and completes its record.
  func close(withReset: Bool, flag: ResponseFlag = .none, reason: String = "") {
    guard !isClosed else { return }
    if token != 0 { worker.applicationSockets -= 1 }
    worker.bury(self)
    link = .none
    setup = nil
    pending = WaitingBytes()
    if let socket = socket.take() {
      if withReset { socket.closeWithReset() }
    }
    if let connection {
      self.connection = nil
      worker.finish(connection, flag: flag, reason: reason)
    }
  }

  /// The other side has finished sending: shut down once everything before is written.
  func finishWriting() {
    isEnding = true
    guard !hasPending, setup == nil, !isShut else { return }
    isShut = true
    // Closing says the same, when nothing is left to read.
    closeIfDone()
    if !isClosed { socket?.shutdownWrite() }
  }

  /// Closes when both directions have ended.
  func closeIfDone() {
    guard !isClosed, hasEnded, isShut else { return }
    switch link {
    case .none: return
    case .socket(let peer):
      guard peer.hasEnded, peer.isShut else { return }
      link = .none
      peer.link = .none
      peer.close(withReset: false)
      close(withReset: false)
    case .stream(let tunnel, let stream):
      link = .none
      tunnel.forgetStream(stream)
      close(withReset: false)
    case .over: close(withReset: false)
    }
  }

  /// The other side reset the stream without error: it has said all, and wants to hear no more.
  ///
  /// Closing at once would reset the connection when bytes of the application are unread, and so
  /// take back what is on its way to it.
  func streamIsOver() {
    link = .over
    expire(after: ZTunnelLimit.linger)
    if gathered.isEmpty { finishWriting() } else { isEnding = true }
    if !isClosed { worker.queue(self) }
  }
}

// MARK: Bytes towards the application

extension AppSocket {
  /// Hands pending bytes to the kernel, then lets the sender go on.
  func drainPending() {
    guard hasPending else {
      if isEnding, !isShut { finishWriting() }
      return
    }
    while isWritable, hasPending {
      let now = worker.now
      switch socket?.send(from: &pending, &worker.chunks, at: now) ?? .wouldBlock {
      case .sent(let count): wrote(count)
      case .wouldBlock: isWritable = false
      case .failed:
        wasReset()
        return
      }
    }
    guard !hasPending else { return }
    if isEnding { finishWriting() }
    if case .socket(let peer) = link, peer.isReadable, !isClosed { worker.queue(peer) }
  }

  /// Bytes reached the kernel: a tunnel's peer may send as many more.
  private func wrote(_ count: Int) {
    if case .stream(let tunnel, let stream) = link { tunnel.giveBack(stream, count) }
  }

  /// Writes all that is readable in `bytes`, keeping what the kernel does not take.
  func deliver(_ bytes: inout Buffer) {
    countWritten(bytes.count)
    if isWritable, !hasPending {
      switch socket?.send(from: &bytes) ?? .wouldBlock {
      case .sent: break
      case .wouldBlock: isWritable = false
      case .failed:
        bytes.removeAll()
        wasReset()
        return
      }
    }
    guard !bytes.isEmpty else { return }
    isWritable = false
    pending.append(bytes.readable, from: &worker.chunks, at: worker.now)
    bytes.removeAll()
  }

  /// Writes the parts gathered from the worker's plaintext in one call.
  func deliverGathered() {
    isTouched = false
    guard !isClosed else { return }
    let total = gathered.reduce(0) { $0 + $1.count }
    guard total > 0 else { return }
    countWritten(total)
    var sent = 0
    if isWritable, !hasPending, setup == nil {
      let ranges = gathered
      let outcome = worker.plain.withReadable { bytes in
        socket?.sendGathered(bytes, ranges: ranges.span) ?? .wouldBlock
      }
      switch outcome {
      case .sent(let count): sent = count
      case .wouldBlock: isWritable = false
      case .failed:
        gathered = []
        wasReset()
        return
      }
    }
    if sent > 0 { wrote(sent) }
    if sent < total { keepGathered(after: sent, of: total) }
    if gathered.capacity > 16 { gathered = [] } else { gathered.removeAll(keepingCapacity: true) }
  }

  private func keepGathered(after sent: Int, of total: Int) {
    // More ranges than one call takes leave the socket writable; anything else does not.
    let isCut = gathered.count > Socket.Limit.rangesPerSend
    isWritable = isWritable && isCut
    var skipped = sent
    worker.plain.withReadable { bytes in
      for range in gathered {
        let skip = min(skipped, range.count)
        skipped -= skip
        let rest = bytes.extracting(range.dropFirst(skip))
        pending.append(rest, from: &worker.chunks, at: worker.now)
      }
    }
    if isWritable { worker.queue(self) }
  }
}
