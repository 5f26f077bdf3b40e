import Foundation
import Glibc
import Linux
import NodeHarness
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

    @Test func `a pod that is not where its manifest says only once it is`() async throws {
      let mesh = try Mesh.shared
      try await mesh.applyNamespace("shop", isEnrolled: true)
      let pod = try await mesh.addPod(
        "moved", on: "a", labels: ["istio.io/dataplane-mode": "none"])
      try await mesh.waitUntilEnrolled("server")
      let server = try await #require(mesh.pods["server"]).ip4
      let before = try await mesh.client(in: "moved", "get", server, "8080", "echo before")
      #expect(before["error"].string == nil, "\(before)")

      var right = pod
      right.labels = ["app": "moved"]
      var wrong = right
      wrong.ip4 = "10.91.250.250"
      try await mesh.apply("pod-moved", wrong.manifest)
      try await eventually("the pod is closed") {
        let said = try await mesh.status("a", "pods").array.first { $0["name"].string == "moved" }
        return said?["state"].string == "closed"
          && said?["reason"].string?.contains("10.91.250.250 is on no interface") == true
      }
      let after = try await mesh.client(in: "moved", "get", server, "8080", "echo after", "1")
      #expect(after["error"].string != nil, "\(after)")
      let log = try await mesh.agent("a").standardOutput
      #expect(!log.contains("sa/moved"), "a certificate was issued for it")

      try await mesh.apply("pod-moved", right.manifest)
      try await mesh.waitUntilEnrolled("moved")
      let again = try await mesh.client(in: "moved", "get", server, "8080", "echo again")
      #expect(again["error"].string == nil, "\(again)")
    }

    @Test func `and mends what a pod removed of its capture`() async throws {
      let mesh = try Mesh.shared
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.waitUntilEnrolled("client", "server")
      let client = try await #require(mesh.pods["client"])
      func rules() async throws -> Int {
        try await run("ip", "-n", client.netns, "rule").standardOutput
          .split(separator: "\n").count { $0.contains("fwmark") }
      }
      #expect(try await rules() == 1)
      // A new address makes the node agent look.
      try await run(
        "bash", "-c",
        "ip -n \(client.netns) rule del priority 100; "
          + "ip -n \(client.netns) addr add 10.91.250.1/32 dev eth0")
      try await eventually("the rule is back and the pod proven") {
        let pod = try await mesh.status("a", "pods").array.first {
          $0["name"].string == "client"
        }
        return try await rules() == 1 && pod?["state"].string == "enrolled"
      }
      try await run("ip", "-n", client.netns, "addr", "del", "10.91.250.1/32", "dev", "eth0")
      let server = try await #require(mesh.pods["server"]).ip4
      let answer = try await mesh.client(in: "client", "get", server, "8080", "echo mended")
      #expect(answer["error"].string == nil, "\(answer)")
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
