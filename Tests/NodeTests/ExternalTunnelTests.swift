import Foundation
import Linux
import NodeHarness
import Testing

/// Where a container runtime would run ztunnel, twice.
private let group = "skein-test-container"
private let nextGroup = "skein-test-next-container"

extension `A node` {
  @Suite(
    .serialized,
    .controlGroup(group), .controlGroup(nextGroup),
    .mesh { mesh in
      try await mesh.addShop()
      try await start(mesh)
      try await mesh.startAgent("b")
      try await mesh.serve(in: "server")
      try await mesh.serve(in: "client")
    })
  struct `with a ztunnel that somebody else runs` {
    /// Starts ztunnel as a runtime does: in a control group, with no tie to the node agent.
    private func startTunnel(in group: String?) async throws -> Running {
      let mesh = try Mesh.shared
      let state = try await #require(mesh.nodes["a"]).stateDirectory
      let move = try group.map { "echo $$ >\(try ControlGroup.root().path)/\($0)/cgroup.procs;" }
      return try await mesh.spawnProgram(
        on: "a",
        ["bash", "-c", "\(move ?? "") exec \(Mesh.tunnelPath) --agent \(state)/agent.sock"])
    }

    private func end(_ tunnel: Running, _ signal: Signal) async throws {
      tunnel.signal(signal)
      _ = try await tunnel.finish()
    }

    private func expectService(_ when: String) async throws {
      let mesh = try Mesh.shared
      for (caller, called) in [("client", "server"), ("server", "client")] {
        let address = try await #require(mesh.pods[called]).ip4
        let answer = try await mesh.client(in: caller, "get", address, "8080", "name")
        #expect(answer["answer"].string?.hasSuffix("|\(called)") == true, "\(when): \(answer)")
      }
    }

    @Test func `waits for it, serves through it, and through the next in another group`()
      async throws
    {
      let mesh = try Mesh.shared
      try await eventually("the node waits for a ztunnel") {
        try await mesh.status("a")["ztunnel"]["state"].string == "starting"
      }
      for name in [group, nextGroup] {
        let tunnel = try await startTunnel(in: name)
        try await mesh.waitUntilEnrolled("client", "server")
        let status = try await mesh.status("a", "ztunnel")
        #expect(status["state"].string == "running")
        #expect(status["processID"].int == Int(tunnel.processID))
        #expect(status["cgroup"].string == (try ControlGroup.root().path) + "/" + name)
        try await expectService("in \(name)")
        try await end(tunnel, .kill)
      }
      #expect(try await mesh.status("a", "ztunnel")["restarts"].int == 1)
    }

    @Test func `turns away one whose packets could not be told from others`() async throws {
      let mesh = try Mesh.shared
      let tunnel = try await startTunnel(in: nil)
      try await eventually("the refusal is in the log") {
        try await mesh.agent("a").standardOutput.contains("is not its own")
      }
      #expect(try await mesh.status("a", "ztunnel")["isConnected"].bool == false)
      try await end(tunnel, .kill)
    }

    @Test func `leaves its connections and the capture alone when told to keep them`()
      async throws
    {
      let mesh = try Mesh.shared
      let tunnel = try await startTunnel(in: group)
      try await mesh.waitUntilEnrolled("client", "server")
      let server = try await #require(mesh.pods["server"]).ip4
      let held = try await mesh.spawn(in: "client", "peer.py", "hold", server, "8080", "4", "0.01")
      try await held.waitFor("open")
      let agent = try await mesh.agent("a")
      agent.signal(.terminate)
      #expect(try await agent.finish().status == 0)
      #expect(try tunnel.outcome() == nil, "ztunnel goes on")
      try await expectService("without a node agent")
      try await start(mesh)
      try await mesh.waitUntilEnrolled("client")
      #expect(try await held.finish().json()["ended"].string == "")
      try await end(tunnel, .kill)
    }
  }
}

private func start(_ mesh: Mesh) async throws {
  try await mesh.startAgent(
    "a",
    source: [
      "--config", "\(mesh.directory)/manifests", "--ca-dir", mesh.authority, "--at-exit", "keep",
    ], ownsTunnel: false)
}
