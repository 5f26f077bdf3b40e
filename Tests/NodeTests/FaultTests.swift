import Foundation
import Glibc
import Linux
import NodeHarness
import Testing
import TestSupport

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.addPod("client", on: "a")
      try await mesh.addPod("server", on: "b")
      try await mesh.startAgent("a")
      try await mesh.startAgent("b")
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `survives` {
    @Test(arguments: ["a", "b"])
    func `a killed ztunnel without refusing a connection`(node: String) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let sniffer = try await mesh.spawn(in: "a", "sniff.py", "under0", "60", "echo")
      try await sniffer.waitFor("ready")
      let load = try await mesh.spawn(
        in: "client", "peer.py", "rate", server.ip4, "8080", "1000", "4")
      try await Task.sleep(for: .seconds(1))
      let before = try await mesh.ztunnelProcessID(node)
      kill(before, SIGKILL)
      try await eventually("ztunnel is back") {
        let status = try await mesh.status(node)["ztunnel"]
        return status["state"].string == "running"
          && status["processID"].int.map(Int32.init) != before && status["isConnected"].bool == true
      }
      let outcome = try await load.finish().json()["outcome"]
      #expect(outcome["ECONNREFUSED"].int == nil, "\(outcome)")
      #expect(outcome["ETIMEDOUT"].int == nil, "\(outcome)")
      sniffer.signal(.terminate)
      let seen = try await sniffer.finish().json()
      #expect(seen["found"]["echo"].int == 0, "enrolled traffic in plaintext: \(seen)")
      try await mesh.waitUntilEnrolled("client", "server")
    }

    @Test(arguments: ["a", "b"])
    func `a killed node agent without a connection noticing`(node: String) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let tunnel = try await mesh.ztunnelProcessID(node)
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server.ip4, "8080", "6", "0.01")
      try await held.waitFor("open")
      let load = try await mesh.spawn(
        in: "client", "peer.py", "rate", server.ip4, "8080", "200", "5")
      try await Task.sleep(for: .seconds(1))
      let agent = try await #require(mesh.status(node)["node"]["processID"].int)
      kill(Int32(agent), SIGKILL)
      _ = try await mesh.agent(node).finish()
      try await Task.sleep(for: .seconds(1))
      try await mesh.startAgent(node)
      try await mesh.waitUntilEnrolled("client", "server")
      #expect(try await held.finish().json()["ended"].string == "")
      let result = try await load.finish().json()
      #expect(result["outcome"]["ok"].int == result["tried"].int, "\(result)")
      #expect(try await mesh.ztunnelProcessID(node) == tunnel, "the same ztunnel serves on")
      #expect(try await mesh.status(node)["ztunnel"]["isAdopted"].bool == true)
    }

    @Test func `both killed: nothing leaves the pod until they are back`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let tunnel = try await mesh.ztunnelProcessID("a")
      let agent = try await #require(mesh.status("a")["node"]["processID"].int)
      kill(Int32(agent), SIGKILL)
      kill(tunnel, SIGKILL)
      _ = try await mesh.agent("a").finish()
      let sniffer = try await mesh.spawn(in: "a", "sniff.py", "br0", "20", "secret")
      try await sniffer.waitFor("ready")
      let closed = try await mesh.client(
        in: "client", "get", server.ip4, "8080", "echo secret", "2")
      #expect(closed["error"].string != nil, "\(closed)")
      sniffer.signal(.terminate)
      let seen = try await sniffer.finish().json()
      #expect(seen["found"]["secret"].int == 0 && seen["ports"]["8080"].int == nil, "\(seen)")
      try await mesh.startAgent("a")
      try await mesh.waitUntilEnrolled("client")
      let open = try await mesh.client(in: "client", "get", server.ip4, "8080", "name")
      #expect(open["answer"].string?.hasSuffix("|server") == true, "\(open)")
    }
  }
}
