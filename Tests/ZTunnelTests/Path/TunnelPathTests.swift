import AgentProtocol
import Linux
import MeshModel
import Testing

/// Two nodes with one pod each, joined by a cable.
final class TwoNodes {
  let network: TestNetwork
  let authority: TestAuthority
  let source: TestAgent
  let destination: TestAgent
  var model = Model(generation: 1)
  static let client = IPAddress.v4(0x0a4d_0001)
  static let server = IPAddress.v4(0x0a4d_0002)
  static let virtual = IPAddress.v4(0x0a60_000a)
  static let port: UInt16 = 8_080

  init() throws {
    network = try TestNetwork()
    authority = try TestAuthority()
    source = try TestAgent(authority)
    destination = try TestAgent(authority)
    let client = Self.workload("client", Self.client, node: "one")
    var server = Self.workload("server", Self.server, node: "two")
    let key = ServiceKey(namespace: "shop", hostname: "server.shop.svc.cluster.local")
    var service = Service(key: key, name: "server")
    service.virtualAddresses = [Self.virtual]
    service.ports = [PortMapping(servicePort: Self.port, targetPort: Self.port)]
    server.services[key] = service.ports
    model.workloads = [client.uid: client, server.uid: server]
    model.services = [key: service]
    for (agent, node) in [(source, "one"), (destination, "two")] {
      try agent.configure(node: node)
      try agent.send(model)
    }
    try source.addPod(client, network.client, outboundPort: Self.port)
    try destination.addPod(server, network.server, outboundPort: 8_079)
    for agent in [source, destination] { try agent.waitForCertificate() }
  }

  static func workload(_ name: String, _ address: IPAddress, node: String) -> Workload {
    var workload = Workload(uid: "k//Pod/shop/\(name)", name: name, namespace: "shop")
    workload.serviceAccount = name
    workload.addresses = [address]
    workload.node = node
    workload.tunnelProtocol = .hbone
    return workload
  }

  func dial(_ ip: IPAddress = TwoNodes.server) throws -> Stream {
    try Stream.dial(
      SocketAddress(ip: ip, port: Self.port), in: network.client, mark: TestNetwork.capture)
  }

  func serve(
    _ handler: @escaping @Sendable (Stream, SocketAddress) throws -> Void
  ) throws -> TestServer {
    try TestServer(
      on: SocketAddress(ip: Self.server, port: Self.port), in: network.server, handler)
  }
}

extension TestAgent {
  func waitForCertificate() throws {
    for _ in 0..<200 {
      if case .certificates(let records) = try inspect(.certificates),
        records.contains(where: { $0.state == "valid" })
      {
        return
      }
      try pump(for: .milliseconds(20))
    }
    throw Timeout(waitingFor: "a certificate")
  }
}

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
      guard case .connectionClosed(let record) = $0 else { return false }
      closed = record
      return true
    }
    #expect(closed?.transport == .hbone)
    #expect(closed?.receivedBytes == 5)
    #expect(closed?.sentBytes == 15)
    guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
    #expect(tunnels.count == 1)
  }
}
