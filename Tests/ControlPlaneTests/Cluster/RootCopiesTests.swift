import KubernetesClient
import KubernetesHarness
import Logging
import MeshCompiler
import MeshModel
import Testing
import TestSupport

@testable import ControlPlane

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

private func instant(_ seconds: Int) -> Instant {
  Instant(nanoseconds: UInt64(seconds) * 1_000_000_000)
}

private func applied(
  _ namespace: String, _ name: String, _ root: ManifestValue
) -> Reflector.Change {
  .applied(
    WatchedObject(
      name: ObjectName(namespace: namespace, name: name), resourceVersion: "1", root: root))
}

private func copy(_ namespace: String, _ text: String) -> Reflector.Change {
  applied(namespace, "root", ["data": ["root-cert.pem": .text(text)]])
}

@Suite struct `Copies of the root` {
  @Test func `are made where there is none and mended where one is wrong`() {
    var copies = RootCopies(names: ["root", "istio"])
    copies.takeNamespaces([
      applied("", "shop", [:]), applied("", "web", [:]), applied("", "old", [:]),
      applied("", "ending", ["metadata": ["deletionTimestamp": "2026-01-01T00:00:00Z"]]),
    ])
    copies.takeCopies([
      copy("shop", "one"), copy("web", "other"), copy("elsewhere", "other"),
      applied("shop", "istio", ["data": [:]]), applied("web", "istio", [:]),
    ])
    func step(_ namespace: String, _ name: String, isThere: Bool) -> RootCopies.Step {
      let name = ObjectName(namespace: namespace, name: name)
      return isThere ? .correct(name) : .create(name)
    }
    copies.takeNamespaces([.removed(ObjectName(namespace: "", name: "old"))])
    #expect(
      copies.steps(for: "one") == [
        step("shop", "istio", isThere: true), step("web", "root", isThere: true),
        step("web", "istio", isThere: true),
      ])
    copies.takeCopies([
      .removed(ObjectName(namespace: "shop", name: "root")), copy("web", "one"),
    ])
    #expect(
      copies.steps(for: "one") == [
        step("shop", "root", isThere: false), step("shop", "istio", isThere: true),
        step("web", "istio", isThere: true),
      ])
    #expect(copies.steps(for: "two").count == 4)
  }

  @Test func `rest longer each time they are written again, so that nobody is fought`() {
    var copies = RootCopies(names: ["root"])
    let name = ObjectName(namespace: "shop", name: "root")
    var (now, writes) = (0, 0)
    while now < 600 {
      if copies.isDue(name, at: instant(now)) {
        copies.write(name, at: instant(now))
        writes += 1
      }
      now += 1
    }
    #expect((10...20).contains(writes))
    // A long time later it is as if nothing had been.
    copies.write(name, at: instant(2_000))
    #expect(!copies.isDue(name, at: instant(2_000)) && copies.isDue(name, at: instant(2_001)))
  }
}

@Suite(.fewAtOnce) struct `The root in every namespace` {
  private func publication(
    _ client: KubernetesClient, _ identity: String
  ) -> (RootPublication, Leadership) {
    let leadership = Leadership(
      client, namespace: "skein-system", name: "lease", identity: identity)
    let publication = RootPublication(
      client, names: ["skein-ca-root-cert"], leadership: leadership, logger: quiet)
    return (publication, leadership)
  }

  private func root(_ cluster: ScriptedCluster, in namespace: String) -> String? {
    cluster.data("configmaps", namespace, "skein-ca-root-cert")?["root-cert.pem"]
  }

  @Test func `is written by the leader alone, mended, and put into new namespaces`() async throws {
    let cluster = ScriptedCluster()
    for name in ["shop", "skein-system"] { cluster.put("namespaces", "", name, [:]) }
    let foreign = ["root-cert.pem": "forged", "other.pem": "kept"]
    cluster.put("configmaps", "shop", "skein-ca-root-cert", ["data": foreign])
    cluster.put("configmaps", "shop", "app", ["data": foreign])
    try await cluster.run { server in
      try await server.client { client in
        let (one, first) = publication(client, "one")
        let (two, _) = publication(client, "two")
        let run = Task { await one.run { "root one" } }
        try await waitFor { first.isLeading }
        let other = Task { await two.run { "root two" } }
        try await waitFor {
          root(cluster, in: "shop") == "root one" && root(cluster, in: "skein-system") == "root one"
        }
        #expect(cluster.data("configmaps", "shop", "skein-ca-root-cert")?["other.pem"] == "kept")
        cluster.put("namespaces", "", "web", [:])
        try await waitFor { root(cluster, in: "web") == "root one" }
        cluster.put("configmaps", "web", "skein-ca-root-cert", ["data": foreign])
        try await waitFor { root(cluster, in: "web") == "root one" }
        cluster.remove("configmaps", "web", "skein-ca-root-cert")
        try await waitFor { root(cluster, in: "web") == "root one" }
        try await waitFor { await one.status.outdated == 0 }
        let status = await two.status
        #expect(!status.isLeading && status.problem == nil)
        #expect(cluster.data("configmaps", "shop", "app") == foreign)
        // The next one takes over at once: the Lease was given up.
        run.cancel()
        await run.value
        try await waitFor { root(cluster, in: "web") == "root two" }
        #expect(await two.status.isLeading)
        other.cancel()
        await other.value
      }
    }
  }

  @Test func `is refused in one namespace alone, and status says where and why`() async throws {
    let cluster = ScriptedCluster()
    for name in ["a", "shop"] { cluster.put("namespaces", "", name, [:]) }
    try await ScriptedServer.run { request in
      if request.method == "POST", request.path.hasSuffix("/namespaces/a/configmaps") {
        return [.answer(403, statusObject(403, "Forbidden"))]
      }
      return cluster.answer(request)
    } _: { server in
      try await server.client { client in
        let (one, _) = publication(client, "one")
        let run = Task { await one.run { "root" } }
        try await waitFor { root(cluster, in: "shop") == "root" }
        try await waitFor {
          await one.status.problem?.hasPrefix("ConfigMap a/skein-ca-root-cert: ") == true
        }
        cluster.remove("namespaces", "", "a")
        try await waitFor { await one.status.problem == nil }
        run.cancel()
        await run.value
      }
    }
  }

  @Test func `is written by nobody who may not have the Lease, and status says so`() async throws {
    let cluster = ScriptedCluster()
    cluster.put("namespaces", "", "shop", [:])
    try await ScriptedServer.run { request in
      let isLease = request.path.contains("/leases")
      return isLease ? [.answer(403, statusObject(403, "Forbidden"))] : cluster.answer(request)
    } _: { server in
      try await server.client { client in
        let (one, _) = publication(client, "one")
        let run = Task { await one.run { "root" } }
        try await waitFor { await one.status.outdated == 1 }
        try await waitFor { await one.status.problem?.hasPrefix("Lease: ") == true }
        #expect(cluster.writes.isEmpty)
        run.cancel()
        await run.value
      }
    }
  }
}
