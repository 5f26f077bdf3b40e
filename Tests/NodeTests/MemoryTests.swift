import Foundation
import NodeHarness
import Testing

extension `A node` {
  /// Of the static release build, the one that is shipped.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `has a ztunnel that` {
    static let idleLimit = 12_000_000
    static let connections = 2_000
    static let bytesPerConnection = 2_048

    @Test func `needs less than 12 MB with nothing to do`() async throws {
      let (a, b) = try await Mesh.shared.residencies()
      #expect(a.resident < Self.idleLimit, "\(a)")
      #expect(b.resident < Self.idleLimit, "\(b)")
    }

    /// Measured after connections of before have made the buffers that all connections share, and
    /// after the tunnels' own have been given back (every ten seconds).
    @Test func `needs less than 2 KB for each idle connection`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      _ = try await mesh.client(in: "client", "many", server, "8080", "100")
      try await Task.sleep(for: .seconds(12))
      let before = try await mesh.residencies()
      let idle = try await mesh.spawn(
        in: "client", "peer.py", "idle", server, "8080", String(Self.connections), "14")
      try await idle.waitFor("opened", within: .seconds(30))
      try await Task.sleep(for: .seconds(12))
      let during = try await mesh.residencies()
      let each = (
        a: (during.a.anonymous - before.a.anonymous) / Self.connections,
        b: (during.b.anonymous - before.b.anonymous) / Self.connections
      )
      #expect(each.a < Self.bytesPerConnection, "client's node: \(before.a), then \(during.a)")
      #expect(each.b < Self.bytesPerConnection, "server's node: \(before.b), then \(during.b)")
      let result = try await idle.finish().json()
      #expect(result["alive"].int == Self.connections, "all of them still work: \(result)")
      print("memory of an idle connection: \(each.a) B at the client, \(each.b) B at the server")
    }
  }

  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `has a ztunnel that after a heavy load` {
    @Test func `is small again within a minute`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let before = try await mesh.residencies()
      let load = [
        try await mesh.spawn(in: "client", "peer.py", "rate", server, "8080", "500", "5"),
        try await mesh.spawn(in: "client", "peer.py", "both", server, "8080", String(512 << 20)),
        try await mesh.spawn(in: "client", "peer.py", "many", server, "8080", "2000"),
      ]
      var peak = 0
      try await eventually("the load ends", within: .seconds(90)) {
        let now = try await mesh.residencies()
        peak = max(peak, now.a.resident, now.b.resident)
        return try load.allSatisfy { try $0.outcome() != nil }
      }
      let ended = ContinuousClock.now
      var after = try await mesh.residencies()
      // The next word of the tunnels is every ten seconds; most of a minute is not needed.
      while ContinuousClock.now - ended < .seconds(60),
        after.a.resident * 2 > before.a.resident * 3 || after.b.resident * 2 > before.b.resident * 3
      {
        try await Task.sleep(for: .milliseconds(500))
        after = try await mesh.residencies()
      }
      let took = ContinuousClock.now - ended
      #expect(after.a.resident * 2 <= before.a.resident * 3, "\(before.a), then \(after.a)")
      #expect(after.b.resident * 2 <= before.b.resident * 3, "\(before.b), then \(after.b)")
      print("memory: \(before.b) idle, \(peak / 1_024) KiB at the peak, \(after.b) \(took) later")
    }
  }
}

extension Mesh {
  fileprivate func residencies() async throws -> (a: Residency, b: Residency) {
    (try await residency("a"), try await residency("b"))
  }
}
