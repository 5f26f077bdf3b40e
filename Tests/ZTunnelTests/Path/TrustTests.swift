import AgentProtocol
import Linux
import MeshModel
import Testing

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `Trust changes under live tunnels` {
  private func serialNumber(of agent: TestAgent) throws -> String {
    guard case .certificates(let records) = try agent.inspect(.certificates),
      let record = records.first
    else { throw TestAgent.Timeout(waitingFor: "a certificate") }
    return record.serialNumber
  }

  private func summary(_ agent: TestAgent) throws -> Summary {
    guard case .summary(let summary) = try agent.inspect(.summary) else {
      throw TestAgent.Timeout(waitingFor: "a summary")
    }
    return summary
  }

  private func update(
    _ agent: TestAgent, _ update: TrustUpdate, isTaken: Bool = true
  ) throws {
    try agent.send(.trust(update))
    try agent.wait("an answer to the trust") { message in
      switch message {
      case .trustApplied(update.number): isTaken
      case .trustRejected(update.number, _): !isTaken
      default: false
      }
    }
  }

  /// Dials; the reset may come before the dial is over.
  private func expectRefused(_ nodes: TwoNodes, _ location: SourceLocation = #_sourceLocation) {
    do {
      let bytes = try nodes.dial().receive()
      Issue.record("served: \(bytes.count) bytes", sourceLocation: location)
    } catch Stream.Failure.timedOut {
      Issue.record("neither served nor refused", sourceLocation: location)
    } catch {
      return
    }
  }

  @Test func `a client that is taken back is cut, and comes in no more`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    let serial = try serialNumber(of: nodes.source)
    let list = try nodes.authority.revocationList(of: [serial])
    let began = MonotonicClock.now()
    try update(nodes.destination, TrustUpdate(number: 7, revocations: .lists([list])))
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    #expect(MonotonicClock.now().since(began) < .seconds(5))

    let cut = try #require(try nodes.destination.refusal("the cut"))
    #expect(cut.endedLiveConnection)
    #expect(cut.sourceIdentity?.serviceAccount == "client")
    guard case .failure(.revoked, let reason) = cut.cause else {
      Issue.record("\(cut.cause)")
      return
    }
    #expect(reason.contains(serial))
    var flags: [ResponseFlag] = []
    try nodes.destination.wait("the record of the stream") {
      guard let record = $0.closed else { return false }
      flags.append(record.flag)
      return record.flag == .revoked
    }

    expectRefused(nodes)
    let refused = try #require(try nodes.destination.refusal("the new handshake"))
    #expect(!refused.endedLiveConnection)
    let own = try #require(try nodes.source.refusal("the client's own record"))
    guard case .failure(.revoked, let words) = own.cause else {
      Issue.record("\(own.cause)")
      return
    }
    #expect(words.contains("our certificate has been revoked"))
    let inbound = try summary(nodes.destination).revokedInbound
    #expect(inbound >= 2, "\(inbound)")
    #expect(try summary(nodes.source).revokedOutbound == 0, "the peer counts it")
  }

  @Test func `a server that is taken back is cut at the client's end, until it is not any more`()
    throws
  {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    let serial = try serialNumber(of: nodes.destination)
    let list = try nodes.authority.revocationList(of: [serial])
    try update(nodes.source, TrustUpdate(number: 1, revocations: .lists([list])))
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    expectRefused(nodes)
    #expect(try summary(nodes.source).revokedOutbound >= 2)

    try update(nodes.source, TrustUpdate(number: 2, revocations: .lists([])))
    let third = try nodes.dial()
    try third.send("three")
    #expect(try third.receiveText(5) == "three")
  }

  @Test func `who is not named does not notice`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    let list = try nodes.authority.revocationList(of: ["0badcafe"])
    for agent in [nodes.source, nodes.destination] {
      try update(agent, TrustUpdate(number: 1, revocations: .lists([list])))
    }
    try stream.send("two")
    #expect(try stream.receiveText(3) == "two")
  }

  struct Side: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var isServer: Bool
  }

  @Test(arguments: [
    Side(testDescription: "server", isServer: true),
    Side(testDescription: "client", isServer: false),
  ])
  func `a root of our own that is taken away cuts what rests on it, at the`(side: Side) throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    let agent = side.isServer ? nodes.destination : nodes.source
    var certificate = try #require(agent.issued.values.first)
    let next = try TestAuthority()
    // The next root is announced, then the old one is no more.
    certificate.roots = [nodes.authority.root, next.root]
    try agent.send(.certificate(certificate))
    try stream.send("two")
    #expect(try stream.receiveText(3) == "two")
    certificate.roots = [next.root]
    try agent.send(.certificate(certificate))
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    let cut = try #require(try agent.refusal("the cut"))
    #expect(cut.endedLiveConnection)
    guard case .failure(.tlsFailure, let reason) = cut.cause else {
      Issue.record("\(cut.cause)")
      return
    }
    #expect(reason.contains("root"), "\(reason)")
    expectRefused(nodes)
    certificate.roots = [nodes.authority.root, next.root]
    try agent.send(.certificate(certificate))
    // The dial may overtake the certificate.
    var answer = ""
    for _ in 0..<200 where answer.isEmpty {
      do {
        let third = try nodes.dial()
        try third.send("three")
        answer = try third.receiveText(5)
      } catch Stream.Failure.reset {
        try agent.pump(for: .milliseconds(20))
      }
    }
    #expect(answer == "three")
  }

  @Test func `lists that cannot be read leave the last good ones in force`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let list = try nodes.authority.revocationList(of: [serialNumber(of: nodes.source)])
    try update(nodes.destination, TrustUpdate(number: 1, revocations: .lists([list])))
    try update(
      nodes.destination, TrustUpdate(number: 2, revocations: .lists([[1, 2, 3]])), isTaken: false)
    expectRefused(nodes)
  }

  @Test func `while there are none to go by nobody is let in, live or new`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    let unknown = TrustUpdate(number: 1, revocations: .unknown(reason: "crl.pem: no such file"))
    try update(nodes.destination, unknown)
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    guard case .failure(_, let reason)? = try nodes.destination.refusal("the cut")?.cause else {
      Issue.record("expected a failure")
      return
    }
    #expect(reason.contains("crl.pem: no such file"))
    expectRefused(nodes)
    try update(nodes.destination, TrustUpdate(number: 2))
    let third = try nodes.dial()
    try third.send("three")
    #expect(try third.receiveText(5) == "three")
  }
}
