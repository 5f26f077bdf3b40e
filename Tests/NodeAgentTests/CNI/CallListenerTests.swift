import CNI
import Linux
import Testing

@testable import NodeAgent

private func request(_ name: String) -> CNIRequest {
  CNIRequest(
    kind: .add, containerID: "c", namespacePath: "/n", interface: "eth0",
    pod: CNI.Pod(namespace: "shop", name: name, uid: ""), addresses: [])
}

/// A peer of the listener that speaks frames.
private struct Peer: ~Copyable {
  let socket: Socket
  let poller: Poller

  init(_ path: String) throws {
    let socket = try UnixSocket.connect(path: path)
    let poller = try Poller()
    try poller.add(socket.number, token: 0, .readable)
    self.socket = socket
    self.poller = poller
  }

  /// False when the listener has closed already.
  @discardableResult func send(_ payload: [UInt8]) throws -> Bool {
    var writer = FrameWriter()
    try writer.enqueue(payload.span)
    do throws(FrameError) {
      return try writer.flush(to: socket) == .drained
    } catch {
      return false
    }
  }

  /// Nil when the listener closed without an answer.
  func answer() throws -> CNIAnswer? {
    var reader = FrameReader()
    var events: [PollEvent] = []
    while true {
      do throws(FrameError) {
        switch try reader.read(from: socket) {
        case .frame(let frame): return answer(in: frame.payload)
        case .endOfFile: return nil
        case .wouldBlock: break
        }
      } catch {
        // What we sent was not read.
        return nil
      }
      try poller.wait(timeout: .seconds(60), into: &events)
      try #require(!events.isEmpty, "nothing came")
    }
  }

  private func answer(in payload: Span<UInt8>) -> CNIAnswer? {
    do throws(MessageProblem) {
      return try CNIAnswer(decoding: payload.indices.map { payload[$0] })
    } catch {
      Issue.record("\(error)")
      return nil
    }
  }
}

@Suite(.enabled(if: CurrentProcess.isRoot, "only root is heard")) struct `The plugin's socket` {
  private func withListener(
    _ body: (String, CallListener) async throws -> Void
  ) async throws {
    let path = "/tmp/skein-calls-\(CurrentProcess.id)-\(Random.uint64())"
    let listener = try CallListener(path: path)
    try await body(path, listener)
    listener.stop()
    #expect(try File.remove(path))
  }

  @Test func `answers each call on its own connection, in any order`() async throws {
    try await withListener { path, listener in
      let first = try Peer(path)
      let second = try Peer(path)
      try first.send(request("first").encoded())
      try second.send(request("second").encoded())
      var questions: [CallListener.Question] = []
      for await question in listener.questions {
        questions.append(question)
        if questions.count == 2 { break }
      }
      for question in questions.sorted(by: { $0.request.pod.name > $1.request.pod.name }) {
        listener.answer(question, .notYet(reason: question.request.pod.name))
      }
      #expect(try first.answer() == .notYet(reason: "first"))
      #expect(try second.answer() == .notYet(reason: "second"))
    }
  }

  @Test func `closes on what is no request, and holds nobody up for who says nothing`()
    async throws
  {
    try await withListener { path, listener in
      let silent = try Peer(path)
      let wrong = try Peer(path)
      try wrong.send([9, 9])
      #expect(try wrong.answer() == nil)
      let good = try Peer(path)
      try good.send(request("good").encoded())
      for await question in listener.questions {
        listener.answer(question, .enrolled)
        break
      }
      #expect(try good.answer() == .enrolled)
      #expect(try silent.answer() == nil, "cut off after \(Limit.callTransfer)")
    }
  }

  @Test func `turns away more than it may hold, and goes on`() async throws {
    try await withListener { path, listener in
      var askers: [PeerBox] = []
      for number in 0...Limit.callsAtOnce {
        let asker = try PeerBox(path)
        try asker.peer.send(request("\(number)").encoded())
        askers.append(asker)
      }
      // None is answered before all have asked.
      var questions: [CallListener.Question] = []
      for await question in listener.questions {
        questions.append(question)
        if questions.count == Limit.callsAtOnce { break }
      }
      for question in questions { listener.answer(question, .notOurs) }
      let answers = try askers.map { try $0.peer.answer() }
      #expect(answers.count { $0 == .notOurs } == Limit.callsAtOnce)
      #expect(answers.last == .some(nil), "the last is turned away")
      let next = try Peer(path)
      try next.send(request("next").encoded())
      for await question in listener.questions {
        listener.answer(question, .enrolled)
        break
      }
      #expect(try next.answer() == .enrolled)
    }
  }

  private final class PeerBox {
    let peer: Peer
    init(_ path: String) throws { peer = try Peer(path) }
  }
}
