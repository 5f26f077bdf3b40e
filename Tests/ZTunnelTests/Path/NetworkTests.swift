import AgentProtocol
import HBONE
import Linux
import MeshModel
import Testing

/// The two nodes on two networks, with the entry of the second one at a third address.
private enum TwoNetworks {
  static let entry = SocketAddress(ip: .v4(0x0a4d_0003), port: 15_443)
  static let identity = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "entry")
  static let server = ServiceKey(namespace: "shop", hostname: "server.shop.svc.cluster.local")

  static func nodes(lending names: [SPIFFEID]) throws -> TwoNodes {
    let nodes = try TwoNodes { model in
      var gateway = TwoNodes.workload("entry", entry.ip, node: "two")
      gateway.network = "far"
      model.workloads[gateway.uid] = gateway
      model.workloads["k//Pod/shop/client"]?.network = "near"
      model.workloads["k//Pod/shop/server"]?.network = "far"
      model.workloads["k//Pod/shop/server"]?.networkGateway = GatewayAddress(
        destination: .address(network: "far", ip: entry.ip), tunnelPort: entry.port)
      model.services[server]?.virtualAddresses = [
        VirtualAddress(network: "near", ip: TwoNodes.virtual)
      ]
      model.services[server]?.subjectAltNames = names
    }
    _ = try nodes.network.server.perform { try ip("addr add 10.77.0.3/24 dev eth0") }.get()
    return nodes
  }

  /// Passes what it gets to the server's own port for tunnels, without a look inside.
  static func gateway(of nodes: TwoNodes) throws -> TestTunnelServer {
    let place = try SharedNamespace(nodes.network.server)
    return try TestTunnelServer(
      identity, on: entry, in: nodes.network.server, nodes.authority
    ) { _ in .bridge(SocketAddress(ip: TwoNodes.server, port: 15_008), in: place) }
  }

  static var serverIdentity: SPIFFEID {
    SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "server")
  }
}

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `A connection to another network` {
  @Test func `goes through its entry, proven and sealed from end to end`() throws {
    let nodes = try TwoNetworks.nodes(lending: [TwoNetworks.serverIdentity])
    let gateway = try TwoNetworks.gateway(of: nodes)
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial(TwoNodes.virtual)
    try stream.send("far away")
    #expect(try stream.receiveText(8) == "far away")
    let request = try #require(gateway.requests.first)
    #expect(request.authority == "server.shop.svc.cluster.local:8080")
    #expect(request.headers[ConnectHeaderNames.network] == nil)
    guard case .connections(let here) = try nodes.source.inspect(.connections),
      case .connections(let there) = try nodes.destination.inspect(.connections)
    else { return }
    #expect(here.map(\.transport) == [.doubleHBONE])
    #expect(here.map(\.destinationIdentity) == [TwoNetworks.serverIdentity])
    #expect(there.map(\.sourceIdentity?.serviceAccount) == ["client"])
    // The address it came from is the entry's, and means nobody known here.
    #expect(there.map(\.sourceWorkload) == [""])
    #expect(there.map(\.service) == [TwoNetworks.server])
    stream.finishSending()
    #expect(try stream.receive().isEmpty)
    try nodes.source.wait("a clean close") {
      guard let record = $0.closed else { return false }
      return record.reason.isEmpty && record.receivedBytes == 8
    }
    // The inner tunnel served one connection; the outer one stays for the next.
    for _ in 0..<100 {
      guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
      if tunnels.count == 1, tunnels[0].liveStreams == 0 { break }
      try nodes.source.pump(for: .milliseconds(20))
    }
    guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
    #expect(tunnels.map(\.peerIdentity) == [TwoNetworks.identity])
    #expect(tunnels.map(\.liveStreams) == [0])
  }

  @Test func `moves many bytes both ways without losing one`() throws {
    let nodes = try TwoNetworks.nodes(lending: [TwoNetworks.serverIdentity])
    let gateway = try TwoNetworks.gateway(of: nodes)
    _ = gateway
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial(TwoNodes.virtual)
    let count = 200_000
    try stream.sendPattern(count)
    #expect(try stream.checkPattern(count))
  }

  @Test func `to a far end that proves another name fails, whatever the entry says`() throws {
    let nodes = try TwoNetworks.nodes(lending: [TwoNetworks.identity])
    let gateway = try TwoNetworks.gateway(of: nodes)
    _ = gateway
    #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
    guard case .failure(.tlsFailure, let reason) = try nodes.source.refusal("another")?.cause
    else {
      Issue.record("another cause")
      return
    }
    #expect(reason.contains("server"))
  }

  @Test func `without a name to expect is refused`() throws {
    let nodes = try TwoNetworks.nodes(lending: [])
    #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
    guard case .failure(.connect, let reason) = try nodes.source.refusal("nobody")?.cause else {
      Issue.record("another cause")
      return
    }
    #expect(reason.contains("on another network without a known entry or identity"))
  }

  @Test func `that its client gives up while the far end says nothing leaves no tunnel behind`()
    throws
  {
    let nodes = try TwoNetworks.nodes(lending: [TwoNetworks.serverIdentity])
    let outcomes = Outcomes()
    let silent = SocketAddress(ip: TwoNodes.server, port: 9_999)
    let application = try TestServer(on: silent, in: nodes.network.server) { stream, _ in
      guard !(try stream.receive().isEmpty) else { return }
      outcomes.add("a ClientHello")
      while !(try stream.receive().isEmpty) {}
    }
    _ = application
    let place = try SharedNamespace(nodes.network.server)
    let gateway = try TestTunnelServer(
      TwoNetworks.identity, on: TwoNetworks.entry, in: nodes.network.server, nodes.authority
    ) { _ in .bridge(silent, in: place) }
    _ = gateway
    let stream = try nodes.dial(TwoNodes.virtual)
    #expect(try outcomes.next() == "a ClientHello")
    guard case .tunnels(let both) = try nodes.source.inspect(.tunnels) else { return }
    #expect(both.count == 2)
    stream.reset()
    var left: [TunnelRecord] = both
    for _ in 0..<100 where left.count > 1 {
      try nodes.source.pump(for: .milliseconds(20))
      guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
      left = tunnels
    }
    #expect(left.map(\.peerIdentity) == [TwoNetworks.identity])
  }

  @Test func `ends with a reset when the client resets`() throws {
    let nodes = try TwoNetworks.nodes(lending: [TwoNetworks.serverIdentity])
    let gateway = try TwoNetworks.gateway(of: nodes)
    _ = gateway
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
    let stream = try nodes.dial(TwoNodes.virtual)
    #expect(try stream.receiveText(4) == "open")
    stream.reset()
    #expect(try outcomes.next() == "reset")
  }
}
