import AgentProtocol
import Linux
import MeshModel
import Testing

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `A connection between two nodes` {
  @Test func `carries bytes both ways through a tunnel and keeps the client's address`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve { stream, peer in
      try stream.send("\(peer.ip)\n")
      try TestServer.echo(stream, peer)
    }
    _ = server
    let stream = try nodes.dial()
    #expect(try stream.receiveText(10) == "10.77.0.1\n")
    try stream.send("hello")
    #expect(try stream.receiveText(5) == "hello")
    stream.finishSending()
    #expect(try stream.receive().isEmpty)
    var closed: ConnectionRecord?
    try nodes.source.wait("a closed record") {
      guard let record = $0.closed else { return false }
      closed = record
      return true
    }
    #expect(closed?.transport == .hbone)
    #expect(closed?.receivedBytes == 5)
    #expect(closed?.sentBytes == 15)
    guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
    #expect(tunnels.count == 1)
  }

  @Test func `over IPv6 as over IPv4`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(on: TwoNodes.server6) { stream, peer in
      try stream.send("\(peer.ip)\n")
      try TestServer.echo(stream, peer)
    }
    _ = server
    let stream = try nodes.dial(TwoNodes.server6)
    #expect(try stream.receiveText(8) == "fd77::1\n")
    try stream.send("six")
    #expect(try stream.receiveText(3) == "six")
    guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
    #expect(tunnels.map(\.peer.ip) == [TwoNodes.server6])
  }

  @Test func `to a service's address goes to its endpoint`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial(TwoNodes.virtual)
    try stream.send("ping")
    #expect(try stream.receiveText(4) == "ping")
    guard case .connections(let records) = try nodes.source.inspect(.connections) else { return }
    #expect(records.first?.service?.hostname == "server.shop.svc.cluster.local")
    #expect(records.first?.originalDestination.ip == TwoNodes.virtual)
    #expect(records.first?.destination.ip == TwoNodes.server)
  }

  @Test func `lets either side finish first`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve { stream, _ in
      try stream.send("first")
      stream.finishSending()
      // Still listens after it has finished sending.
      let rest = try stream.receive(exactly: 6)
      guard rest == Array("second".utf8) else { stream.reset(); return }
    }
    _ = server
    let stream = try nodes.dial()
    #expect(try stream.receiveText(5) == "first")
    #expect(try stream.receive().isEmpty)
    try stream.send("second")
    stream.finishSending()
    try nodes.source.wait("a clean close") {
      guard let record = $0.closed else { return false }
      return record.reason.isEmpty && record.receivedBytes == 6
    }
  }

  @Test func `carries a reset from the application to the client`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve { stream, _ in
      _ = try stream.receive()
      stream.reset()
    }
    _ = server
    let stream = try nodes.dial()
    try stream.send("x")
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
  }

  @Test func `carries a reset from the client to the application`() throws {
    let nodes = try TwoNodes()
    let outcomes = Outcomes()
    let server = try nodes.serve { stream, _ in
      do {
        try stream.send("open")
        while !(try stream.receive().isEmpty) {}
        outcomes.add("end")
      } catch Stream.Failure.reset {
        outcomes.add("reset")
      }
    }
    _ = server
    let stream = try nodes.dial()
    #expect(try stream.receiveText(4) == "open")
    stream.reset()
    #expect(try outcomes.next() == "reset")
  }

  @Test func `moves many bytes both ways at once without losing one`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    let count = 64 << 20
    let copy = try stream.copy()
    let outcomes = Outcomes()
    _ = try WorkerThread(name: "reader") {
      do {
        let reader = try Stream(Socket(try copy.descriptor.duplicate()))
        outcomes.add(try reader.checkPattern(count) ? "same" : "different")
      } catch {
        outcomes.add("\(error)")
      }
    }
    try stream.sendPattern(count)
    #expect(try outcomes.next(within: .seconds(60)) == "same")
  }

  @Test func `refuses with reset when the application does not listen`() throws {
    let nodes = try TwoNodes()
    #expect(throws: (any Error).self) { try nodes.dial().receive() }
    try nodes.source.wait("a failed record") {
      guard let record = $0.closed else { return false }
      return record.flag == .connect
    }
  }

  @Test func `serves many connections at once over a few tunnel connections`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    var streams: [Stream] = []
    for _ in 0..<500 { streams.append(try nodes.dial()) }
    for (index, stream) in streams.enumerated() { try stream.send("\(index) ") }
    for (index, stream) in streams.enumerated() {
      let text = "\(index) "
      #expect(try stream.receiveText(text.utf8.count) == text)
    }
    guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
    #expect(tunnels.map { Int($0.liveStreams) }.reduce(0, +) == 500)
    #expect(tunnels.count <= 6)
  }
}

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `Policy` {
  @Test func `refuses a new connection under one id on both nodes`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    try nodes.publish { $0.policies[TwoNodes.denial.key] = TwoNodes.denial }
    #expect(throws: (any Error).self) { try nodes.dial().receive() }
    let here = try nodes.source.refusal("the client's side")
    let there = try nodes.destination.refusal("the server's side")
    #expect(here?.id == there?.id)
    #expect(there?.cause == .policy(.matched(policy: TwoNodes.denial.key, rule: 0)))
    #expect(there?.sourceIdentity?.serviceAccount == "client")
    guard case .peer(401, let reason) = here?.cause else {
      Issue.record("the client's side says \(String(describing: here))")
      return
    }
    #expect(reason.contains("no-client"))
  }

  @Test func `cuts the live connections that a change denies, and only those`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("before")
    #expect(try stream.receiveText(6) == "before")
    // Concerns another namespace: nobody notices.
    var other = TwoNodes.denial
    other.key.namespace = "elsewhere"
    try nodes.publish { $0.policies[other.key] = other }
    try stream.send("still")
    #expect(try stream.receiveText(5) == "still")
    try nodes.publish { $0.policies[TwoNodes.denial.key] = TwoNodes.denial }
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    #expect(try nodes.destination.refusal("a cut")?.endedLiveConnection == true)
  }
}
