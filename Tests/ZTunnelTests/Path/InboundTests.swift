import AgentProtocol
import HBONE
import Linux
import MeshModel
import Testing

@Suite(.enabled(if: CurrentProcess.isRoot, "needs root"), .serialized)
struct `What a CONNECT may ask of a pod` {
  @Test func `an application tunnel is told over loopback who connects and to what`() throws {
    let nodes = try TwoNodes { model in
      model.workloads["k//Pod/shop/server"]?.applicationTunnel = ApplicationTunnel(
        form: .proxy, port: 15_088)
    }
    let outcomes = Outcomes()
    let header = ProxyHeaderText.length(of: "spiffe://cluster.local/ns/shop/sa/client")
    let application = try TestServer(
      on: SocketAddress(ip: .v4(0x7f00_0001), port: 15_088), in: nodes.network.server
    ) { stream, peer in
      outcomes.add(ProxyHeaderText.summary(of: try stream.receive(exactly: header)))
      outcomes.add("\(peer.ip)")
      try TestServer.echo(stream, peer)
    }
    _ = application
    let peer = try `A hostile peer in the network`.peer(of: nodes)
    #expect(try peer.connect("203.0.113.9:443") == 200)
    let told = try outcomes.next()
    #expect(told.hasPrefix("4 10.77.0.1 -> 203.0.113.9:443"))
    #expect(told.hasSuffix("spiffe://cluster.local/ns/shop/sa/client"))
    #expect(try outcomes.next() == "127.0.0.1")
    let stream = try nodes.dial()
    try stream.send("behind the header")
    #expect(try stream.receiveText(17) == "behind the header")
    #expect(try outcomes.next().contains("-> 10.77.0.2:8080"))
  }

  @Test func `plaintext may not bring a PROXY header of its own`() throws {
    let nodes = try TwoNodes { model in
      model.workloads["k//Pod/shop/server"]?.applicationTunnel = ApplicationTunnel(
        form: .proxy, port: 0)
    }
    let port = try #require(try nodes.destination.inboundPort)
    // The reset may come before the dial is over.
    #expect(throws: (any Error).self) {
      try Stream.dial(
        SocketAddress(ip: TwoNodes.server, port: port), in: nodes.network.client
      ).receive()
    }
    let refusal = try nodes.destination.refusal("a header that may be forged")
    #expect(refusal?.cause == .policy(.couldForgeHeader(port: 0)))
    #expect(refusal?.destination == SocketAddress(ip: TwoNodes.server, port: port))
  }

  @Test func `what it may not have is refused with the reason, on record`() throws {
    let nodes = try TwoNodes()
    let peer = try `A hostile peer in the network`.peer(of: nodes)
    #expect(try peer.connect("10.77.0.9:8080") == 400)
    #expect(peer.headers["skein-refusal"]?.contains("asked for 10.77.0.9:8080") == true)
    let refusal = try nodes.destination.refusal("a foreign address")
    guard case .failure(.connect, let reason) = refusal?.cause else {
      Issue.record("\(String(describing: refusal))")
      return
    }
    #expect(reason.contains("no waypoint of it"))
  }

  @Test func `who is not allowed cannot tell what is there from what is not`() throws {
    let nodes = try TwoNodes { model in
      var front = Service(
        key: ServiceKey(namespace: "shop", hostname: "front.shop.svc.cluster.local"),
        name: "front")
      front.virtualAddresses = [VirtualAddress(ip: .v4(0x0a60_000b))]
      front.waypoint = GatewayAddress(destination: .address(network: "", ip: TwoNodes.server))
      model.services[front.key] = front
      // Of the ports of the pod one alone is closed to the client.
      var denial = TwoNodes.denial
      denial.rules[0].clauses[0].matches[0].destinationPorts = [TwoNodes.port]
      model.policies[denial.key] = denial
    }
    let application = try nodes.serve(TestServer.echo)
    _ = application
    let asked = [
      "server.shop.svc.cluster.local:8080", "nothing.shop.svc.cluster.local:8080",
      "server.shop.svc.cluster.local:81", "nothing.shop.svc.cluster.local:81",
      "front.shop.svc.cluster.local:80", "10.96.0.11:8080", "10.96.0.12:8080", "10.77.0.9:80",
    ]
    let stranger = try `A hostile peer in the network`.peer(of: nodes)
    var answers: Set<String> = []
    for authority in asked {
      let status = try stranger.connect(authority)
      // All but the id.
      answers.insert("\(status) \(stranger.headers["skein-refusal"]?.dropFirst(16) ?? "")")
    }
    #expect(answers == ["401 ; not allowed; the destination's node has the reason under this id"])
    let record = try nodes.destination.refusal("the reason, on the destination's node")
    #expect(
      record?.cause == .policy(.matched(policy: TwoNodes.denial.key, rule: 0)), "\(asked[0])")
    #expect(try stranger.connect("10.77.0.2:8080") == 401)
    #expect(stranger.headers["skein-refusal"]?.contains("no-client") == true)
    // Who may have all of it is told what it asked for wrongly.
    let friend = try `A hostile peer in the network`.peer(of: nodes, serviceAccount: "friend")
    #expect(try friend.connect(asked[0]) == 200)
    #expect(try friend.connect(asked[1]) == 503)
    #expect(friend.headers["skein-refusal"]?.contains("no service nothing") == true)
  }

  @Test func `a pod that is a waypoint takes what it stands in front of`() throws {
    let nodes = try TwoNodes { model in
      var other = Service(
        key: ServiceKey(namespace: "shop", hostname: "other.shop.svc.cluster.local"),
        name: "other")
      other.virtualAddresses = [VirtualAddress(ip: .v4(0x0a60_000b))]
      other.waypoint = GatewayAddress(
        destination: .address(network: "", ip: TwoNodes.server))
      model.services[other.key] = other
    }
    let application = try nodes.serve(TestServer.echo)
    _ = application
    let peer = try `A hostile peer in the network`.peer(of: nodes)
    #expect(try peer.connect("10.96.0.11:8080") == 200)
    #expect(try peer.connect("10.96.0.12:8080") == 400)
  }
}

/// A PROXY header as words.
private enum ProxyHeaderText {
  static func length(of identity: String) -> Int { 16 + 12 + 3 + identity.utf8.count }

  static func summary(of bytes: [UInt8]) -> String {
    guard bytes.count > 31, bytes[12] == 0x21, bytes[13] == 0x11, bytes[28] == 0xd0 else {
      return "no header: \(bytes)"
    }
    let words = bytes[16..<24].map(String.init)
    let port = UInt16(bytes[26]) << 8 | UInt16(bytes[27])
    let identity = String(decoding: bytes[31...], as: UTF8.self)
    return
      "4 \(words[..<4].joined(separator: ".")) -> \(words[4...].joined(separator: ".")):\(port) "
      + identity
  }
}
