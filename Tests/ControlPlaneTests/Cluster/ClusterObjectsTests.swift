import KubernetesClient
import MeshCompiler
import MeshModel
import Testing

@testable import ControlPlane

/// Objects of a cluster, written as they come.
private final class Writer {
  var objects: ClusterObjects

  init(_ objects: ClusterObjects = ClusterObjects(options: CompilerOptions())) {
    self.objects = objects
  }

  @discardableResult
  func put(
    _ kind: String, _ name: String, namespace: String = "shop", created: Int = 1,
    leaving: Bool = false, labels: ManifestValue = [:], _ fields: ManifestValue = [:]
  ) -> Bool {
    let hour = created < 10 ? "0\(created)" : "\(created)"
    var metadata: ManifestValue = [
      "name": .text(name), "creationTimestamp": .text("2026-01-01T\(hour):00:00Z"),
      "labels": labels, "uid": .text("\(kind)-\(namespace)-\(name)"),
    ]
    if !namespace.isEmpty { metadata = metadata.with("namespace", .text(namespace)) }
    if leaving { metadata = metadata.with("deletionTimestamp", "2026-01-02T00:00:00Z") }
    let group = kind.hasSuffix("Policy") || kind.hasSuffix("Authentication")
    var root: ManifestValue = [
      "apiVersion": group ? "security.istio.io/v1" : "v1", "kind": .text(kind),
      "metadata": metadata,
    ]
    if case .mapping(let entries) = fields.content {
      for entry in entries { root = root.with(entry.key, entry.value) }
    }
    let object = WatchedObject(
      name: ObjectName(namespace: namespace, name: name), resourceVersion: "1", root: root)
    return objects.take([.applied(object)], kind: kind)
  }

  func pod(
    _ name: String, ip: String, namespace: String = "shop", created: Int = 1,
    leaving: Bool = false, app: String = "web"
  ) {
    put(
      "Pod", name, namespace: namespace, created: created, leaving: leaving,
      labels: ["app": .text(app)],
      [
        "spec": ["nodeName": "a", "serviceAccountName": .text(app)],
        "status": ["phase": "Running", "podIPs": .list([["ip": .text(ip)]])],
      ])
  }

  func remove(_ kind: String, _ name: String) {
    _ = objects.take([.removed(ObjectName(namespace: "shop", name: name))], kind: kind)
  }

  static func shop() -> Writer {
    let writer = Writer()
    writer.put(
      "Namespace", "shop", namespace: "", labels: ["istio.io/dataplane-mode": "ambient"])
    writer.pod("web-1", ip: "10.0.0.1")
    return writer
  }

  var compiled: Compilation { objects.compiled() }
  var refusals: [String] {
    compiled.diagnostics.filter { $0.severity == .refusal }.map { "\($0)" }
  }
  func policy(_ name: String) -> AuthorizationPolicy? {
    compiled.model.policies[PolicyKey(namespace: "shop", name: name)]
  }
}

private func allow(_ namespace: String) -> ManifestValue {
  [
    "spec": [
      "selector": ["matchLabels": ["app": "web"]],
      "rules": .list([["from": .list([["source": ["namespaces": .list([.text(namespace)])]]])]]),
    ]
  ]
}

/// Wrong, and its selector readable.
private let wrong: ManifestValue = [
  "spec": [
    "selector": ["matchLabels": ["app": "web"]],
    "rules": .list([["from": .list([["source": ["ipBlocks": .list(["10.0.0.0/99"])]]])]]),
  ]
]

@Suite struct `One bad object of a cluster` {
  @Test func `leaves its last good version and every other change in force`() {
    let writer = Writer.shop()
    writer.put("AuthorizationPolicy", "p", allow("one"))
    let good = writer.policy("p")
    writer.put("AuthorizationPolicy", "p", wrong)
    writer.pod("web-2", ip: "10.0.0.2")
    let compiled = writer.compiled
    #expect(!compiled.hasErrors && compiled.model.workloads.count == 2)
    #expect(writer.policy("p") == good && good != nil)
    #expect(writer.refusals.count == 1)
    #expect(
      writer.refusals[0].hasPrefix("AuthorizationPolicy/shop/p: refused: ")
        && writer.refusals[0].contains("spec.rules[0].from[0].source.ipBlocks")
        && writer.refusals[0].hasSuffix("its last good version stays in force"))
    writer.put("AuthorizationPolicy", "p", allow("two"))
    #expect(writer.refusals.isEmpty && writer.policy("p") != good)
  }

  @Test func `denies what it selects when it is a policy that never was good`() throws {
    let writer = Writer.shop()
    writer.put("AuthorizationPolicy", "p", wrong)
    let policy = try #require(writer.policy("p"))
    #expect(policy.action == .allow && policy.rules.isEmpty && policy.scope == .workloadSelector)
    let web = try #require(writer.compiled.model.workloads.values.first)
    #expect(web.authorizationPolicies.contains(policy.key))
    #expect(writer.refusals[0].hasSuffix("until it can be read, what it selects lets nobody in"))
    writer.remove("AuthorizationPolicy", "p")
    #expect(writer.policy("p") == nil && writer.refusals.isEmpty)
  }

  @Test(
    arguments: [
      ["spec": "text"], ["spec": ["selector": "text"]], ["spec": ["selector": ["matchLabel": [:]]]],
      ["spec": ["selector": ["matchLabels": ["app": .whole(1)]]]],
      ["spec": ["rules": "text", "targetRefs": .list([["kind": "Service", "name": "a"]])]],
    ] as [ManifestValue])
  func `denies its whole scope when what it selects cannot be read`(fields: ManifestValue) throws {
    let writer = Writer.shop()
    writer.put("AuthorizationPolicy", "p", fields)
    let policy = try #require(writer.policy("p"))
    #expect(policy.scope == .namespace && policy.rules.isEmpty && policy.action == .allow)
  }

  @Test func `asks for mutual TLS when it is a PeerAuthentication`() throws {
    let writer = Writer.shop()
    writer.put("PeerAuthentication", "p", ["spec": ["mtls": ["mode": "STRIKT"]]])
    let strict = Writer.shop()
    strict.put("PeerAuthentication", "p", ["spec": ["mtls": ["mode": "STRICT"]]])
    #expect(writer.compiled.model == strict.compiled.model)
    #expect(writer.refusals[0].contains("takes mutual TLS only"))
  }

  @Test func `is left out when it is anything else, and refused by name`() {
    let writer = Writer.shop()
    writer.put("Service", "db", ["spec": ["ports": .list([["port": "x"]])]])
    #expect(writer.compiled.model.services.isEmpty && writer.compiled.model.workloads.count == 1)
    #expect(writer.refusals.count == 1 && writer.refusals[0].contains("Service shop/db"))
  }

  @Test func `of a namespace leaves the namespace as it was`() {
    let writer = Writer.shop()
    writer.put(
      "Namespace", "shop", namespace: "",
      labels: ["istio.io/dataplane-mode": "none", "istio.io/use-waypoint": "Not_A_Name"])
    #expect(writer.compiled.pods.first?.enrolment == .enrolled)
    #expect(writer.refusals[0].contains("its last good version stays"))
  }

  @Test func `that is too large is known by its name, and what was known of it stays`() {
    let writer = Writer.shop()
    writer.put("AuthorizationPolicy", "p", allow("one"))
    let good = writer.policy("p")
    for name in ["p", "q"] {
      let refused = RefusedObject(
        name: ObjectName(namespace: "shop", name: name), resourceVersion: "2", reason: "too large")
      let isNew = writer.objects.take([.refused(refused)], kind: "AuthorizationPolicy")
      let isNewAgain = writer.objects.take([.refused(refused)], kind: "AuthorizationPolicy")
      #expect(isNew && !isNewAgain)
    }
    #expect(writer.policy("p") == good)
    #expect(writer.policy("q")?.scope == .namespace)
    #expect(writer.refusals.count == 2)
  }
}

@Suite struct `Objects of a cluster that claim one address` {
  private func names(_ writer: Writer) -> [String] {
    writer.compiled.model.workloads.values.map(\.name).sorted()
  }

  @Test func `leave it to the pod that was made last, for the other has lost it`() {
    for (first, second) in [("a", "z"), ("z", "a")] {
      let writer = Writer()
      writer.pod(first, ip: "10.0.0.1", created: 1)
      writer.pod(second, ip: "10.0.0.1", created: 2)
      writer.pod("other", ip: "10.0.0.2", created: 1)
      #expect(names(writer) == ["other", second].sorted())
      #expect(writer.refusals.count == 1 && !writer.compiled.hasErrors)
    }
  }

  @Test func `leave it to the pod that is not ending`() {
    let writer = Writer()
    writer.pod("old", ip: "10.0.0.1", created: 1)
    writer.pod("ending", ip: "10.0.0.1", created: 2, leaving: true)
    #expect(names(writer) == ["old"])
  }

  @Test func `leave it to the service that was there first, and to no service of a pod's`() {
    let writer = Writer()
    let spec: ManifestValue = [
      "spec": ["clusterIP": "10.96.0.1", "ports": .list([["port": .whole(80)]])]
    ]
    writer.put("Service", "b", created: 1, spec)
    writer.put("Service", "a", created: 2, spec)
    #expect(writer.compiled.model.services.values.map(\.name) == ["b"])
    writer.pod("web", ip: "10.96.0.1", created: 3)
    #expect(writer.compiled.model.services.isEmpty && names(writer) == ["web"])
    writer.remove("Pod", "web")
    #expect(writer.compiled.model.services.values.map(\.name) == ["b"])
    writer.remove("Service", "b")
    #expect(writer.compiled.model.services.values.map(\.name) == ["a"])
    #expect(writer.refusals.isEmpty)
  }

  @Test func `are in the next change when there was no mesh of them in between`() {
    let writer = Writer(ClusterObjects(options: CompilerOptions(), conflictRounds: 1))
    writer.pod("a", ip: "10.0.0.1")
    var followed = Model()
    #expect(!writer.compiled.hasErrors)
    followed.apply(writer.objects.takeChange())
    writer.pod("b", ip: "10.0.0.1", created: 2)
    writer.pod("c", ip: "10.0.0.2")
    #expect(writer.compiled.hasErrors && writer.compiled.model == Model())
    writer.remove("Pod", "a")
    let compiled = writer.compiled
    #expect(!compiled.hasErrors && names(writer) == ["b", "c"])
    let change = writer.objects.takeChange()
    #expect(change == followed.change(to: compiled.model) && change.workloads.count == 2)
  }
}

@Suite struct `A cluster's changes` {
  @Test func `that mean nothing to the mesh are no change`() {
    let writer = Writer()
    let spec: ManifestValue = ["spec": ["ports": .list([["port": .whole(80)]])]]
    let isNew = writer.put("Service", "a", spec)
    let isNewAgain = writer.put("Service", "a", spec)
    let isGone = writer.objects.take(
      [.removed(ObjectName(namespace: "x", name: "x"))], kind: "Service")
    #expect(isNew && !isNewAgain && !isGone)
  }

  @Test func `settle after a quiet moment, and soon at most`() {
    func wait(first: Int, last: Int, now: Int) -> Duration? {
      func instant(_ milliseconds: Int) -> Instant {
        Instant(nanoseconds: UInt64(milliseconds) * 1_000_000)
      }
      return Settlement(
        first: instant(first), last: instant(last), quiet: .milliseconds(10),
        most: .milliseconds(100)
      ).wait(at: instant(now))
    }
    #expect(wait(first: 0, last: 0, now: 0) == .milliseconds(10))
    #expect(wait(first: 0, last: 5, now: 9) == .milliseconds(6))
    #expect(wait(first: 0, last: 5, now: 15) == nil)
    #expect(wait(first: 0, last: 95, now: 96) == .milliseconds(4))
    #expect(wait(first: 0, last: 99, now: 100) == nil)
  }
}
