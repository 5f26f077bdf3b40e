import CNI
import Linux
import Logging
import MeshModel
import Synchronization

/// The socket that the CNI plugin asks on, on a thread of its own.
///
/// One request and one answer per connection. A peer that sends or takes nothing is cut off in time;
/// it holds up nobody else. Only root's processes are heard.
final class CallListener: Sendable {
  /// A request that waits for `answer`.
  struct Question: Sendable {
    let number: UInt64
    let request: CNIRequest
  }

  let questions: AsyncStream<Question>
  private let commands: Mailbox<Command>
  private let thread: Mutex<WorkerThread?>

  fileprivate enum Command: Sendable {
    case answer(UInt64, [UInt8])
    case stop
  }

  init(path: String) throws(LinuxError) {
    let (stream, continuation) = AsyncStream.makeStream(of: Question.self)
    questions = stream
    // One answer for each question, and the end.
    commands = try Mailbox(capacity: Limit.callsAtOnce + 1)
    var loop = try CallLoop(path: path, commands: commands, questions: continuation)
    thread = Mutex(try WorkerThread(name: "cni") { loop.run() })
  }

  /// Every question is answered once, also when its asker has gone.
  func answer(_ question: Question, _ answer: CNIAnswer) {
    commands.post(.answer(question.number, answer.encoded()))
  }

  func stop() {
    commands.post(.stop)
    let thread = self.thread.withLock { $0.take() }
    if let thread { thread.join() }
  }
}

/// The thread's own state.
private struct CallLoop: ~Copyable {
  private enum Token {
    static let commands: UInt64 = 0
    static let listener: UInt64 = 1
    static let firstConnection: UInt64 = 2
  }

  private let listener: Socket
  private let commands: Mailbox<CallListener.Command>
  private let questions: AsyncStream<CallListener.Question>.Continuation
  private let poller: Poller
  private let logger = Logger(label: "cni")
  private var connections: [UInt64: CallConnection] = [:]
  private var nextToken = Token.firstConnection

  init(
    path: String, commands: Mailbox<CallListener.Command>,
    questions: AsyncStream<CallListener.Question>.Continuation
  ) throws(LinuxError) {
    let listener = try UnixSocket.listen(path: path)
    let poller = try Poller()
    try poller.add(commands.number, token: Token.commands, .readable)
    try poller.add(listener.number, token: Token.listener, .readable)
    self.listener = listener
    self.poller = poller
    self.commands = commands
    self.questions = questions
  }

  mutating func run() {
    defer { questions.finish() }
    var ready: [PollEvent] = []
    while true {
      do throws(LinuxError) {
        try poller.wait(timeout: timeToNextEnd, into: &ready)
      } catch {
        logger.error("the CNI plugin is not heard any more", metadata: ["error": "\(error)"])
        return
      }
      guard takeCommands() else { return }
      for event in ready where event.token >= Token.firstConnection { advance(event.token) }
      if ready.contains(where: { $0.token == Token.listener }) { accept() }
      let now = MonotonicClock.now()
      connections = connections.filter { $0.value.end.map { now < $0 } ?? true }
    }
  }

  private var timeToNextEnd: Duration? {
    let now = MonotonicClock.now()
    return connections.values.compactMap(\.end).min().map { $0.since(now) }
  }

  /// False when it is time to end.
  private mutating func takeCommands() -> Bool {
    for command in commands.drain() {
      switch command {
      case .stop: return false
      case .answer(let token, let bytes): answer(token, bytes)
      }
    }
    return true
  }

  private mutating func accept() {
    do throws(LinuxError) {
      while let accepted = try listener.accept() {
        let socket = accepted.takeSocket()
        guard connections.count < Limit.callsAtOnce, try socket.peerCredentials().userID == 0
        else { continue }
        try poller.add(socket.number, token: nextToken, .readable)
        connections[nextToken] = CallConnection(socket)
        nextToken += 1
      }
    } catch {
      logger.warning("a call was not taken", metadata: ["error": "\(error)"])
    }
  }

  private mutating func advance(_ token: UInt64) {
    guard let connection = connections[token] else { return }
    do {
      if let request = try connection.advance() {
        // Not watched until it is answered: one who has gone is answered in vain.
        try poller.remove(connection.number)
        questions.yield(CallListener.Question(number: token, request: request))
      }
      if connection.isOver { connections[token] = nil }
    } catch {
      logger.debug("a call ended", metadata: ["error": "\(error)"])
      connections[token] = nil
    }
  }

  private mutating func answer(_ token: UInt64, _ bytes: [UInt8]) {
    guard let connection = connections[token] else { return }
    do {
      try connection.answer(bytes)
      if connection.isOver {
        connections[token] = nil
      } else {
        try poller.add(connection.number, token: token, .writable)
      }
    } catch {
      logger.debug("an answer was not taken", metadata: ["error": "\(error)"])
      connections[token] = nil
    }
  }
}

/// One call: it is read, then waits for its answer, then is written.
private final class CallConnection {
  private enum Step {
    case reading
    case waiting
    case writing
    case over
  }

  private let socket: Socket
  private var reader = FrameReader()
  private var writer = FrameWriter()
  private var step = Step.reading
  /// When the peer must have done its part; nil while we are asked.
  private(set) var end: Instant?

  init(_ socket: consuming Socket) {
    self.socket = socket
    end = MonotonicClock.now() + Limit.callTransfer
  }

  var number: CInt { socket.number }

  var isOver: Bool { step == .over }

  /// The request, once it is whole.
  func advance() throws -> CNIRequest? {
    switch step {
    case .reading: return try read()
    case .writing: try write()
    case .waiting, .over: break
    }
    return nil
  }

  private func read() throws -> CNIRequest? {
    switch try reader.read(from: socket) {
    case .wouldBlock: return nil
    case .endOfFile:
      step = .over
      return nil
    case .frame(let frame):
      let payload = frame.payload
      guard payload.count <= CNI.Limit.messageBytes else { throw MessageProblem.tooLong }
      let request = try CNIRequest(decoding: payload.indices.map { payload[$0] })
      step = .waiting
      end = nil
      return request
    }
  }

  func answer(_ bytes: [UInt8]) throws {
    step = .writing
    end = MonotonicClock.now() + Limit.callTransfer
    try writer.enqueue(bytes.span)
    try write()
  }

  private func write() throws {
    if try writer.flush(to: socket) == .drained { step = .over }
  }
}
