import AgentProtocol
import Linux
import MeshModel
import Testing

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `Where a connection goes` {
  @Test func `to an unknown destination as plain TCP`() throws {
    let nodes = try TwoNodes()
    nodes.model.workloads["k//Pod/shop/server"] = nil
    nodes.model.generation += 1
    try nodes.source.send(nodes.model)
    let server = try nodes.serve { stream, peer in
      try stream.send("\(peer.ip)\n")
      try TestServer.echo(stream, peer)
    }
    _ = server
    let stream = try nodes.dial()
    #expect(try stream.receiveText(10) == "10.77.0.1\n")
    try stream.send("plain")
    #expect(try stream.receiveText(5) == "plain")
    guard case .connections(let records) = try nodes.source.inspect(.connections) else { return }
    #expect(records.map(\.transport) == [.passthrough])
  }

  @Test func `between two pods of one node without a tunnel, seen from both sides`() throws {
    let nodes = try TwoNodes(isOneNode: true)
    let server = try nodes.serve { stream, peer in
      try stream.send("\(peer.ip)\n")
      try TestServer.echo(stream, peer)
    }
    _ = server
    let stream = try nodes.dial()
    #expect(try stream.receiveText(10) == "10.77.0.1\n")
    guard case .connections(let records) = try nodes.source.inspect(.connections) else { return }
    #expect(Set(records.map(\.direction)) == [.inbound, .outbound])
    #expect(records.allSatisfy { $0.transport == .local })
    #expect(records.allSatisfy { $0.sourceIdentity?.serviceAccount == "client" })
    try nodes.publish { $0.policies[TwoNodes.denial.key] = TwoNodes.denial }
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    #expect(try nodes.source.refusal("a cut")?.endedLiveConnection == true)
    #expect(throws: (any Error).self) { try nodes.dial().receive() }
    let first = try nodes.source.refusal("one side")
    #expect(try nodes.source.refusal("the other side")?.id == first?.id)
  }

  @Test func `past an endpoint that is not who it should be`() throws {
    let nodes = try TwoNodes { model in
      guard let server = model.workloads["k//Pod/shop/server"] else { return }
      var ghost = TwoNodes.workload("ghost", .v4(0x0a4d_0003), node: "two")
      ghost.services = server.services
      model.workloads[ghost.uid] = ghost
    }
    let server = try nodes.serve(TestServer.echo)
    _ = server
    // The real server answers for the ghost's address, and cannot prove that it is the ghost.
    _ = try nodes.network.server.perform { try ip("addr add 10.77.0.3/24 dev eth0") }.get()
    for _ in 0..<4 {
      let stream = try nodes.dial(TwoNodes.virtual)
      try stream.send("ping")
      #expect(try stream.receiveText(4) == "ping")
    }
    #expect(throws: (any Error).self) { try nodes.dial(.v4(0x0a4d_0003)).receive() }
    let refusal = try nodes.source.refusal("wrong identity")
    guard case .failure(.tlsFailure, let reason) = refusal?.cause else {
      Issue.record("\(String(describing: refusal))")
      return
    }
    #expect(reason.contains("ghost"))
  }

  @Test func `nowhere when the service has no such port`() throws {
    let nodes = try TwoNodes { model in
      for key in model.services.keys { model.services[key]?.ports = [] }
    }
    #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
    #expect(try nodes.source.refusal("no route") != nil)
  }

  @Test func `to the canary that asks whether capture works`() throws {
    let nodes = try TwoNodes()
    let stream = try Stream.dial(
      SocketAddress(ip: .v4(0xc000_0201), port: 8_080), in: nodes.network.client,
      mark: TestNetwork.capture)
    let nonce: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
    try stream.send(nonce)
    #expect(try stream.receive(exactly: 9) == nonce)
    try nodes.source.wait("a canary") {
      $0 == .canaryArrived(uid: "pod-k//Pod/shop/client", nonce: 0x0102_0304_0506_0708)
    }
  }
}
