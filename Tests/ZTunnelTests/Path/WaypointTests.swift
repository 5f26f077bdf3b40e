import AgentProtocol
import Glibc
import HBONE
import Linux
import MeshModel
import Testing

/// The two nodes, with a waypoint of the test's own at a third address.
enum WaypointMesh {
  static let address = SocketAddress(ip: .v4(0x0a4d_0003), port: 15_018)
  static let identity = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "waypoint")
  static let key = ServiceKey(namespace: "shop", hostname: "waypoint.shop.svc.cluster.local")
  static let server = ServiceKey(namespace: "shop", hostname: "server.shop.svc.cluster.local")

  static func nodes(isUsed: Bool = true, threads: Int = 2) throws -> TwoNodes {
    let nodes = try TwoNodes(threads: threads) { model in
      var waypoint = TwoNodes.workload("waypoint", address.ip, node: "two")
      waypoint.isNativeTunnel = true
      waypoint.services[key] = [PortMapping(servicePort: 15_008, targetPort: address.port)]
      model.workloads[waypoint.uid] = waypoint
      var service = Service(key: key, name: "waypoint")
      service.ports = [PortMapping(servicePort: 15_008, targetPort: address.port)]
      model.services[key] = service
      if isUsed { use(&model) }
    }
    _ = try nodes.network.server.perform { try ip("addr add 10.77.0.3/24 dev eth0") }.get()
    return nodes
  }

  static func use(_ model: inout Model) {
    model.services[server]?.waypoint = GatewayAddress(destination: .service(key))
  }

  static func waypoint(
    of nodes: TwoNodes, as identity: SPIFFEID = identity, allowing streams: Int = 100,
    _ answer: @escaping @Sendable (TestTunnelServer.Request) -> TestTunnelServer.Answer = { _ in
      .echo
    }
  ) throws -> TestTunnelServer {
    try TestTunnelServer(
      identity, on: address, in: nodes.network.server, nodes.authority, allowing: streams, answer)
  }
}

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `A waypoint` {
  @Test func `gets the connections to its service, and is asked for what was dialled`() throws {
    let nodes = try WaypointMesh.nodes()
    let waypoint = try WaypointMesh.waypoint(of: nodes)
    let stream = try nodes.dial(TwoNodes.virtual)
    try stream.send("hello")
    #expect(try stream.receiveText(5) == "hello")
    let request = try #require(waypoint.requests.first)
    #expect(request.authority == "10.96.0.10:8080")
    #expect(request.identity?.serviceAccount == "client")
    #expect(
      request.headers["forwarded"]?.hasSuffix(";host=server.shop.svc.cluster.local") == true)
    #expect(request.headers[ConnectHeaderNames.network] == nil)
    guard case .connections(let records) = try nodes.source.inspect(.connections) else { return }
    #expect(records.map(\.transport) == [.waypoint])
    #expect(records.map(\.destinationWorkload) == ["k//Pod/shop/waypoint"])
    #expect(records.map(\.destinationIdentity) == [WaypointMesh.identity])
    #expect(records.map(\.service) == [WaypointMesh.server])
    stream.finishSending()
    #expect(try stream.receive().isEmpty)
  }

  @Test func `that is not there is not gone round`() throws {
    let nodes = try WaypointMesh.nodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
    try nodes.publish { $0.workloads["k//Pod/shop/waypoint"] = nil }
    #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
    guard case .failure(.connect, let reason) = try nodes.source.refusal("no waypoint")?.cause
    else {
      Issue.record("another cause")
      return
    }
    #expect(reason.contains("waypoint shop/waypoint.shop.svc.cluster.local:15008"))
  }

  @Test func `that takes no tunnels yet is asked again for a while`() throws {
    let nodes = try WaypointMesh.nodes()
    let stream = try nodes.dial(TwoNodes.virtual)
    // It is refused meanwhile.
    usleep(300_000)
    let waypoint = try WaypointMesh.waypoint(of: nodes)
    try stream.send("hello")
    #expect(try stream.receiveText(5) == "hello")
    #expect(waypoint.requests.count == 1)
  }

  @Test func `that cannot prove who it is gets nothing`() throws {
    let nodes = try WaypointMesh.nodes()
    let impostor = try WaypointMesh.waypoint(
      of: nodes,
      as: SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "impostor"))
    #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
    #expect(impostor.requests.isEmpty)
    guard case .failure(.tlsFailure, _) = try nodes.source.refusal("an impostor")?.cause else {
      Issue.record("another cause")
      return
    }
  }

  @Test func `whose answer is no has the last word`() throws {
    let nodes = try WaypointMesh.nodes()
    let waypoint = try WaypointMesh.waypoint(of: nodes) { _ in .status(401) }
    #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
    #expect(waypoint.requests.count == 1)
    guard case .peer(401, let reason) = try nodes.source.refusal("a 401")?.cause else {
      Issue.record("another cause")
      return
    }
    #expect(reason.contains("waypoint 10.77.0.3:15018"))
  }

  @Test func `is the only way to the port of its service`() throws {
    let nodes = try WaypointMesh.nodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    #expect(throws: (any Error).self) { try nodes.dial().receive() }
    let there = try nodes.destination.refusal("the server's side")
    guard case .policy(.aroundWaypoint(let bypass)) = there?.cause else {
      Issue.record("\(String(describing: there))")
      return
    }
    #expect(bypass.owner == .service(WaypointMesh.server))
    #expect(bypass.expected == [WaypointMesh.identity])
    let here = try nodes.source.refusal("the client's side")
    #expect(here?.id == there?.id)
    guard case .peer(401, let reason) = here?.cause else { return }
    #expect(reason.contains("through its waypoint"))
    // The waypoint itself may.
    let peer = try `A hostile peer in the network`.peer(of: nodes, serviceAccount: "waypoint")
    #expect(try peer.connect("10.77.0.2:8080") == 200)
  }

  @Test func `that comes into being cuts the connections that go round it`() throws {
    let nodes = try WaypointMesh.nodes(isUsed: false)
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let stream = try nodes.dial()
    try stream.send("before")
    #expect(try stream.receiveText(6) == "before")
    try nodes.publish { WaypointMesh.use(&$0) }
    #expect(throws: Stream.Failure.reset) { try stream.receive() }
    #expect(try nodes.destination.refusal("a cut")?.endedLiveConnection == true)
  }

  @Test func `that allows no streams fails connections at once, and gets one tunnel`() throws {
    let nodes = try WaypointMesh.nodes(threads: 1)
    let waypoint = try WaypointMesh.waypoint(of: nodes, allowing: 0) { _ in
      .reset(.refusedStream)
    }
    for _ in 0..<4 {
      let start = MonotonicClock.now()
      #expect(throws: (any Error).self) { try nodes.dial(TwoNodes.virtual).receive() }
      #expect(MonotonicClock.now().since(start) < .seconds(9))
      try nodes.source.wait("a failed record") {
        guard let record = $0.closed else { return false }
        return record.reason.contains("allows no streams")
      }
    }
    #expect(waypoint.requests.count <= 1)
    guard case .tunnels(let tunnels) = try nodes.source.inspect(.tunnels) else { return }
    #expect(tunnels.count == 1)
  }
}

enum ConnectHeaderNames {
  static let network = "x-forwarded-network"
}
