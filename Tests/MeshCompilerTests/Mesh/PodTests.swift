import MeshCompiler
import MeshModel
import Testing

@Suite struct `A pod becomes a workload` {
  @Test func `its identity, node, addresses and telemetry names come from its manifest`() throws {
    let mesh = compiled(
      namespace("shop"),
      pod(
        "web-1", labels: "app: web, version: v2, pod-template-hash: abc12",
        annotations: "skein.dev/netns: pod-web",
        metadata: """
          uid: 1b4e28ba-2fa1-11d2-883f-0016d3cca427,
          ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-abc12, uid: x,
          controller: true}]
          """,
        spec: "nodeName: node-a, serviceAccountName: web",
        ip: nil, status: "podIP: 10.0.0.7, podIPs: [{ip: 10.0.0.7}, {ip: \"fd00::7\"}]"))
    #expect(mesh.findings == [])
    let workload = try #require(mesh.workload("shop/web-1"))
    #expect(workload.uid == "Kubernetes//Pod/shop/web-1")
    #expect(workload.identity.description == web)
    #expect(workload.node == "node-a")
    #expect(workload.addresses.map(\.description) == ["10.0.0.7", "fd00::7"])
    #expect(workload.canonicalName == "web")
    #expect(workload.canonicalRevision == "v2")
    #expect(workload.workloadName == "web")
    #expect(workload.tunnelProtocol == .hbone)
    let placement = try #require(mesh.placement("shop/web-1"))
    #expect(placement.uid == "1b4e28ba-2fa1-11d2-883f-0016d3cca427")
    #expect(placement.workloadUID == workload.uid)
    #expect(placement.networkNamespace == "/run/netns/pod-web")
    #expect(placement.node == "node-a")
    #expect(placement.identity == workload.identity)
    #expect(placement.enrolment == .enrolled)
  }

  @Test func `a pod may be of another trust domain, by an annotation`() throws {
    let mesh = compiled(
      namespace("shop"), pod("web", annotations: "skein.dev/trust-domain: other.example"))
    #expect(mesh.findings == [])
    let workload = try #require(mesh.workload("shop/web"))
    #expect(workload.identity.description == "spiffe://other.example/ns/shop/sa/default")
    #expect(mesh.placement("shop/web")?.identity == workload.identity)
    let bad = compiled(
      namespace("shop"), pod("web", annotations: "skein.dev/trust-domain: a/b"))
    #expect(bad.findings.count == 1)
  }

  @Test func `a pod without uid gets one that only its namespace and name decide`() throws {
    let first = compiled(namespace("shop"), pod("web", labels: "app: a"))
    let second = compiled(namespace("shop"), pod("web", labels: "app: b", ip: "10.0.0.9"))
    let uid = try #require(first.placement("shop/web")).uid
    #expect(second.placement("shop/web")?.uid == uid)
    #expect(uid.count == 36)
    #expect(!uid.contains("."))
    let others = compiled(
      namespace("a-b"), pod("c", in: "a-b"), pod("b-c", in: "a", ip: "10.0.0.2"))
    #expect(Set(others.pods.map(\.uid)).count == 2)
  }

  struct Naming: CustomTestStringConvertible {
    var says: String
    var labels: String
    var owner: String?
    var name: String
    var revision = "latest"
    var workload = "web-1"
    var testDescription: String { says }
  }

  @Test(arguments: [
    Naming(says: "its own name without labels", labels: "", name: "web-1"),
    Naming(says: "the app label", labels: "app: a, version: v1", name: "a", revision: "v1"),
    Naming(
      says: "Kubernetes' labels before app",
      labels: "app: a, app.kubernetes.io/name: k, version: v1, app.kubernetes.io/version: v2",
      name: "k", revision: "v2"),
    Naming(
      says: "Istio's labels before all",
      labels: """
        app: a, app.kubernetes.io/name: k, service.istio.io/canonical-name: c,
        service.istio.io/canonical-revision: r
        """, name: "c", revision: "r"),
    Naming(
      says: "the deployment behind a replica set", labels: "pod-template-hash: f00",
      owner: "kind: ReplicaSet, name: shop-web-f00", name: "shop-web", workload: "shop-web"),
    Naming(
      says: "a replica set that no deployment made", labels: "",
      owner: "kind: ReplicaSet, name: web-f00", name: "web-f00", workload: "web-f00"),
    Naming(
      says: "the cron job behind a job", labels: "", owner: "kind: Job, name: backup-28391040",
      name: "backup", workload: "backup"),
    Naming(
      says: "a job of its own", labels: "", owner: "kind: Job, name: backup-1", name: "backup-1",
      workload: "backup-1"),
    Naming(
      says: "a stateful set", labels: "", owner: "kind: StatefulSet, name: db", name: "db",
      workload: "db"),
  ])
  func `telemetry names it after`(row: Naming) throws {
    let owner = row.owner.map { "ownerReferences: [{\($0), controller: true}]" } ?? ""
    let mesh = compiled(namespace("shop"), pod("web-1", labels: row.labels, metadata: owner))
    let workload = try #require(mesh.workload("shop/web-1"))
    #expect(workload.canonicalName == row.name)
    #expect(workload.canonicalRevision == row.revision)
    #expect(workload.workloadName == row.workload)
  }

  struct Condition: CustomTestStringConvertible {
    var says: String
    var metadata = ""
    var status = ""
    var health: Workload.Health?
    var testDescription: String { says }
  }

  @Test(arguments: [
    Condition(says: "healthy when nothing says otherwise", health: .healthy),
    Condition(says: "healthy when running", status: "phase: Running", health: .healthy),
    Condition(
      says: "healthy when ready",
      status:
        "conditions: [{type: Initialized, status: \"False\"}, {type: Ready, status: \"True\"}]",
      health: .healthy),
    Condition(
      says: "unhealthy when not ready",
      status: "conditions: [{type: Ready, status: \"False\"}]", health: .unhealthy),
    Condition(
      says: "unhealthy when its readiness is unknown",
      status: "conditions: [{type: Ready, status: Unknown}]", health: .unhealthy),
    Condition(says: "unhealthy when pending", status: "phase: Pending", health: .unhealthy),
    Condition(
      says: "unhealthy while it is deleted",
      metadata: "deletionTimestamp: \"2026-01-31T12:00:00Z\"",
      status: "conditions: [{type: Ready, status: \"True\"}]", health: .unhealthy),
    Condition(says: "gone once it succeeded", status: "phase: Succeeded", health: nil),
    Condition(says: "gone once it failed", status: "phase: Failed", health: nil),
  ])
  func `is`(row: Condition) {
    let mesh = compiled(
      namespace("shop"), pod("web", metadata: row.metadata, status: row.status))
    #expect(mesh.findings == [])
    #expect(mesh.workload("shop/web")?.health == row.health)
  }

  @Test func `a pod without an address waits outside the model`() {
    let mesh = compiled(namespace("shop"), pod("web", ip: nil))
    #expect(mesh.model.workloads.isEmpty)
    #expect(mesh.placement("shop/web")?.enrolment == .notEnrolled(.noAddress))
  }

  @Test func `the settings of the mesh reach the workload`() throws {
    let mesh = compiled(
      namespace("shop"), pod("web"), service("web", "clusterIP: 10.96.0.1, ports: [{port: 80}]"),
      options: CompilerOptions(clusterDomain: "cluster.test", trustDomain: "td", clusterID: "C1"))
    let workload = try #require(mesh.model.workloads["C1//Pod/shop/web"])
    #expect(workload.identity.description == "spiffe://td/ns/shop/sa/default")
    #expect(workload.clusterID == "C1")
    #expect(mesh.model.services.keys.map(\.hostname) == ["web.shop.svc.cluster.test"])
  }
}

@Suite struct `Labels decide which pods are enrolled` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var namespaceLabels = "istio.io/dataplane-mode: ambient"
    var labels = ""
    var annotations = ""
    var spec = ""
    var status = ""
    var enrolment: Enrolment
    var testDescription: String { says }
  }

  @Test(arguments: [
    Row(says: "its namespace's label", enrolment: .enrolled),
    Row(
      says: "its own label", namespaceLabels: "", labels: "istio.io/dataplane-mode: ambient",
      enrolment: .enrolled),
    Row(says: "no label", namespaceLabels: "", enrolment: .notEnrolled(.notLabelled)),
    Row(
      says: "its own none", labels: "istio.io/dataplane-mode: none",
      enrolment: .notEnrolled(.optedOut)),
    Row(
      says: "its namespace's none", namespaceLabels: "istio.io/dataplane-mode: none",
      enrolment: .notEnrolled(.notLabelled)),
    Row(
      says: "its own label against its namespace's none",
      namespaceLabels: "istio.io/dataplane-mode: none", labels: "istio.io/dataplane-mode: ambient",
      enrolment: .enrolled),
    Row(
      says: "the node's network", spec: "hostNetwork: true",
      enrolment: .notEnrolled(.hostNetwork)),
    Row(
      says: "a sidecar", annotations: "sidecar.istio.io/status: injected",
      enrolment: .notEnrolled(.sidecar)),
    Row(says: "its end", status: "phase: Succeeded", enrolment: .notEnrolled(.finished)),
  ])
  func `by`(row: Row) {
    let mesh = compiled(
      namespace("shop", labels: row.namespaceLabels),
      pod(
        "web", labels: row.labels, annotations: row.annotations, spec: row.spec,
        status: row.status))
    #expect(mesh.placement("shop/web")?.enrolment == row.enrolment)
    let tunnel = mesh.workload("shop/web")?.tunnelProtocol
    #expect(tunnel == nil || (tunnel == .hbone) == row.enrolment.isEnrolled)
    #expect(!mesh.hasErrors)
  }

  static let asks = "istio-injection: enabled"

  @Test(arguments: [
    Row(says: "asks", namespaceLabels: asks, enrolment: .enrolled),
    Row(
      says: "asks beside our own none",
      namespaceLabels: "\(asks), istio.io/dataplane-mode: none",
      enrolment: .notEnrolled(.notLabelled)),
    Row(
      says: "says something else", namespaceLabels: "istio-injection: disabled",
      enrolment: .notEnrolled(.notLabelled)),
    Row(
      says: "asks, and the pod refuses by a label", namespaceLabels: asks,
      labels: "sidecar.istio.io/inject: \"false\"", enrolment: .notEnrolled(.noInjection)),
    Row(
      says: "asks, and the pod refuses by an annotation", namespaceLabels: asks,
      annotations: "sidecar.istio.io/inject: \"false\"", enrolment: .notEnrolled(.noInjection)),
    Row(
      says: "asks, and the pod asks in our words", namespaceLabels: asks,
      labels: "istio.io/dataplane-mode: ambient, sidecar.istio.io/inject: \"false\"",
      enrolment: .enrolled),
    Row(
      says: "asks, and there is a sidecar", namespaceLabels: asks,
      annotations: "sidecar.istio.io/status: injected", enrolment: .notEnrolled(.sidecar)),
  ])
  func `by the label for sidecars where that is wanted, when it`(row: Row) {
    let mesh = compiled(
      namespace("shop", labels: row.namespaceLabels),
      pod("web", labels: row.labels, annotations: row.annotations),
      options: CompilerOptions(enrolsInjectionLabel: true))
    #expect(mesh.placement("shop/web")?.enrolment == row.enrolment)
    #expect(!mesh.findings.contains { $0.contains("istio-injection") })
  }

  @Test func `the label for sidecars enrols nothing unless that is wanted, and is explained`() {
    let mesh = compiled(namespace("shop", labels: Self.asks), pod("web"))
    #expect(mesh.placement("shop/web")?.enrolment == .notEnrolled(.notLabelled))
    #expect(
      mesh.findings == [
        "mesh.yaml:1: warning: document 1, Namespace shop, metadata.labels[\"istio-injection\"]: "
          + "it enrols nothing here: label the namespace istio.io/dataplane-mode: ambient, or run "
          + "with --enroll-injection-label"
      ])
  }

  @Test func `a labelled pod on the node's network is said not to be covered`() {
    let mesh = compiled(namespace("shop"), pod("web", spec: "hostNetwork: true"))
    #expect(
      mesh.findings == [
        "mesh.yaml:7: warning: document 2, Pod shop/web: "
          + "labelled for the mesh but not covered: it uses the node's network"
      ])
    #expect(mesh.workload("shop/web")?.isHostNetwork == true)
  }

  @Test func `a label that means nothing is said to enrol nothing`() {
    let mesh = compiled(
      namespace("shop", labels: "istio.io/dataplane-mode: Ambient"), pod("web"))
    #expect(
      mesh.findings == [
        "mesh.yaml:1: warning: document 1, Namespace shop, "
          + "metadata.labels[\"istio.io/dataplane-mode\"]: "
          + "expected ambient or none, found \"Ambient\", which enrols nothing"
      ])
  }
}
