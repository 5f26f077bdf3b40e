import Foundation
import Glibc
import Linux
import Testing

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: false)
      try await mesh.addPod("client", on: "a")
      try await mesh.addPod("server", on: "b")
      try await mesh.startAgent("a")
      try await mesh.startAgent("b")
      try await mesh.serve(in: "server")
    })
  struct `enrols and releases` {
    /// Whether one exchange from client to server was readable between the nodes.
    func isReadableOnTheWire() async throws -> Bool {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let secret = "secret-\(UInt32.random(in: 0...UInt32.max))"
      let sniffer = try await mesh.spawn(in: "a", "sniff.py", "under0", "20", secret)
      try await sniffer.waitFor("ready")
      let answer = try await mesh.client(in: "client", "get", server.ip4, "8080", "echo \(secret)")
      #expect(answer["error"].string == nil, "\(answer)")
      sniffer.signal(.terminate)
      return try await sniffer.finish().json()["found"][secret].int != 0
    }

    @Test func `running pods by the namespace's label, without a restart`() async throws {
      let mesh = try Mesh.shared
      #expect(try await isReadableOnTheWire(), "plaintext before enrolment is seen by the sniffer")
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client", "server")
      #expect(try await !isReadableOnTheWire())
      let pod = try #require(try await mesh.status("a")["pods"].array.first)
      #expect(pod["proof"]["canaryIPv4"].string == "passed", "\(pod)")
      #expect(pod["proof"]["canaryIPv6"].string == "passed", "\(pod)")
      try await mesh.applyNamespace("shop", isEnrolled: false)
      try await eventually("no pod is enrolled") {
        let counts = try await [mesh.status("a"), mesh.status("b")].map {
          $0["redirect"]["enrolledPods"].int
        }
        return counts == [0, 0]
      }
      #expect(try await isReadableOnTheWire(), "released pods speak plaintext again")
    }

    @Test func `a pod that is deleted in the middle of a transfer, and keeps nothing of it`()
      async throws
    {
      let mesh = try Mesh.shared
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.addPod("short", on: "a")
      try await mesh.waitUntilEnrolled("short", "server")
      let (short, server) = try await (
        #require(mesh.pods["short"]), #require(mesh.pods["server"])
      )
      let inode = try await run("stat", "-Lc", "%i", "/run/netns/\(short.netns)").standardOutput
        .trimmingCharacters(in: .whitespacesAndNewlines)
      let transfer = try await mesh.spawn(
        in: "short", "peer.py", "both", server.ip4, "8080", String(8 << 30))
      try await Task.sleep(for: .milliseconds(300))
      transfer.signal(.kill)
      try await mesh.removePod("short")
      let tunnel = try await mesh.ztunnelProcessID("a")
      let agent = try await #require(mesh.status("a")["node"]["processID"].int)
      try await eventually("nobody holds namespace \(inode)") {
        let open = try await run(
          "bash", "-c",
          "ls -lL /proc/{\(tunnel),\(agent)}/fd 2>/dev/null; readlink /proc/{\(tunnel),\(agent)}/fd/* 2>/dev/null",
          expecting: nil)
        return !open.standardOutput.contains("net:[\(inode)]")
      }
      let sockets = try await mesh.status("a", "connections").array
      #expect(!sockets.contains { $0["pod"].string?.hasSuffix("short") == true })
    }

    @Test func `and leaves nothing behind at the end`() async throws {
      let mesh = try Mesh.shared
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client")
      let agent = try await mesh.agent("a")
      let tunnel = try await mesh.ztunnelProcessID("a")
      agent.signal(.terminate)
      #expect(try await agent.finish(within: .seconds(40)).status == 0)
      #expect(kill(tunnel, 0) == -1, "ztunnel \(tunnel) still runs")
      let client = try await #require(mesh.pods["client"])
      let node = try await #require(mesh.nodes["a"]).name
      let left = try await run(
        "bash", "-c",
        """
        find /sys/fs/bpf/skein -path '*\(node)*' 2>/dev/null
        find /sys/fs/cgroup -path '*skein*\(node)*' 2>/dev/null
        ip -n \(client.netns) rule | grep -i fwmark
        ip -n \(client.netns) -6 rule | grep -i fwmark
        ip -n \(client.netns) route show table all | grep -v 'table local' | grep 'local default'
        """, expecting: nil)
      #expect(left.standardOutput == "")
      #expect(try await isReadableOnTheWire(), "a released pod talks on")
      try await mesh.startAgent("a")
    }
  }
}
