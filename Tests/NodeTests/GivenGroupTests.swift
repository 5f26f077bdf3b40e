import Foundation
import Glibc
import Linux
import NodeHarness
import Testing

/// The control group that an operator made for ztunnel.
private let givenGroup = "skein-test-ztunnel"

extension `A node` {
  @Suite(
    .serialized,
    .controlGroup(givenGroup),
    .mesh { mesh in
      try await mesh.addShop()
      try await startInGivenGroup(mesh)
      try await mesh.startAgent("b")
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `with a control group given for ztunnel` {
    static let path = "/" + givenGroup

    /// The group of a process, from the root of the second version's hierarchy.
    func group(of process: Int32) throws -> String {
      let text = try String(contentsOfFile: "/proc/\(process)/cgroup", encoding: .utf8)
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("0::") })
      return String(line.dropFirst(3))
    }

    func expectService(_ when: String) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      for address in [server.ip4, server.ip6] {
        let answer = try await mesh.client(in: "client", "get", address, "8080", "name")
        #expect(answer["answer"].string?.hasSuffix("|server") == true, "\(when): \(answer)")
      }
    }

    @Test func `runs it there, alone, and its packets pass`() async throws {
      let mesh = try Mesh.shared
      let tunnel = try await mesh.ztunnelProcessID("a")
      #expect(try group(of: tunnel) == Self.path)
      let members = try ControlGroup(path: ControlGroup.root().path + Self.path).processes()
      #expect(members == [tunnel])
      try await expectService("from the given group")
      let node = try await #require(mesh.nodes["a"]).name
      let own = try ControlGroup.root().path + "/skein/\(node)"
      #expect(!FileManager.default.fileExists(atPath: own), "no group is made beside it")
    }

    @Test func `starts it there again after it was killed`() async throws {
      let mesh = try Mesh.shared
      let before = try await mesh.ztunnelProcessID("a")
      kill(before, SIGKILL)
      try await eventually("ztunnel is back") {
        let status = try await mesh.status("a")["ztunnel"]
        return status["isConnected"].bool == true && status["processID"].int != Int(before)
      }
      #expect(try await group(of: mesh.ztunnelProcessID("a")) == Self.path)
      try await mesh.waitUntilEnrolled("client")
      try await expectService("after a restart")
    }

    @Test func `moves it to a group of its own when none is given any more, and back`()
      async throws
    {
      let mesh = try Mesh.shared
      let node = try await #require(mesh.nodes["a"]).name
      for isGiven in [false, true] {
        let before = try await mesh.ztunnelProcessID("a")
        let agent = try await #require(mesh.status("a")["node"]["processID"].int)
        kill(Int32(agent), SIGKILL)
        _ = try await mesh.agent("a").finish()
        try await isGiven ? startInGivenGroup(mesh) : mesh.startAgent("a")
        try await eventually("another ztunnel runs") {
          let status = try await mesh.status("a")["ztunnel"]
          return status["isConnected"].bool == true && status["processID"].int != Int(before)
        }
        let tunnel = try await mesh.ztunnelProcessID("a")
        #expect(try group(of: tunnel) == (isGiven ? Self.path : "/skein/\(node)/ztunnel"))
        // The one of the former group has ended, and our own group is removed with it.
        let given = try ControlGroup(path: ControlGroup.root().path + Self.path)
        #expect(try given.processes() == (isGiven ? [tunnel] : []))
        let own = try ControlGroup.root().path + "/skein/\(node)"
        #expect(FileManager.default.fileExists(atPath: own) == !isGiven)
        try await mesh.waitUntilEnrolled("client")
        try await expectService("after the move")
      }
    }

    @Test func `leaves the group empty and in place at the end`() async throws {
      let mesh = try Mesh.shared
      let agent = try await mesh.agent("a")
      agent.signal(.terminate)
      #expect(try await agent.finish(within: .seconds(40)).status == 0)
      #expect(!agent.standardOutput.contains("left behind"))
      let path = try ControlGroup.root().path + Self.path
      #expect(FileManager.default.fileExists(atPath: path))
      #expect(try ControlGroup(path: path).processes().isEmpty)
      try await startInGivenGroup(mesh)
      try await mesh.waitUntilEnrolled("client")
      try await expectService("after a new start")
    }
  }
}

private func startInGivenGroup(_ mesh: Mesh) async throws {
  try await mesh.startAgent(
    "a",
    source: [
      "--config", "\(mesh.directory)/manifests", "--ca-dir", mesh.authority,
      "--ztunnel-cgroup", ControlGroup.root().path + "/" + givenGroup,
    ])
}
