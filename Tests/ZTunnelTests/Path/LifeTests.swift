import AgentProtocol
import Linux
import MeshModel
import Testing

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `The life of a ztunnel` {
  @Test func `a connection does not notice that the agent is replaced`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    let hello = try nodes.source.restart()
    #expect(hello?.generation == 1)
    #expect(hello?.pods.map(\.workloadUID) == ["k//Pod/shop/client"])
    #expect(hello?.identities.map(\.serviceAccount) == ["client"])
    try nodes.source.wait("copies of the listeners") {
      $0 == .podListening(uid: "pod-k//Pod/shop/client")
    }
    try stream.send("two")
    #expect(try stream.receiveText(3) == "two")
    let another = try nodes.dial()
    try another.send("three")
    #expect(try another.receiveText(5) == "three")
  }

  @Test func `a removed pod leaves nothing open`() throws {
    let nodes = try TwoNodes(isOneNode: true)
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let before = try nodes.source.openDescriptors
    let stream = try nodes.dial()
    try stream.send("x")
    #expect(try stream.receiveText(1) == "x")
    try nodes.source.send(.removePod(uid: "pod-k//Pod/shop/client"))
    try nodes.source.wait("podRemoved") { $0 == .podRemoved(uid: "pod-k//Pod/shop/client") }
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    // A namespace, six listeners and two families' sockets for DNS and its answers less; each worker
    // opens its own namespace at its first dial.
    let left = try nodes.source.openDescriptors.count
    #expect((before.count - 11...before.count - 9).contains(left), "\(left) of \(before.count)")
  }

  @Test func `a listener that is destroyed is made anew`() throws {
    let nodes = try TwoNodes()
    // The listener's own shutdown is what SOCK_DESTROY comes to: accept answers EINVAL.
    try nodes.destroyOutboundListener()
    try nodes.source.wait("fresh copies") {
      $0 == .podListening(uid: "pod-k//Pod/shop/client")
    }
  }

  @Test func `draining lets live connections end and takes no new ones`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    try nodes.source.send(.drain(deadline: .seconds(20)))
    try nodes.destination.send(.drain(deadline: .seconds(20)))
    try stream.send("two")
    #expect(try stream.receiveText(3) == "two")
    stream.finishSending()
    #expect(try stream.receive().isEmpty)
    try nodes.source.wait("drained") { $0 == .drained(cut: 0) }
    try nodes.destination.wait("drained") { $0 == .drained(cut: 0) }
  }

  @Test func `a drain cuts what is left at its deadline`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("one")
    #expect(try stream.receiveText(3) == "one")
    try nodes.source.send(.drain(deadline: .milliseconds(200)))
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    try nodes.source.wait("drained") { $0 == .drained(cut: 1) }
  }

  @Test func `a certificate that does not come is waited for, then refused with the reason`() throws
  {
    let nodes = try TwoNodes()
    nodes.source.signs = false
    try nodes.publish { model in
      model.workloads["k//Pod/shop/client"]?.serviceAccount = "unsigned"
    }
    let stream = try nodes.dial()
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    guard case .failure(.identity, let reason) = try nodes.source.refusal("identity")?.cause else {
      Issue.record("another cause")
      return
    }
    #expect(reason.contains("no certificate"))
  }
}
