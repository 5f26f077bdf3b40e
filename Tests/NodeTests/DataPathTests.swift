import Foundation
import Linux
import NodeHarness
import Testing

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.addPod("client", on: "a")
      try await mesh.addPod("neighbour", on: "a")
      try await mesh.addPod("server", on: "b")
      try await mesh.addPod("second", on: "b")
      try await mesh.addPod("stranger", on: "a", namespace: "outside")
      try await mesh.apply(
        "service-server",
        Manifest.service("server", selector: "{app: server}", virtualIP: "10.96.0.10"))
      try await mesh.startAgent("a")
      try await mesh.startAgent("b")
      for pod in ["server", "second", "neighbour", "stranger"] { try await mesh.serve(in: pod) }
      try await mesh.waitUntilEnrolled("client", "neighbour", "server", "second")
    })
  struct `carries connections` {
    @Test(arguments: [false, true])
    func `to a pod on the other node, from the client's own address`(isIPv6: Bool) async throws {
      let mesh = try Mesh.shared
      let (client, server) = try await (
        #require(mesh.pods["client"]), #require(mesh.pods["server"])
      )
      let answer = try await mesh.client(
        in: "client", "get", isIPv6 ? server.ip6 : server.ip4, "8080", "whoami")
      let seen = try JSON(parsing: #require(answer["answer"].string, "\(answer)"))
      #expect(seen["peer"].string == (isIPv6 ? client.ip6 : client.ip4))
      #expect(seen["local"].string == (isIPv6 ? server.ip6 : server.ip4))
    }

    @Test func `to a service by its virtual address`() async throws {
      let answer = try await Mesh.shared.client(in: "client", "get", "10.96.0.10", "80", "name")
      #expect(answer["answer"].string?.hasSuffix("|server") == true, "\(answer)")
    }

    @Test func `to a pod on the same node without TLS`() async throws {
      let mesh = try Mesh.shared
      let neighbour = try await #require(mesh.pods["neighbour"])
      let answer = try await mesh.client(in: "client", "get", neighbour.ip4, "8080", "whoami")
      let seen = try JSON(parsing: #require(answer["answer"].string, "\(answer)"))
      #expect(try await seen["peer"].string == #require(mesh.pods["client"]).ip4)
    }

    @Test func `to a pod outside the mesh, untouched`() async throws {
      let mesh = try Mesh.shared
      let stranger = try await #require(mesh.pods["stranger"])
      let answer = try await mesh.client(in: "client", "get", stranger.ip4, "8080", "name")
      #expect(answer["answer"].string?.hasSuffix("|stranger") == true, "\(answer)")
    }

    @Test func `from a pod outside the mesh while nothing forbids plaintext`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let answer = try await mesh.client(in: "stranger", "get", server.ip4, "8080", "whoami")
      let seen = try JSON(parsing: #require(answer["answer"].string, "\(answer)"))
      #expect(try await seen["peer"].string == #require(mesh.pods["stranger"]).ip4)
    }

    @Test func `and nothing of them is readable between the nodes`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let sniffer = try await mesh.spawn(
        in: "a", "sniff.py", "under0", "20", "<3>", "<17>", "echo")
      try await sniffer.waitFor("ready")
      let result = try await mesh.client(in: "client", "many", server.ip4, "8080", "50")
      #expect(result["good"].int == 50)
      sniffer.signal(.terminate)
      let seen = try await sniffer.finish().json()
      #expect((seen["ports"]["15008"].int ?? 0) > 0, "\(seen)")
      #expect(seen["ports"]["8080"].int == nil, "\(seen)")
      for (text, count) in seen["found"].object {
        #expect(count.int == 0, "“\(text)” was readable on the wire")
      }
    }

    @Test func `whose server speaks first`() async throws {
      let mesh = try Mesh.shared
      try await mesh.spawn(in: "server", "peer.py", "banner", "8025").waitFor("ready")
      let server = try await #require(mesh.pods["server"])
      let answer = try await mesh.client(in: "client", "greet", server.ip4, "8025")
      #expect(answer["answer"].string == "220 ready")
    }

    @Test func `that are half closed and still answered`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let answer = try await mesh.client(in: "client", "get", server.ip4, "8080", "count")
      #expect(answer["answer"].string == "0", "\(answer)")
    }

    @Test func `whose reset arrives as a reset`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let answer = try await mesh.client(in: "client", "get", server.ip4, "8080", "reset")
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
    }

    @Test func `to a closed port, as a reset`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let answer = try await mesh.client(in: "client", "get", server.ip4, "9", "name")
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
    }

    @Test func `of 1 GiB in both directions at once, unharmed`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let result = try await mesh.client(
        in: "client", "both", server.ip4, "8080", String(1 << 30), within: .seconds(180))
      #expect(result["received"].bool == true, "\(result)")
      #expect(result["sent"].bool == true, "\(result)")
    }

    @Test func `that say nothing for longer than a keep-alive takes`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let result = try await mesh.client(in: "client", "idle", server.ip4, "8080", "5", "13")
      #expect(result["alive"].int == 5, "\(result)")
    }

    @Test func `2000 at the same time`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let result = try await mesh.client(
        in: "client", "many", server.ip4, "8080", "2000", within: .seconds(120))
      #expect(result["good"].int == 2000, "\(result)")
    }
  }
}
