import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS
import Testing
import TestSupport

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `A hostile peer in the network` {
  static let door = SocketAddress(ip: TwoNodes.server, port: 15_008)
  static let server = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "server")

  static func peer(
    of nodes: TwoNodes, trustDomain: String = "cluster.local", serviceAccount: String = "client"
  ) throws -> TestPeer {
    try TestPeer(
      SPIFFEID(trustDomain: trustDomain, namespace: "shop", serviceAccount: serviceAccount),
      from: nodes.network.client, to: door, expecting: server, nodes.authority)
  }

  @Test func `that does not speak TLS is closed and recorded`() throws {
    let nodes = try TwoNodes()
    let stream = try Stream.dial(Self.door, in: nodes.network.client)
    try stream.send("GET / HTTP/1.1\r\n\r\n")
    #expect(throws: (any Error).self) {
      while !(try stream.receive().isEmpty) {}; throw Done()
    }
    guard case .failure(.tlsFailure, _) = try nodes.destination.refusal("noise")?.cause else {
      Issue.record("another cause")
      return
    }
  }

  @Test func `of another trust domain never gets to ask`() throws {
    let nodes = try TwoNodes()
    #expect(throws: (any Error).self) {
      try Self.peer(of: nodes, trustDomain: "elsewhere").connect("10.77.0.2:8080")
    }
    guard case .failure(.tlsFailure, let reason) = try nodes.destination.refusal("trust")?.cause
    else {
      Issue.record("another cause")
      return
    }
    #expect(reason.contains("elsewhere"))
  }

  struct Row: CustomTestStringConvertible {
    var authority: String
    var status: UInt16
    var testDescription: String { "\(authority) is answered with \(status)" }
  }

  static let rows = [
    Row(authority: "10.77.0.2:8080", status: 200),
    Row(authority: "10.77.0.1:8080", status: 400),
    Row(authority: "127.0.0.1:8080", status: 400),
    Row(authority: "server.shop.svc.cluster.local:8080", status: 200),
    Row(authority: "server.shop.svc.cluster.local:8081", status: 503),
    Row(authority: "server.shop.svc:8080", status: 503),
    Row(authority: "10.77.0.2", status: 400),
    Row(authority: "nonsense", status: 400),
    Row(authority: "10.77.0.2:15008", status: 503),
    Row(authority: "10.77.0.2:15001", status: 503),
    Row(authority: "10.77.0.2:8099", status: 503),
  ]

  @Test func `gets a tunnel only to the pod it dialled`() throws {
    let nodes = try TwoNodes()
    let application = try nodes.serve(TestServer.echo)
    _ = application
    let peer = try Self.peer(of: nodes)
    for row in Self.rows {
      #expect(try peer.connect(row.authority) == row.status, "\(row.testDescription)")
      // Only who gets in hears who it is.
      let server = "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.pod.name=server"
      let expected = row.status == 200 ? server : nil
      #expect(peer.headers["baggage"] == expected)
    }
  }

  @Test func `that never shakes hands does not keep others out`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    var silent: [Stream] = []
    for _ in 0..<200 { silent.append(try Stream.dial(Self.door, in: nodes.network.client)) }
    #expect(try Self.peer(of: nodes).connect("10.77.0.2:8080") == 200)
    #expect(silent.count == 200)
  }

  @Test func `that resets without error still has its bytes delivered, and then the end`() throws {
    let nodes = try TwoNodes()
    let outcomes = Outcomes()
    let count = 4_000_000
    let server = try nodes.serve { stream, _ in
      // Slow to read: most of it waits in ztunnel when the reset comes.
      var events: [PollEvent] = []
      try Poller().wait(timeout: .milliseconds(300), into: &events)
      do {
        outcomes.add("\(try stream.receive(exactly: count).count) \(try stream.receive().count)")
      } catch {
        outcomes.add("\(error)")
      }
    }
    _ = server
    let peer = try Self.peer(of: nodes)
    try peer.sendAndReset("10.77.0.2:8080", [UInt8](repeating: 7, count: count))
    #expect(try outcomes.next() == "4000000 0")
  }

  @Test func `that forges a record hears so, whatever else is on its way to it`() throws {
    let nodes = try TwoNodes()
    let peer = try Self.peer(of: nodes)
    // bad_record_mac. Source: RFC 8446, section 6.
    #expect(try peer.sendPingAndForgery() == .alert(TLSAlert(number: 20)))
  }

  @Test func `that does not answer a drain does not hold it up`() throws {
    let nodes = try TwoNodes()
    let peer = try Self.peer(of: nodes)
    #expect(try peer.connect("nonsense") == 400)
    try nodes.destination.send(.drain(deadline: .seconds(30)))
    try nodes.destination.wait("drained") { $0 == .drained(cut: 0) }
  }

  @Test func `with noise after a good handshake loses its connection and no other`() throws {
    let nodes = try TwoNodes()
    let server = try nodes.serve(TestServer.echo)
    _ = server
    let good = try nodes.dial()
    try good.send("one")
    #expect(try good.receiveText(3) == "one")
    let hostile = try Self.peer(of: nodes)
    #expect(throws: (any Error).self) { try hostile.sendNoise() }
    try good.send("two")
    #expect(try good.receiveText(3) == "two")
  }
}

private struct Done: Error {}
