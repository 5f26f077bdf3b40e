import KubernetesClient
import KubernetesHarness
import MeshCompiler
import MeshModel
import Testing

@testable import NodeAgent

private func namespace(_ labels: ManifestValue = [:], name: String = "shop") -> Reflector.Change {
  .applied(
    WatchedObject(
      name: ObjectName(namespace: "", name: name), resourceVersion: "1",
      root: [
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": ["name": .text(name), "labels": labels],
      ]))
}

private let ambient: ManifestValue = ["istio.io/dataplane-mode": "ambient"]
private let running = status(ip: "10.0.0.1")

private func status(ip: String) -> ManifestValue {
  let addresses = ManifestValue(.sequence([["ip": .text(ip)]]), line: 0)
  return ["podIPs": addresses, "phase": "Running"]
}

private func pod(
  _ name: String = "web", metadata: [(String, ManifestValue)] = [], spec: ManifestValue = [:],
  status: ManifestValue = running
) -> Reflector.Change {
  var own: ManifestValue = ["name": .text(name), "namespace": "shop", "uid": .text("uid-\(name)")]
  for (key, value) in metadata { own = own.with(key, value) }
  return .applied(
    WatchedObject(
      name: ObjectName(namespace: "shop", name: name), resourceVersion: "1",
      root: [
        "apiVersion": "v1", "kind": "Pod", "metadata": own,
        "spec": spec.with("nodeName", "a").with("serviceAccountName", "web"), "status": status,
      ]))
}

@Suite struct `Pods of a cluster` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var labels = ambient
    var pod: Reflector.Change
    var enrolment: Enrolment
    var testDescription: String { says }
  }

  static let rows = [
    Row(says: "in the mesh by its namespace", pod: pod(), enrolment: .enrolled),
    Row(
      says: "in the mesh by its own label", labels: [:],
      pod: pod(metadata: [("labels", ambient)]), enrolment: .enrolled),
    Row(
      says: "outside without a label", labels: [:], pod: pod(),
      enrolment: .notEnrolled(.notLabelled)),
    Row(
      says: "outside by its own none",
      pod: pod(metadata: [("labels", ["istio.io/dataplane-mode": "none"])]),
      enrolment: .notEnrolled(.optedOut)),
    Row(
      says: "on the node's network",
      pod: pod(spec: ["hostNetwork": ManifestValue(.boolean(true), line: 0)]),
      enrolment: .notEnrolled(.hostNetwork)),
    Row(
      says: "succeeded", pod: pod(status: running.with("phase", "Succeeded")),
      enrolment: .notEnrolled(.finished)),
    Row(
      says: "failed", pod: pod(status: running.with("phase", "Failed")),
      enrolment: .notEnrolled(.finished)),
    Row(
      says: "without an address yet", pod: pod(status: ["phase": "Pending"]),
      enrolment: .notEnrolled(.noAddress)),
    Row(
      says: "terminating, in the mesh to its end",
      pod: pod(metadata: [("deletionTimestamp", "2026-01-31T12:00:00Z")]), enrolment: .enrolled),
  ]

  @Test(arguments: rows) func `are placed by the compiler's rules, one`(row: Row) throws {
    var objects = NodeObjects(options: CompilerOptions())
    _ = objects.take([namespace(row.labels)], kind: "Namespace")
    _ = objects.take([row.pod], kind: "Pod")
    let placements = objects.compiled().placements
    let placement = try #require(placements.first)
    #expect(placement.enrolment == row.enrolment)
    #expect(placement.uid == "uid-web" && placement.node == "a")
    #expect(placement.identity.serviceAccount == "web")
  }

  @Test func `are enrolled by the label for sidecars where that is wanted, else it is explained`() {
    for isWanted in [true, false] {
      var objects = NodeObjects(options: CompilerOptions(enrolsInjectionLabel: isWanted))
      _ = objects.take([namespace(["istio-injection": "enabled"])], kind: "Namespace")
      _ = objects.take([pod()], kind: "Pod")
      let (placements, findings) = objects.compiled()
      #expect(placements.map(\.enrolment.isEnrolled) == [isWanted])
      #expect(findings.map(\.code) == (isWanted ? [] : [.notCovered]))
    }
  }

  @Test func `are not believed about their network namespace`() {
    var objects = NodeObjects(options: CompilerOptions())
    _ = objects.take([namespace(ambient)], kind: "Namespace")
    _ = objects.take(
      [pod(metadata: [("annotations", ["skein.dev/netns": "/proc/1/ns/net"])])], kind: "Pod")
    let placements = objects.compiled().placements
    #expect(placements.map(\.networkNamespace) == [nil])
  }

  @Test func `keep their last good version, or are left out, and hold nothing else back`() {
    var objects = NodeObjects(options: CompilerOptions())
    _ = objects.take([namespace(ambient)], kind: "Namespace")
    _ = objects.take([pod("good"), pod("turns", status: status(ip: "10.0.0.2"))], kind: "Pod")
    let bad = status(ip: "nonsense")
    _ = objects.take([pod("turns", status: bad), pod("never", status: bad)], kind: "Pod")
    let (placements, findings) = objects.compiled()
    #expect(placements.map(\.name) == ["good", "turns"])
    let refused = findings.filter { $0.severity == .error }.map(\.file)
    #expect(refused == ["Pod/shop/never", "Pod/shop/turns"])
    _ = objects.take([.removed(ObjectName(namespace: "shop", name: "turns"))], kind: "Pod")
    let left = objects.compiled().placements
    #expect(left.map(\.name) == ["good"])
  }

  @Test func `are placed both when they claim one address, for the kernel knows whose it is`() {
    var objects = NodeObjects(options: CompilerOptions())
    _ = objects.take([namespace(ambient)], kind: "Namespace")
    _ = objects.take([pod("old"), pod("new")], kind: "Pod")
    let (placements, findings) = objects.compiled()
    #expect(placements.map(\.enrolment) == [.enrolled, .enrolled])
    #expect(findings.contains { $0.code == .duplicateAddress })
  }

  @Test func `that are the same again are no change`() {
    var objects = NodeObjects(options: CompilerOptions())
    let refused = Reflector.Change.refused(
      RefusedObject(
        name: ObjectName(namespace: "shop", name: "big"), resourceVersion: "1", reason: "too big"))
    for (change, isNew) in [
      (pod(), true), (pod(), false), (refused, true), (refused, false),
      (.removed(ObjectName(namespace: "shop", name: "x")), false),
    ] {
      let isTaken = objects.take([change], kind: "Pod")
      #expect(isTaken == isNew)
    }
  }
}

@Suite struct `A node's watch of its cluster` {
  private static let pods = """
    {"metadata":{"name":"web","namespace":"shop","uid":"u1","resourceVersion":"5"},\
    "spec":{"nodeName":"node-a"},"status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"}]}}
    """
  private static let namespace = """
    {"metadata":{"name":"shop","resourceVersion":"4",\
    "labels":{"istio.io/dataplane-mode":"ambient"}}}
    """

  @Test func `asks for all namespaces and its own pods, and places nothing before it has both`()
    async throws
  {
    let feed = Feed()
    try await ScriptedServer.run { request in
      switch (request.path, request.isWatch) {
      case ("/api/v1", _): [.ok(#"{"resources":[{"name":"pods"},{"name":"namespaces"}]}"#)]
      case ("/api/v1/namespaces", false):
        [.pause(milliseconds: 200), .ok(list(4, [Self.namespace]))]
      case ("/api/v1/pods", false): [.ok(list(5, [Self.pods]))]
      case ("/api/v1/namespaces", true): [.stream, .feed(feed)]
      case ("/api/v1/pods", true): [.stream]
      default: [.answer(404, statusObject(404, "NotFound"))]
      }
    } _: { server in
      try await server.client { client in
        let pods = ClusterPods(server: "s", options: CompilerOptions())
        #expect(await pods.status.problems.count == 2)
        let watch = NodeWatch(client: client, node: "node-a", pods: pods)
        let (changes, changed) = AsyncStream.makeStream(of: Void.self)
        let task = Task { await watch.run { changed.yield() } }
        for await _ in changes { break }
        #expect(await pods.placements?.map(\.enrolment) == [.enrolled])
        #expect(await pods.status.problems.isEmpty)
        let asked = server.requests.filter { $0.path == "/api/v1/pods" }
        #expect(asked.allSatisfy { $0.query["fieldSelector"] == "spec.nodeName%3Dnode-a" })
        feed.send(
          line("MODIFIED", #"{"metadata":{"name":"shop","resourceVersion":"9","labels":{}}}"#))
        for await _ in changes { break }
        #expect(await pods.placements?.map(\.enrolment) == [.notEnrolled(.notLabelled)])
        task.cancel()
        await task.value
      }
    }
  }
}
