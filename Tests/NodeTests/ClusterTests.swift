import Foundation
import Linux
import NodeHarness
import Testing

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      for name in ["client", "second", "thief"] { try await mesh.addPod(name, on: "a") }
      try await mesh.addPod("server", on: "b")
      try await mesh.prepareControlPlane()
      try await mesh.startControlPlane()
      try await mesh.startAgent("b", source: mesh.underControl("b"))
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("server")
    }, .cluster)
  struct `finds its pods on Kubernetes`: ClusterQuestions {
    private static let ambient = #""istio.io/dataplane-mode":"ambient""#

    @Test func `by their control groups, when their namespace is labelled`() async throws {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: "")
      cluster.apply(client)
      try await wait(for: "client", "notEnrolled", "not labelled")
      #expect(try await isReadableOnTheWire(), "plaintext before enrolment is seen by the sniffer")

      cluster.applyNamespace("shop", labels: Self.ambient)
      try await wait(for: "client", "waiting", "no process of it runs yet")
      try cluster.startProcess(of: client)
      try await mesh.waitUntilEnrolled("client")
      #expect(try await !isReadableOnTheWire())
      let found = try await status(of: "client")
      #expect(found["netns"].string?.hasPrefix("/proc/") == true, "\(found)")
      #expect(
        found["proof"]["cgroups"].array.contains {
          $0.string?.hasSuffix("/kubepods/burstable/pod\(client.uid)/container") == true
        }, "\(found)")
      let seen = try await mesh.status("a")
      #expect(seen["cluster"]["resources"].array.map { $0["isSynced"].bool } == [true, true])
      #expect(seen["node"]["isHealthy"].bool == true, "\(seen["node"]["problems"])")

      cluster.applyNamespace("shop", labels: "")
      try await wait(for: "client", "notEnrolled", "not labelled")
      #expect(try await isReadableOnTheWire(), "a released pod speaks plaintext again")
    }

    @Test func `again in the namespace of their new sandbox`() async throws {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: Self.ambient)
      cluster.apply(client)
      try await mesh.waitUntilEnrolled("client")
      let before = try await status(of: "client")["netnsInode"].int
      try await cluster.endProcess(of: client)
      try await wait(for: "client", "waiting")
      // The same uid, another namespace and address.
      let second = try await pod("second")
      try cluster.startProcess(of: client, in: second)
      try await wait(for: "client", "closed", "\(client.ip4) is on no interface")
      cluster.apply(client, at: second)
      try await wait(for: "client", "enrolled")
      let after = try await status(of: "client")
      #expect(after["addresses"].array.map(\.string) == [second.ip4, second.ip6])
      #expect(after["netnsInode"].int != before && before != nil)
      try await cluster.endProcess(of: client)
      try cluster.startProcess(of: client)
      cluster.apply(client)
      try await mesh.waitUntilEnrolled("client")
    }

    @Test func `and lends nothing to a process of another pod in their namespace`() async throws {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: Self.ambient)
      cluster.apply(client)
      try await mesh.waitUntilEnrolled("client")
      let thief = try await pod("thief")
      try cluster.startProcess(of: thief, in: client)
      cluster.apply(thief)
      // Its identity is that of its control group, and its address is not there.
      try await wait(for: "thief", "failed", "of pod \(client.uid) is in its network namespace")
      try await wait(for: "client", "closed", "of pod \(thief.uid) is in its network namespace")
      let server = try await pod("server").ip4
      let refused = try await mesh.client(in: "client", "get", server, "8080", "echo mine", "2")
      #expect(refused["error"].string != nil, "\(refused)")
      let log = try await mesh.agent("a").standardOutput
      #expect(!log.contains("sa/thief"), "a certificate was issued for it")

      try await cluster.endProcess(of: thief)
      cluster.delete(thief)
      try await wait(for: "thief", nil)
      try await mesh.waitUntilEnrolled("client")
    }

    @Test func `and takes them over from a node agent that was killed`() async throws {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: Self.ambient)
      cluster.apply(client)
      try await mesh.waitUntilEnrolled("client")
      let server = try await pod("server").ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "600", "0.05")
      try await held.waitFor("open")
      try await mesh.stop(try await mesh.agent("a"))
      try await cluster.startAgent()
      try await mesh.waitUntilEnrolled("client")
      #expect(try await !isReadableOnTheWire())
      let log = try await mesh.agent("a").standardOutput
      #expect(try held.outcome() == nil, "\(held.standardOutput)\(held.standardError)\(log)")
      held.signal(.kill)
    }

    @Test func `and lets them go when they are deleted and their processes are gone`()
      async throws
    {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: Self.ambient)
      cluster.apply(client)
      try await mesh.waitUntilEnrolled("client")
      cluster.delete(client)
      try await wait(for: "client", "closed", "it was deleted, but process")
      let server = try await pod("server").ip4
      let late = try await mesh.client(in: "client", "get", server, "8080", "echo late", "2")
      #expect(late["error"].string != nil, "\(late)")
      try await cluster.endProcess(of: client)
      try await wait(for: "client", nil)
      #expect(try await mesh.status("a")["redirect"]["enrolledPods"].int == 0)
      #expect(try await isReadableOnTheWire(), "the namespace is as if never enrolled")
    }
  }
}
