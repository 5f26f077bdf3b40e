import Foundation
import Linux
import NodeHarness
import Testing

extension `A node` {
  @Suite(
    .serialized, .enabled(if: !plugin.isEmpty, "SKEIN_CNI is not set: make test builds it"),
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      for name in ["client", "second"] { try await mesh.addPod(name, on: "a") }
      try await mesh.addPod("server", on: "b")
      try await mesh.shell("mkdir -p \(mesh.networks) \(mesh.pluginFolder)")
      try await mesh.writeNetwork()
      try await mesh.prepareControlPlane()
      try await mesh.startControlPlane()
      try await mesh.startAgent("b", source: mesh.underControl("b"))
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("server")
    },
    .cluster { mesh in
      [
        "--cni-conf-dir", mesh.networks, "--cni-bin-dir", mesh.pluginFolder, "--cni-plugin", plugin,
      ]
    })
  struct `asked by a container runtime on Kubernetes`: ClusterQuestions {
    private func delete(_ pod: PodFixture) async throws {
      #expect(try await Mesh.shared.call("DEL", pod).finish().status == 0)
      try await wait(for: pod.name, "waiting", "no process of it runs yet")
      try await eventually("\(pod.name) is released") {
        try await Mesh.shared.status("a")["redirect"]["enrolledPods"].int == 0
      }
    }

    @Test func `has a pod captured before it has a process, and enrolled with its first`()
      async throws
    {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: #""istio.io/dataplane-mode":"ambient""#)
      try await mesh.waitUntilChained()
      let adding = try await mesh.call("ADD", client)
      cluster.apply(client, hasStatus: false)
      let added = try await adding.finish()
      #expect(added.status == 0, "\(added)")
      try await wait(for: "client", "proving")
      let captured = try await status(of: "client")
      #expect(captured["netns"].string == "/run/netns/\(client.netns)", "\(captured)")
      let server = try await pod("server").ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "600", "0.05")
      try await held.waitFor("open")
      #expect(try await !isReadableOnTheWire())

      cluster.apply(client)
      try cluster.startProcess(of: client)
      try await mesh.waitUntilEnrolled("client")
      #expect(try await !isReadableOnTheWire())
      #expect(try await status(of: "client")["netnsInode"].int == captured["netnsInode"].int)
      #expect(try held.outcome() == nil, "\(held.standardOutput)\(held.standardError)")
      held.signal(.kill)

      try await cluster.endProcess(of: client)
      try await delete(client)
      #expect(try await isReadableOnTheWire(), "the namespace is as if never enrolled")
    }

    @Test func `keeps what a call has put in place over a node agent that was killed`()
      async throws
    {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: #""istio.io/dataplane-mode":"ambient""#)
      cluster.apply(client, hasStatus: false)
      try await mesh.waitUntilChained()
      let added = try await mesh.call("ADD", client).finish()
      #expect(added.status == 0, "\(added)")
      let server = try await pod("server").ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "600", "0.05")
      try await held.waitFor("open")
      try await mesh.stop(try await mesh.agent("a"))
      try await cluster.startAgent()
      try await wait(for: "client", "proving")
      #expect(try await !isReadableOnTheWire())
      try cluster.startProcess(of: client)
      cluster.apply(client)
      try await mesh.waitUntilEnrolled("client")
      #expect(try held.outcome() == nil, "\(held.standardOutput)\(held.standardError)")
      held.signal(.kill)
      try await cluster.endProcess(of: client)
      try await delete(client)
    }

    @Test func `closes a pod whose processes are elsewhere than it was told`() async throws {
      let (mesh, cluster, client) = try await (Mesh.shared, ClusterFixture.shared, pod("client"))
      cluster.applyNamespace("shop", labels: #""istio.io/dataplane-mode":"ambient""#)
      cluster.apply(client, hasStatus: false)
      try await mesh.waitUntilChained()
      let added = try await mesh.call("ADD", client).finish()
      #expect(added.status == 0, "\(added)")
      try cluster.startProcess(of: client, in: try await pod("second"))
      cluster.apply(client)
      try await wait(for: "client", "closed", "than its CNI call named")
      try await cluster.endProcess(of: client)
      try cluster.startProcess(of: client)
      try await mesh.waitUntilEnrolled("client")
      try await cluster.endProcess(of: client)
      try await delete(client)
    }
  }
}
