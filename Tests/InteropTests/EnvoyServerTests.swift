import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

extension `Beside other programs` {
  /// A pod of the mesh dials another whose port 15008 is stock Envoy, set up as a waypoint is.
  @Suite(.serialized, .mesh { mesh in try await mesh.addWaypointShop() })
  struct `a node sends to Envoy` {
    @Test(arguments: [false, true])
    func `64 MiB each way at once, unharmed, and names itself`(isIPv6: Bool) async throws {
      let mesh = try Mesh.shared
      try await Envoy.serving(of: mesh, "serve=0") { envoy in
        let waypoint = try await mesh.address(of: "waypoint", isIPv6: isIPv6)
        let result = try await mesh.echo(64 << 20, at: waypoint)
        #expect(result["good"].int == 1, "\(result)")
        let entry = try await envoy.entry("terminate") { $0["received"].int ?? 0 > 64 << 20 }
        #expect(entry["peer"].string == "spiffe://cluster.local/ns/shop/sa/client", "\(entry)")
        #expect(entry["status"].int == 200 && entry["flags"].string == "-", "\(entry)")
        let client = try await mesh.address(of: "client", isIPv6: isIPv6)
        #expect(entry["source"].string?.contains(client) == true, "\(entry)")
        #expect(entry["forwarded"].string?.contains(client) == true, "\(entry)")
        #expect(entry["baggage"].string?.contains("k8s.pod.name=client") == true, "\(entry)")
      }
    }

    /// Stream window, connection window, streams a connection.
    @Test(arguments: [
      (65_535, 65_535, 100), (65_535, 1 << 20, 100), (1 << 20, 65_535, 100),
      (Int(Int32.max), Int(Int32.max), 100), (16 << 20, 24 << 20, 1),
    ])
    func `through windows of any size`(stream: Int, connection: Int, streams: Int) async throws {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      try await Envoy.serving(
        of: mesh, "serve=0", "stream-window=\(stream)", "connection-window=\(connection)",
        "streams=\(streams)"
      ) { envoy in
        let result = try await mesh.echo(16 << 20, times: 4, at: waypoint)
        #expect(result["good"].int == 4, "\(result)")
        let tunnels = try await envoy.statistic("http.terminate.downstream_cx_total")
        #expect(streams > 1 || tunnels >= 4, "\(tunnels) connections for four streams")
      }
    }

    @Test func `a half-close, and hears the answer`() async throws {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      try await Envoy.serving(of: mesh, "serve=0") { _ in
        let answer = try await mesh.client(in: "client", "get", waypoint, "8080", "count")
        #expect(answer["answer"].string == "0", "\(answer)")
      }
    }

    @Test func `and hears the reset of an application behind it as a reset`() async throws {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      try await Envoy.serving(of: mesh, "serve=0") { _ in
        let answer = try await mesh.client(in: "client", "get", waypoint, "8080", "reset")
        #expect(answer["error"].string == "ECONNRESET", "\(answer)")
        let closed = try await mesh.client(in: "client", "get", waypoint, "9", "name")
        #expect(closed["error"].string == "ECONNRESET", "nobody listens there: \(closed)")
      }
    }

    /// Envoy ends its connection to the application with FIN either way.
    @Test func `the reset of its own application as RST_STREAM`() async throws {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      try await Envoy.serving(of: mesh, "serve=0") { envoy in
        for (how, resets) in [("close", 0), ("reset", 1)] {
          let before = try await envoy.statistic("http2.rx_reset")
          let ended = try await mesh.endings(in: "waypoint", port: 8090) {
            let left = try await mesh.spawn(
              in: "client", "endings.py", "leave", waypoint, "8090", how
            ).finish().json()
            #expect(left["answer"].string == "hello")
          }
          #expect(ended.count == 1)
          #expect(try await envoy.statistic("http2.rx_reset") - before == resets, "\(how)")
        }
      }
    }

    @Test func `1000 connections at the same time, over as many tunnels as it takes`() async throws
    {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      try await Envoy.serving(of: mesh, "serve=0") { envoy in
        let result = try await mesh.client(
          in: "client", "many", waypoint, "8080", "1000")
        #expect(result["good"].int == 1_000, "\(result)")
        let tunnels = try await envoy.statistic("http.terminate.downstream_cx_total")
        #expect((10...40).contains(tunnels), "\(tunnels) connections of 100 streams each")
      }
    }

    @Test func `new connections on a new tunnel after each GOAWAY, losing none`() async throws {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      try await Envoy.serving(of: mesh, "serve=0", "requests=10", "drain=5") { envoy in
        let result = try await mesh.client(
          in: "client", "rate", waypoint, "8080", "200", "3")
        #expect(result["outcome"]["ok"].int == 600, "\(result)")
        let tunnels = try await envoy.statistic("http.terminate.downstream_cx_total")
        #expect(tunnels >= 30, "\(tunnels) connections for 600 requests, 10 each")
      }
    }

    @Test func `on the old tunnel too what began before a drain, until Envoy resets it`()
      async throws
    {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      try await Envoy.serving(of: mesh, "serve=0", "drain=1") { envoy in
        let hold = { (seconds: String) in
          try await mesh.spawn(
            in: "client", "peer.py", "hold", waypoint, "8080", seconds, "0.02")
        }
        let (short, long) = (try await hold("2.5"), try await hold("20"))
        try await short.waitFor("open")
        try await long.waitFor("open")
        try await envoy.ask("POST", "drain_listeners?graceful&skip_exit")
        let load = try await mesh.client(in: "client", "rate", waypoint, "8080", "100", "2")
        #expect(load["outcome"]["ok"].int == 200, "\(load)")
        #expect(try await short.finish().json()["ended"].string == "")
        let ended = try await long.finish().json()
        #expect(ended["ended"].string == "ECONNRESET", "\(ended)")
      }
    }

    @Test(arguments: [Signal.terminate, .kill])
    func `again after Envoy restarted under load, without a hang`(signal: Signal) async throws {
      let mesh = try Mesh.shared
      let waypoint = try await mesh.address(of: "waypoint")
      let first = try await Envoy.start(of: mesh, ["serve=0"])
      let load = try await mesh.spawn(
        in: "client", "peer.py", "rate", waypoint, "8080", "200", "6")
      try await Task.sleep(for: .seconds(1.5))
      let began = ContinuousClock.now
      first.process.signal(signal)
      _ = try await first.process.finish()
      try await Envoy.serving(of: mesh, "serve=0") { _ in
        let away = (ContinuousClock.now - began) / .seconds(1)
        let after = try await mesh.client(in: "client", "rate", waypoint, "8080", "50", "1")
        #expect(after["outcome"]["ok"].int == 50, "all succeed once it is back: \(after)")
        let result = try await load.finish().json()
        let good = try #require(result["outcome"]["ok"].int)
        let lost = try #require(result["tried"].int) - good
        #expect(lost <= Int(200 * (away + 0.5)), "\(result), Envoy was away for \(away) s")
        #expect(result["outcome"]["ETIMEDOUT"].int == nil, "\(result)")
        #expect(result["outcome"]["ECONNREFUSED"].int == nil, "\(result)")
      }
    }
  }
}
