import Foundation
import Glibc
import Linux
import NodeHarness
import Testing

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startAgent("b")
      try await mesh.serve(in: "server")
    })
  struct `starts again with another cgroup for ztunnel` {
    private func arguments(_ cgroup: ControlGroup?) throws -> [String] {
      let mesh = try Mesh.shared
      let own = ["--config", "\(mesh.directory)/manifests", "--ca-dir", mesh.authority]
      return own + (cgroup.map { ["--ztunnel-cgroup", $0.path] } ?? [])
    }

    /// A process that nobody has waited for yet does not run.
    private func isRunning(_ process: Int32) -> Bool {
      do {
        let status = try File.readText("/proc/\(process)/status")
        return !status.contains("State:\tZ") && !status.contains("State:\tX")
      } catch {
        return false
      }
    }

    @Test func `and ends the ztunnel of the one before, whose packets pass no longer`()
      async throws
    {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let parent = try ControlGroup.root().make("\(mesh.prefix)-groups")
      let groups = [nil, try parent.make("one"), try parent.make("two"), nil]
      var former: Int32?
      for group in groups {
        try await mesh.startAgent("a", source: try arguments(group))
        try await mesh.waitUntilEnrolled("client", "server")
        let status = try await mesh.status("a", "ztunnel")
        let process = Int32(try #require(status["processID"].int))
        if let group { #expect(status["cgroup"].string == group.path) }
        #expect(process != former)
        if let former { #expect(!isRunning(former), "the ztunnel before is still there") }
        try await eventually("the path stands") {
          try await mesh.client(in: "client", "get", server, "8080", "name", "3")["answer"].string?
            .hasSuffix("|server") == true
        }
        former = process
        let agent = try await #require(mesh.status("a", "node")["processID"].int)
        kill(Int32(agent), SIGKILL)
        _ = try await mesh.agent("a").finish()
      }
      try await mesh.startAgent("a", source: try arguments(nil))
      try await mesh.waitUntilEnrolled("client")
      #expect(try await mesh.ztunnelProcessID("a") == former, "in the same one it is kept")
      for group in groups.compactMap({ $0 }) {
        try await eventually("cgroup \(group.path) is free") { try group.remove() != .busy }
      }
      try await eventually("cgroup \(parent.path) is free") { try parent.remove() != .busy }
    }
  }
}
