import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

extension `A node` {
  @Suite(
    .serialized,
    .mesh(arguments: ["--drain", "4s"]) { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `that is told to end` {
    /// The client's node cuts what it carries outwards, the server's what comes in.
    @Test(arguments: ["a", "b"])
    func `lets connections finish until its deadline, then cuts and counts the rest`(node: String)
      async throws
    {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let short = try await mesh.spawn(
        in: "client", "peer.py", "idle", server, "8080", "20", "1")
      let long = try await mesh.spawn(
        in: "client", "peer.py", "idle", server, "8080", "300", "30")
      let busy = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "30", "0.01")
      let heavy = try await mesh.spawn(
        in: "client", "peer.py", "both", server, "8080", String(64 << 30))
      try await short.waitFor("opened")
      try await long.waitFor("opened")
      try await busy.waitFor("open")

      let agent = try await mesh.agent(node)
      let began = ContinuousClock.now
      agent.signal(.terminate)
      try await Task.sleep(for: .seconds(0.5))
      #expect(try await mesh.status(node)["node"]["isDraining"].bool == true)
      // Neither served by ztunnel nor let past it in the clear.
      let new = try await mesh.client(in: "client", "get", server, "8080", "name", "1")
      #expect(new["error"].string != nil, "a new connection: \(new)")

      let inTime = try await short.finish().json()
      #expect(inTime["alive"].int == 20, "those that end in time: \(inTime)")
      #expect(try await agent.finish().status == 0)
      let took = ContinuousClock.now - began
      #expect((.seconds(3.9)..<(.seconds(15))).contains(took), "\(took)")
      let ended = try await busy.finish().json()
      #expect(ended["ended"].string == "ECONNRESET", "\(ended)")
      #expect((3.9..<14).contains(try #require(ended["after"].double)), "\(ended)")
      let torn = try await heavy.finish().json()
      // The thread that sends may take the reset, and leave the one that receives an early end.
      #expect(["ECONNRESET", "ECONNABORTED"].contains(torn["error"].string), "\(torn)")
      long.signal(.kill)
      let said = try #require(
        agent.standardOutput.split(separator: "\n").first { $0.contains("\"ztunnel drained\"") })
      #expect(try JSON(parsing: String(said))["cut"].string == "302", "300 idle, 2 busy: \(said)")
      #expect(!agent.standardOutput.contains("left behind"))

      try await mesh.startAgent(node)
      try await mesh.waitUntilEnrolled("client", "server")
      let after = try await mesh.client(in: "client", "get", server, "8080", "name")
      #expect(after["answer"].string?.hasSuffix("|server") == true, "\(after)")
    }

    @Test func `does so at once when no connection is open`() async throws {
      let mesh = try Mesh.shared
      let agent = try await mesh.agent("b")
      try await eventually("no connection is open") {
        try await mesh.status("b")["connections"].array.isEmpty
      }
      let began = ContinuousClock.now
      agent.signal(.terminate)
      #expect(try await agent.finish().status == 0)
      #expect(ContinuousClock.now - began < .seconds(3.8), "the drain is 4 s")
      try await mesh.startAgent("b")
      try await mesh.waitUntilEnrolled("server")
    }
  }
}
