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
      try await mesh.addPod("visitor", on: "a")
      try await mesh.addPod("server", on: "b")
      try await mesh.prepareControlPlane()
      try await mesh.apply(
        "service-web",
        Manifest.service("web", selector: "{app: server}", virtualIP: "10.92.0.1"))
      try await mesh.startControlPlane()
      try await mesh.startAgentsUnderControl()
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "visitor", "server")
    })
  struct `takes its mesh from a control plane` {
    private func name(_ client: String, _ host: String, _ port: String) async throws -> String? {
      try await Mesh.shared.client(in: client, "get", host, port, "name", "3")["answer"].string
    }

    @Test func `whose service no manifest of its own knows`() async throws {
      let mesh = try Mesh.shared
      #expect(try await name("client", "10.92.0.1", "80")?.hasSuffix("|server") == true)
      for node in ["a", "b"] {
        let status = try await mesh.status(node)
        let plane = status["controlPlane"]
        #expect(plane["address"].string == "10.90.0.1:15012")
        #expect(plane["connection"].string == "connected" && plane["isStale"].bool == false)
        #expect(plane["lastError"].string == nil && plane["rejectedCount"].int == 0)
        #expect(status["model"]["services"].int == 1 && status["model"]["workloads"].int == 3)
        #expect(status["model"]["timeToEnforceMilliseconds"].double != nil)
        #expect(status["signing"]["authority"].string == "10.90.0.1:15012")
        #expect(status["node"]["isHealthy"].bool == true, "\(status["node"]["problems"])")
      }
      let seen = try await mesh.status("b", "certificates").array.map { $0["identity"].string }
      #expect(seen == ["spiffe://cluster.local/ns/shop/sa/server"])
    }

    @Test func `and cuts live connections that a policy pushed there forbids`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "20", "0.05")
      try await held.waitFor("open")
      let before = ContinuousClock.now
      try await mesh.apply(
        "deny",
        Manifest.authorization(
          "deny", action: "DENY", selector: "server",
          rules: "[{from: [{source: {principals: [cluster.local/ns/shop/sa/client]}}]}]"))
      let ended = try await held.finish().json()
      #expect(ended["ended"].string != "", "\(ended)")
      #expect(ContinuousClock.now - before < .seconds(9))
      #expect(try await name("visitor", server, "8080")?.hasSuffix("|server") == true)
      try await mesh.delete("deny")
      try await eventually("the client may again") {
        try await name("client", server, "8080") != nil
      }
    }

    @Test func `which may die and come back while nothing breaks`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "12", "0.05")
      try await held.waitFor("open")
      let load = try await mesh.spawn(in: "client", "peer.py", "rate", server, "8080", "100", "10")
      try await Task.sleep(for: .seconds(1))
      try await mesh.stopControlPlane()
      try await eventually("both nodes say that they are stale") {
        let a = try await mesh.controlPlaneStatus("a")
        let b = try await mesh.controlPlaneStatus("b")
        return a["isStale"].bool == true && b["isStale"].bool == true
          && a["staleSince"].string != nil && a["lastError"].string != nil
      }
      let problems = try await mesh.status("b", "node")["problems"].array.compactMap(\.string)
      #expect(problems.contains { $0.contains("10.90.0.1:15012 has not confirmed the mesh since") })
      try await mesh.startControlPlane()
      try await mesh.waitUntilInStep("a", "b")
      #expect(try await held.finish().json()["ended"].string == "")
      let result = try await load.finish().json()
      #expect(result["outcome"]["ok"].int == result["tried"].int, "\(result)")
      try await mesh.apply(
        "service-late",
        Manifest.service("late", selector: "{app: server}", virtualIP: "10.92.0.2"))
      try await eventually("a change after its return arrives") {
        try await name("client", "10.92.0.2", "80")?.hasSuffix("|server") == true
      }
      try await mesh.delete("service-late")
    }

    @Test func `and serves what it knew last when it starts without it, and says since when`()
      async throws
    {
      let mesh = try Mesh.shared
      // Let the state of now reach the disk.
      try await Task.sleep(for: .seconds(2))
      try await mesh.stopControlPlane()
      let stopped = Date()
      for signal in [Signal.kill, .terminate] {
        let tunnel = try await mesh.ztunnelProcessID("b")
        let agent = try await #require(mesh.status("b", "node")["processID"].int)
        kill(Int32(agent), signal == .kill ? SIGKILL : SIGTERM)
        _ = try await mesh.agent("b").finish(within: .seconds(40))
        try await mesh.startAgent("b", source: mesh.underControl("b"))
        try await mesh.waitUntilEnrolled("server")
        let status = try await mesh.status("b")
        let plane = status["controlPlane"]
        #expect(plane["isRestored"].bool == true && plane["isStale"].bool == true, "\(plane)")
        let since = try Date(
          #require(plane["staleSince"].string),
          strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        #expect(since <= stopped.addingTimeInterval(1), "\(since), stopped at \(stopped)")
        #expect(status["model"]["workloads"].int == 3 && status["model"]["services"].int == 1)
        // A ztunnel that serves keeps what it was told for ten seconds.
        try await eventually("it is enforced", within: .seconds(30)) {
          let status = try await mesh.status("b")
          return status["ztunnel"]["generation"].int == status["model"]["generation"].int
        }
        if signal == .kill {
          #expect(try await mesh.ztunnelProcessID("b") == tunnel, "the same ztunnel serves on")
          #expect(try await name("client", "10.92.0.1", "80")?.hasSuffix("|server") == true)
        }
      }
      try await mesh.startControlPlane()
      try await mesh.waitUntilInStep("a", "b")
      try await eventually("the path is back") {
        try await name("client", "10.92.0.1", "80")?.hasSuffix("|server") == true
      }
      #expect(try await mesh.controlPlaneStatus("b")["isRestored"].bool == false)
    }

    @Test func `and brings no older policy back when it was killed before it wrote it down`()
      async throws
    {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      // Let the state without the policy reach the disk.
      try await Task.sleep(for: .seconds(2))
      let kept = try await "\(#require(mesh.nodes["b"]).stateDirectory)/discovery"
      try await mesh.shell("cp -p \(kept) \(kept).old")
      try await mesh.apply(
        "deny",
        Manifest.authorization(
          "deny", action: "DENY", selector: "server",
          rules: "[{from: [{source: {principals: [cluster.local/ns/shop/sa/client]}}]}]"))
      try await eventually("the client may not") {
        try await name("client", server, "8080") == nil
      }
      try await mesh.stop(try await mesh.agent("b"))
      try await mesh.stopControlPlane()
      try await mesh.shell("mv \(kept).old \(kept)")
      try await mesh.startAgent("b", source: mesh.underControl("b"))
      try await mesh.waitUntilEnrolled("server")
      for _ in 0..<5 {
        #expect(try await name("client", server, "8080") == nil)
        try await Task.sleep(for: .milliseconds(200))
      }
      try await mesh.startControlPlane()
      try await mesh.waitUntilInStep("a", "b")
      #expect(try await name("client", server, "8080") == nil)
      try await mesh.delete("deny")
      try await eventually("the client may again") {
        try await name("client", server, "8080") != nil
      }
    }

    @Test func `which does not let it in with a wrong token, until the file has the right one`()
      async throws
    {
      let mesh = try Mesh.shared
      let file = mesh.tokenFile(of: "b")
      let token = try String(contentsOfFile: file, encoding: .utf8)
      try "a-token-that-nobody-knows-of".write(toFile: file, atomically: true, encoding: .utf8)
      try await mesh.stopControlPlane()
      try await mesh.startControlPlane()
      try await eventually("node b is refused") {
        let plane = try await mesh.controlPlaneStatus("b")
        return plane["isStale"].bool == true
          && plane["lastError"].string?.contains("unauthenticated") == true
      }
      try await mesh.waitUntilInStep("a")
      #expect(try await name("client", "10.92.0.1", "80")?.hasSuffix("|server") == true)
      try token.write(toFile: file, atomically: true, encoding: .utf8)
      try await mesh.waitUntilInStep("b", within: .seconds(40))
    }
  }

  @Suite(
    .serialized,
    .mesh(arguments: ["--leaf-lifetime", "40s"]) { mesh in
      try await mesh.addShop()
      try await mesh.prepareControlPlane()
      try await mesh.startControlPlane()
      try await mesh.startAgentsUnderControl()
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `has its certificates signed by a control plane` {
    @Test func `and keeps those that are valid while nobody signs`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      try await eventually("a certificate is there") {
        try await mesh.client(in: "client", "get", server, "8080", "name", "3")["answer"].string
          != nil
      }
      // Both ends at about the same time: neither may end before the other's next renewal fails.
      let nodes = ["a", "b"]
      var first: [String: String] = [:]
      for node in nodes { first[node] = try await serialNumber(on: node) }
      try await eventually("both were renewed", within: .seconds(40)) {
        for node in nodes where try await serialNumber(on: node) == first[node] { return false }
        return true
      }
      try await mesh.stopControlPlane()
      try await eventually("a renewal has failed", within: .seconds(40)) {
        try await !mesh.status("b", "signing")["failures"].array.isEmpty
      }
      let failure = try await mesh.status("b", "signing")["failures"][0]
      #expect(failure["identity"].string == "spiffe://cluster.local/ns/shop/sa/server")
      #expect(failure["reason"].string?.contains("did not answer") == true, "\(failure)")
      #expect(failure["nextTryAt"].string != nil)
      let answer = try await mesh.client(in: "client", "get", server, "8080", "name", "3")
      #expect(answer["answer"].string?.hasSuffix("|server") == true, "\(answer)")
      let problems = try await mesh.status("b", "node")["problems"].array.compactMap(\.string)
      #expect(
        problems.contains { $0.contains("is not renewed") && $0.contains("it is valid until") },
        "\(problems)")
      try await mesh.startControlPlane()
      try await eventually("they are renewed again", within: .seconds(40)) {
        try await mesh.status("b", "signing")["failures"].array.isEmpty
      }
      try await eventually("the path stands") {
        try await mesh.client(in: "client", "get", server, "8080", "name", "3")["answer"].string
          != nil
      }
    }

    private func serialNumber(on node: String) async throws -> String? {
      try await Mesh.shared.status(node, "certificates")[0]["serialNumber"].string
    }
  }
}
