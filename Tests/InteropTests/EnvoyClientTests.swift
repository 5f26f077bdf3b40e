import Foundation
import Glibc
import Linux
import NodeHarness
import Testing
import TestSupport

extension `Beside other programs` {
  /// Stock Envoy, set up as a waypoint's connect_originate is, dials an enrolled pod's port 15008.
  @Suite(
    .serialized,
    .mesh(arguments: ["--drain", "4s"]) { mesh in try await mesh.addWaypointShop() })
  struct `a node receives from Envoy` {
    static let port = String(Envoy.originatePort)

    /// An application beside Envoy, which carries its connection to the server.
    func client(_ command: String, _ arguments: String...) async throws -> JSON {
      try await Mesh.shared.spawn(
        in: "waypoint", "peer.py", [command, "127.0.0.1", Self.port] + arguments
      ).finish().json()
    }

    @Test(arguments: [false, true])
    func `64 MiB each way at once, unharmed, from its own address`(isIPv6: Bool) async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(
        of: mesh, Envoy.originate(to: "server", isIPv6: isIPv6, in: mesh)
      ) { _ in
        let result = try await client("both", String(64 << 20))
        #expect(result["received"].bool == true && result["sent"].bool == true, "\(result)")
        let answer = try await client("get", "whoami")
        let seen = try JSON(parsing: #require(answer["answer"].string, "\(answer)"))
        #expect(
          try await seen["peer"].string == mesh.address(of: "waypoint", isIPv6: isIPv6))
        #expect(try await seen["local"].string == mesh.address(of: "server", isIPv6: isIPv6))
      }
    }

    @Test(arguments: [
      (65_535, 65_535), (65_535, 1 << 20), (1 << 20, 65_535),
      (Int(Int32.max), Int(Int32.max)),
    ])
    func `through windows of any size`(stream: Int, connection: Int) async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(
        of: mesh, Envoy.originate(to: "server", in: mesh), "stream-window=\(stream)",
        "connection-window=\(connection)"
      ) { _ in
        var loads: [Running] = []
        for _ in 0..<4 {
          loads.append(
            try await mesh.spawn(
              in: "waypoint", "peer.py", "both", "127.0.0.1", Self.port, String(16 << 20)))
        }
        for load in loads {
          let result = try await load.finish().json()
          #expect(result["received"].bool == true && result["sent"].bool == true, "\(result)")
        }
      }
    }

    @Test func `a half-close, and answers it`() async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(of: mesh, Envoy.originate(to: "server", in: mesh)) { _ in
        let answer = try await client("get", "count")
        #expect(answer["answer"].string == "0", "\(answer)")
      }
    }

    @Test func `resets, and sends them`() async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(
        of: mesh, Envoy.originate(to: "server", in: mesh),
        Envoy.originate(at: 9001, to: "server", port: 8090, in: mesh),
        Envoy.originate(at: 9002, to: "server", port: 9, in: mesh)
      ) { envoy in
        let answer = try await client("get", "reset")
        #expect(answer["error"].string == "ECONNRESET", "\(answer)")
        for (how, expected) in [("close", "eof"), ("reset", "ECONNRESET")] {
          let ended = try await mesh.endings(in: "server", port: 8090) {
            _ = try await mesh.spawn(
              in: "waypoint", "endings.py", "leave", "127.0.0.1", "9001", how
            ).finish().json()
          }
          #expect(ended == [expected], "the server's end of a \(how)")
        }
        let closed = try await mesh.client(in: "waypoint", "get", "127.0.0.1", "9002", "name")
        #expect(Envoy.gave(nothing: closed), "nobody listens there: \(closed)")
        let entry = try await envoy.entry("originate") {
          $0["flags"].string?.contains("UF") == true
        }
        #expect(entry["failure"].string?.contains("503") == true, "\(entry)")
      }
    }

    @Test
    func `1000 connections at the same time, more than 200 on a tunnel that knows no cap yet`()
      async throws
    {
      let mesh = try Mesh.shared
      try await Envoy.serving(of: mesh, Envoy.originate(to: "server", in: mesh), "streams=1000") {
        envoy in
        let result = try await client("many", "1000")
        #expect(result["good"].int == 1_000, "\(result)")
        let tunnels = try await envoy.statistic("cluster.to_\(Self.port).upstream_cx_total")
        #expect((1...20).contains(tunnels), "\(tunnels)")
        let refused = try await envoy.statistic(
          "cluster.to_\(Self.port).http2.stream_refused_errors")
        #expect(refused == 0)
      }
    }

    @Test func `what policy allows Envoy's identity, and refuses the rest with 401`() async throws {
      let mesh = try Mesh.shared
      let server = try await mesh.address(of: "server")
      func policy(_ action: String, _ principal: String) -> String {
        Manifest.authorization(
          "server", action: action, selector: "server",
          rules: "[{from: [{source: {principals: [cluster.local/ns/shop/sa/\(principal)]}}]}]")
      }
      func waitUntil(_ isAllowed: Bool) async throws {
        try await eventually("Envoy is \(isAllowed ? "allowed" : "refused")") {
          try await client("get", "name")["answer"].string?.hasSuffix("|server") == isAllowed
        }
      }
      try await Envoy.serving(of: mesh, Envoy.originate(to: "server", in: mesh)) { envoy in
        try await mesh.apply("server", policy("ALLOW", "waypoint"))
        try await waitUntil(true)
        try await eventually("the client is refused") {
          try await mesh.client(in: "client", "get", server, "8080", "name")["error"].string != nil
        }
        try await mesh.apply("server", policy("DENY", "waypoint"))
        try await eventually("the client is allowed again") {
          try await mesh.client(in: "client", "get", server, "8080", "name")["answer"].string != nil
        }
        let denied = try await client("get", "name")
        #expect(Envoy.gave(nothing: denied), "\(denied)")
        let refusal = try await mesh.status("b", "refusals")[0]
        #expect(refusal["sourceIdentity"].string == (try await mesh.identity(of: "waypoint")))
        #expect(refusal["policy"].string == "shop/server", "\(refusal)")
        let id = try #require(refusal["id"].string)
        let entry = try await envoy.entry("originate") {
          $0["failure"].string?.contains("401") == true
        }
        #expect(entry["flags"].string?.contains("UF") == true, "\(entry)")
        let said = entry["headers"]["headers"].array.first { $0["key"].string == "skein-refusal" }
        #expect(said?["value"].string?.hasPrefix("\(id);") == true, "\(entry), not \(id)")
        try await mesh.delete("server")
        try await waitUntil(true)
      }
    }

    @Test func `nothing when Envoy expects another identity`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      try await Envoy.serving(
        of: mesh, Envoy.originate(to: "server", expecting: "client", in: mesh)
      ) { envoy in
        let answer = try await client("get", "name")
        #expect(Envoy.gave(nothing: answer), "\(answer)")
        let entry = try await envoy.entry("originate") { _ in true }
        #expect(
          entry["failure"].string?.contains("[\(try await mesh.identity(of: "server"))]") == true,
          "\(entry)")
      }
      try await unharmed.expect("a peer that wanted somebody else", in: mesh)
    }

    @Test func `the end of an Envoy that was killed, and forgets what it carried`() async throws {
      let mesh = try Mesh.shared
      let envoy = try await Envoy.start(
        of: mesh, [Envoy.originate(to: "server", port: 8090, in: mesh)])
      let ended = try await mesh.endings(in: "server", port: 8090) {
        let held = try await mesh.spawn(
          in: "waypoint", "peer.py", "hold", "127.0.0.1", Self.port, "30", "0.02")
        try await held.waitFor("open")
        try await Task.sleep(for: .milliseconds(200))
        await envoy.kill()
        #expect(try await held.finish().json()["ended"].string != "")
      }
      #expect(ended == ["ECONNRESET"], "the application hears that it was not the end")
      let waypoint = try await mesh.address(of: "waypoint")
      try await eventually("nothing of Envoy's is left") {
        let (connections, tunnels) = try await (
          mesh.status("b", "connections").array, mesh.status("b", "tunnels").array
        )
        return connections.allSatisfy { $0["source"].string?.hasPrefix("\(waypoint):") != true }
          && tunnels.allSatisfy { $0["peer"].string?.hasPrefix("\(waypoint):") != true }
      }
    }

    @Test func `again after ztunnel was killed under its load`() async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(of: mesh, Envoy.originate(to: "server", in: mesh)) { _ in
        let load = try await mesh.spawn(
          in: "waypoint", "peer.py", "rate", "127.0.0.1", Self.port, "200", "5")
        try await Task.sleep(for: .seconds(1.5))
        Glibc.kill(try await mesh.ztunnelProcessID("b"), SIGKILL)
        let result = try await load.finish().json()
        let good = try #require(result["outcome"]["ok"].int)
        #expect(good >= 1_000 - 300, "at most 1.5 s worth are lost: \(result)")
        #expect(result["outcome"]["ETIMEDOUT"].int == nil, "\(result)")
        try await mesh.waitUntilEnrolled("server")
        let after = try await client("rate", "50", "1")
        #expect(after["outcome"]["ok"].int == 50, "\(after)")
      }
    }

    /// Envoy hears GOAWAY, and serves what runs until our deadline.
    @Test func `what runs on while the node drains, until the deadline`() async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(of: mesh, Envoy.originate(to: "server", in: mesh)) { envoy in
        func hold(_ seconds: String) async throws -> Running {
          let held = try await mesh.spawn(
            in: "waypoint", "peer.py", "hold", "127.0.0.1", Self.port, seconds, "0.02")
          try await held.waitFor("open")
          return held
        }
        let (short, long) = (try await hold("3"), try await hold("30"))
        let agent = try await mesh.agent("b")
        agent.signal(.terminate)
        #expect(try await short.finish().json()["ended"].string == "")
        let cut = try await long.finish().json()
        #expect(cut["ended"].string == "ECONNRESET", "\(cut)")
        #expect((3.5..<7).contains(try #require(cut["after"].double)), "\(cut)")
        #expect(try await agent.finish().status == 0)
        try await mesh.startAgent("b")
        try await mesh.waitUntilEnrolled("server")
        let after = try await client("rate", "50", "1")
        #expect(after["outcome"]["ok"].int == 50, "\(after)")
      }
    }
  }

  /// Client, ztunnel, Envoy, ztunnel, server: the way through a waypoint.
  @Suite(.serialized, .mesh { mesh in try await mesh.addWaypointShop() })
  struct `two nodes with Envoy between them` {
    @Test func `carry 64 MiB each way, a half-close and a reset`() async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(
        of: mesh, "serve=\(Envoy.originatePort)", Envoy.originate(to: "server", in: mesh)
      ) { _ in
        let waypoint = try await mesh.address(of: "waypoint")
        let name = try await mesh.client(in: "client", "get", waypoint, "8080", "name")
        #expect(name["answer"].string?.hasSuffix("|server") == true, "\(name)")
        let result = try await mesh.echo(64 << 20, at: waypoint)
        #expect(result["good"].int == 1, "\(result)")
        let half = try await mesh.client(in: "client", "get", waypoint, "8080", "count")
        #expect(half["answer"].string == "0", "\(half)")
        let reset = try await mesh.client(in: "client", "get", waypoint, "8080", "reset")
        #expect(reset["error"].string == "ECONNRESET", "\(reset)")
      }
    }

    /// Envoy's PINGs must be answered within a second, ours (every 10 s) within 20 s.
    @Test func `keep idle connections alive through the PINGs of either side`() async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(
        of: mesh, "serve=\(Envoy.originatePort)", Envoy.originate(to: "server", in: mesh), "ping=2",
        "ping-answer=1"
      ) { envoy in
        let waypoint = try await mesh.address(of: "waypoint")
        let result = try await mesh.client(
          in: "client", "idle", waypoint, "8080", "5", "32")
        #expect(result["alive"].int == 5, "\(result)")
        let lost = [
          try await envoy.statistic("http2.keepalive_timeout"),
          try await envoy.statistic("cluster.to_\(Envoy.originatePort).http2.keepalive_timeout"),
        ]
        #expect(lost == [0, 0])
      }
    }
  }
}
