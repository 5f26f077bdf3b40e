import AgentProtocol
import Linux
import MeshModel

/// The connection to the node agent: made again whenever it is gone.
struct AgentLink: ~Copyable {
  let path: String
  private var socket: Socket?
  private var reader = FrameReader()
  private var writer = FrameWriter()
  /// The next attempt, while there is no connection.
  private(set) var retryAt: Instant
  /// Records that found no connection or a full queue.
  private(set) var droppedRecords: UInt64 = 0

  init(path: String, now: Instant) {
    self.path = path
    retryAt = now
  }

  var isConnected: Bool { socket != nil }

  /// Tries once when it is time; true when a new connection stands and is watched.
  mutating func connect(
    at now: Instant, _ poller: borrowing Poller, token: UInt64
  ) throws(LinuxError) -> Bool {
    guard socket == nil, retryAt <= now else { return false }
    retryAt = now + ZTunnelLimit.agentRetry
    let fresh: Socket
    do throws(LinuxError) {
      fresh = try UnixSocket.connect(path: path)
    } catch {
      // Nobody listens, or not yet: the next attempt is soon.
      return false
    }
    try poller.add(fresh.number, token: token, [.readable, .writable, .edgeTriggered])
    reader = FrameReader()
    writer = FrameWriter()
    socket = consume fresh
    return true
  }

  /// Drops the connection; what was queued is lost with it.
  mutating func disconnect(at now: Instant) {
    socket = nil
    retryAt = now + ZTunnelLimit.agentRetry
  }

  /// The next frame, nil when none is whole yet.
  ///
  /// Throws when the connection is over.
  mutating func next() throws(AgentLinkError) -> ReceivedFrame? {
    guard let socket = socket.take() else { return nil }
    let outcome: FrameReader.Outcome
    do throws(FrameError) {
      outcome = try reader.read(from: socket)
    } catch {
      throw .frame(error)
    }
    switch consume outcome {
    case .frame(let frame):
      self.socket = consume socket
      return frame
    case .wouldBlock:
      self.socket = consume socket
      return nil
    case .endOfFile:
      throw .closed
    }
  }

  mutating func send(
    _ message: TunnelMessage, _ descriptors: consuming DescriptorList = DescriptorList()
  ) throws(AgentLinkError) {
    guard isConnected else { return }
    do throws(FrameError) {
      try writer.enqueue(message.encoded().span, descriptors: descriptors)
    } catch {
      throw .frame(error)
    }
  }

  /// A record is dropped, and counted, rather than waited for.
  mutating func sendRecord(_ message: TunnelMessage) throws(AgentLinkError) {
    guard isConnected, writer.queuedBytes < ZTunnelLimit.agentBacklogBytes else {
      droppedRecords += message.recordCount
      return
    }
    try send(message)
  }

  /// Hands what is queued to the kernel; true when nothing is left.
  @discardableResult mutating func flush() throws(AgentLinkError) -> Bool {
    guard let socket = socket.take() else { return true }
    do throws(FrameError) {
      let outcome = try writer.flush(to: socket)
      self.socket = consume socket
      return outcome == .drained
    } catch {
      throw .frame(error)
    }
  }
}

/// Why a connection to the agent ended.
enum AgentLinkError: Error, CustomStringConvertible {
  case closed
  case frame(FrameError)
  case notAMessage(DecodingError)
  case pieces(PieceError)
  case otherVersion(UInt16)

  var description: String {
    switch self {
    case .closed: "the node agent closed the connection"
    case .frame(let error): "\(error)"
    case .notAMessage(let error): "not a message of ours: \(error)"
    case .pieces(let error): "\(error)"
    case .otherVersion(let version):
      "the node agent speaks version \(version), this is \(ProtocolVersion.current)"
    }
  }
}

extension TunnelMessage {
  /// How much is lost when it is dropped.
  fileprivate var recordCount: UInt64 {
    if case .connectionsClosed(let records) = self { return UInt64(records.count) }
    return 1
  }
}
