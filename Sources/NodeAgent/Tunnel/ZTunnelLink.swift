import AgentProtocol
import Linux
import Synchronization

/// What happens on the socket that ztunnel connects to.
enum TunnelEvent: Sendable {
  /// A ztunnel connected; nothing has been said yet.
  case connected(processID: Int32)
  /// A message and the descriptors beside it.
  case received(TunnelMessage, [SharedDescriptor])
  /// Records of connections that ended, in one event as many as came together.
  case closed([ConnectionRecord])
  case disconnected(reason: String)
}

/// The socket between node agent and ztunnel, on a thread of its own.
///
/// In: messages with descriptors. Out: events, in the order they happened. One ztunnel at a time: a
/// new connection takes the place of the old one. A ztunnel that reads nothing, or sends what does
/// not decode, is cut off; it connects again by itself.
final class ZTunnelLink: Sendable {
  let events: AsyncStream<TunnelEvent>
  private let commands: Mailbox<Command>
  private let backlog: Backlog
  private let thread: Mutex<WorkerThread?>
  private let peer = Atomic<Int32>(0)

  enum Command: Sendable {
    case send([UInt8], [SharedDescriptor])
    case close
    case stop
  }

  /// Listens at `path`; `isWelcome` says whether a process may be our ztunnel.
  init(path: String, isWelcome: @escaping @Sendable (Int32) -> Bool) throws(LinuxError) {
    let (stream, continuation) = AsyncStream.makeStream(of: TunnelEvent.self)
    events = stream
    commands = try Mailbox(capacity: Limit.messagesToZTunnel)
    backlog = Backlog()
    var loop = try LinkLoop(
      path: path, commands: commands, backlog: backlog, events: continuation,
      isWelcome: isWelcome)
    thread = Mutex(try WorkerThread(name: "ztunnel-link") { loop.run() })
  }

  /// Queues a message, whose descriptors are copied when it is written.
  ///
  /// When too many wait, the connection is cut: a ztunnel that connects anew is told everything.
  func send(_ message: AgentMessage, _ descriptors: [SharedDescriptor] = []) {
    if commands.post(.send(message.encoded(), descriptors)) { return }
    backlog.overflow()
    commands.wake()
  }

  /// Cuts the connection; ztunnel connects again.
  func disconnect() { commands.post(.close) }

  /// The process at the other end, since its last hello.
  var peerProcessID: Int32? {
    let id = peer.load(ordering: .relaxed)
    return id == 0 ? nil : id
  }

  func setPeer(processID: Int32?) { peer.store(processID ?? 0, ordering: .relaxed) }

  /// Says that one event was handled, so that the thread reads on.
  func handled() { backlog.handled() }

  func stop() {
    commands.post(.stop)
    commands.wake()
    let thread = self.thread.withLock { $0.take() }
    if let thread { thread.join() }
  }

  /// Events that nobody has handled yet; the thread stops reading while there are too many.
  final class Backlog: Sendable {
    private let count = Atomic<Int>(0)
    private let hasOverflown = Atomic<Bool>(false)

    func added() { count.add(1, ordering: .relaxed) }
    func handled() { count.subtract(1, ordering: .relaxed) }
    /// Says that a message to ztunnel was lost.
    func overflow() { hasOverflown.store(true, ordering: .relaxed) }
    func takeOverflow() -> Bool { hasOverflown.exchange(false, ordering: .relaxed) }
    var isFull: Bool { count.load(ordering: .relaxed) >= Limit.eventsUnhandled }
  }
}

/// The thread's own state.
private struct LinkLoop: ~Copyable {
  private enum Token {
    static let commands: UInt64 = 0
    static let listener: UInt64 = 1
    static let connection: UInt64 = 2
  }

  private let listener: Socket
  private let commands: Mailbox<ZTunnelLink.Command>
  private let backlog: ZTunnelLink.Backlog
  private let events: AsyncStream<TunnelEvent>.Continuation
  private let isWelcome: @Sendable (Int32) -> Bool
  private let poller: Poller
  private var connection: Connection?
  /// Records read and not yet told; empty between two waits.
  private var closed: [ConnectionRecord] = []

  init(
    path: String, commands: Mailbox<ZTunnelLink.Command>, backlog: ZTunnelLink.Backlog,
    events: AsyncStream<TunnelEvent>.Continuation, isWelcome: @escaping @Sendable (Int32) -> Bool
  ) throws(LinuxError) {
    let listener = try UnixSocket.listen(path: path)
    let poller = try Poller()
    try poller.add(commands.number, token: Token.commands, .readable)
    try poller.add(listener.number, token: Token.listener, .readable)
    self.listener = listener
    self.poller = poller
    self.commands = commands
    self.backlog = backlog
    self.events = events
    self.isWelcome = isWelcome
  }

  mutating func run() {
    var ready: [PollEvent] = []
    while true {
      do throws(LinuxError) {
        // While too much is unhandled, look again soon instead of reading on.
        try poller.wait(timeout: backlog.isFull ? .milliseconds(5) : nil, into: &ready)
      } catch {
        emit(.disconnected(reason: "\(error)"))
        break
      }
      if ready.contains(where: { $0.token == Token.listener }) { accept() }
      if !takeCommands() { break }
      if backlog.takeOverflow() { drop("\(Limit.messagesToZTunnel) messages waited for it") }
      flush()
      if !backlog.isFull { read() }
    }
    events.finish()
  }

  /// False when it is time to end.
  private mutating func takeCommands() -> Bool {
    for command in commands.drain() {
      switch command {
      case .stop:
        flush()
        return false
      case .close: drop("the node agent closed the connection")
      case .send(let payload, let descriptors): enqueue(payload, descriptors)
      }
    }
    return true
  }

  private mutating func enqueue(_ payload: [UInt8], _ descriptors: [SharedDescriptor]) {
    guard connection != nil else { return }
    do {
      var list = DescriptorList()
      for descriptor in descriptors { try list.append(copying: descriptor.descriptor) }
      try connection?.enqueue(payload, list)
    } catch {
      drop("\(error)")
    }
  }

  private mutating func accept() {
    do throws(LinuxError) {
      guard let accepted = try listener.accept() else { return }
      let socket = accepted.takeSocket()
      let peer = try socket.peerCredentials()
      guard isWelcome(peer.processID) else { return }
      drop("another ztunnel connected")
      try poller.add(socket.number, token: Token.connection, [.readable, .peerClosed])
      connection = Connection(socket)
      emit(.connected(processID: peer.processID))
    } catch {
      emit(.disconnected(reason: "\(error)"))
    }
  }

  private mutating func flush() {
    guard connection != nil else { return }
    do {
      guard let outcome = try connection?.flush() else { return }
      var interest: Readiness = outcome == .drained ? [] : [.writable]
      if !backlog.isFull { interest.formUnion([.readable, .peerClosed]) }
      if let number = connection?.socket.number {
        try poller.modify(number, token: Token.connection, interest)
      }
    } catch {
      drop("\(error)")
    }
  }

  private mutating func read() {
    while connection != nil, !backlog.isFull {
      do {
        guard let arrival = try connection?.read() else { break }
        switch arrival {
        case .nothing:
          emitClosed()
          return
        case .end: drop("ztunnel closed the connection")
        case .message(.connectionsClosed(let records), _):
          closed += records
          if closed.count >= Limit.recordsPerEvent { emitClosed() }
        case .message(let message, let descriptors): emit(.received(message, descriptors))
        }
      } catch {
        drop("\(error)")
      }
    }
    emitClosed()
  }

  private mutating func emitClosed() {
    guard !closed.isEmpty else { return }
    backlog.added()
    events.yield(.closed(closed))
    closed = []
  }

  private mutating func drop(_ reason: String) {
    guard connection != nil else { return }
    connection = nil
    emit(.disconnected(reason: reason))
  }

  private mutating func emit(_ event: TunnelEvent) {
    emitClosed()
    backlog.added()
    events.yield(event)
  }
}

private struct Connection: ~Copyable {
  let socket: Socket
  private var reader = FrameReader()
  private var writer = FrameWriter()

  enum Arrival {
    case nothing
    case end
    case message(TunnelMessage, [SharedDescriptor])
  }

  init(_ socket: consuming Socket) { self.socket = socket }

  mutating func enqueue(
    _ payload: [UInt8], _ descriptors: consuming DescriptorList
  ) throws(FrameError) {
    try writer.enqueue(payload.span, descriptors: descriptors)
  }

  mutating func flush() throws(FrameError) -> FrameWriter.Outcome {
    try writer.flush(to: socket)
  }

  mutating func read() throws -> Arrival {
    switch try reader.read(from: socket) {
    case .wouldBlock: return .nothing
    case .endOfFile: return .end
    case .frame(var frame):
      let message = try TunnelMessage(decoding: frame.payload)
      var descriptors: [SharedDescriptor] = []
      while let descriptor = frame.descriptors.takeFirst() {
        descriptors.append(SharedDescriptor(descriptor))
      }
      return .message(message, descriptors)
    }
  }
}
