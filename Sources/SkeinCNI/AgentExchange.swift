import CNI
import Linux
import MeshModel

/// One question to node-agent and its answer, over a connection of its own.
enum AgentExchange {
  /// Never longer than `wait`; whatever fails is an agent that is away.
  static func ask(_ request: CNIRequest, at path: String, wait: Duration) -> Reply {
    let deadline = MonotonicClock.now() + wait
    do {
      let socket = try UnixSocket.connect(path: path)
      let poller = try Poller()
      try poller.add(socket.number, token: 0, [.readable, .writable, .edgeTriggered])
      var writer = FrameWriter()
      try writer.enqueue(request.encoded().span)
      var reader = FrameReader()
      while true {
        _ = try writer.flush(to: socket)
        switch try reader.read(from: socket) {
        case .frame(let frame): return try .answered(answer(in: frame.payload))
        case .endOfFile: return .away("\(path): node-agent closed without an answer")
        case .wouldBlock: break
        }
        let rest = deadline.since(MonotonicClock.now())
        guard rest > .zero else { return .away("\(path): no answer in \(wait)") }
        var events: [PollEvent] = []
        try poller.wait(timeout: rest, into: &events)
      }
    } catch {
      return .away("\(path): \(error)")
    }
  }

  private static func answer(in payload: Span<UInt8>) throws(MessageProblem) -> CNIAnswer {
    guard payload.count <= Limit.messageBytes else { throw .tooLong }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(payload.count)
    for index in payload.indices { bytes.append(payload[index]) }
    return try CNIAnswer(decoding: bytes)
  }
}
