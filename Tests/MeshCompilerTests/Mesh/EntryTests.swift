import MeshCompiler
import MeshModel
import Testing

@Suite struct `A ServiceEntry is a service of its hosts` {
  static let shop = namespace("shop")

  @Test func `with endpoints of its own`() throws {
    let mesh = compiled(
      Self.shop,
      entry(
        "ServiceEntry", "db",
        """
        hosts: [db.example.com], addresses: [192.0.2.10, 198.51.100.0/24], resolution: STATIC,
        location: MESH_EXTERNAL, ports: [{number: 5432, name: tcp, protocol: TCP}],
        subjectAltNames: [spiffe://cluster.local/ns/shop/sa/db, db.example.com],
        endpoints: [{address: 10.1.0.1, ports: {tcp: 15432}, weight: 3, locality: r/z/s},
          {address: 10.1.0.2}]
        """))
    #expect(mesh.findings == [])
    let service = try #require(mesh.host("db.example.com"))
    #expect(
      service.virtualAddresses.map(\.block.description) == ["192.0.2.10/32", "198.51.100.0/24"])
    #expect(service.ports == [PortMapping(servicePort: 5432, targetPort: 5432)])
    #expect(service.subjectAltNames.map(\.serviceAccount) == ["db"])
    #expect(service.isCanonical)
    #expect(mesh.members(service.key) == ["10.1.0.1", "10.1.0.2"])
    let first = try #require(
      mesh.model.workloads["Kubernetes/networking.istio.io/ServiceEntry/shop/db/10.1.0.1"])
    #expect(first.services[service.key] == [PortMapping(servicePort: 5432, targetPort: 15432)])
    #expect(first.capacity == 3)
    #expect(first.locality == Locality(region: "r", zone: "z", subzone: "s"))
    #expect(first.tunnelProtocol == .none)
  }

  @Test func `resolved by name has a workload with that name`() throws {
    let mesh = compiled(
      Self.shop,
      entry(
        "ServiceEntry", "api", version: "v1beta1",
        """
        hosts: [api.example.com], addresses: [240.0.0.1], resolution: DNS,
        ports: [{number: 443, name: tls, protocol: TLS, targetPort: 8443}]
        """))
    #expect(mesh.findings == [])
    let service = try #require(mesh.host("api.example.com"))
    let member = try #require(MeshIndex(mesh.model).members(of: service.key).first)
    #expect(member.hostname == "api.example.com" && member.addresses.isEmpty)
    #expect(member.services[service.key] == [PortMapping(servicePort: 443, targetPort: 8443)])
  }

  @Test func `with resolution NONE is dialled where the application dials`() throws {
    let mesh = compiled(
      Self.shop,
      entry(
        "ServiceEntry", "wide",
        """
        hosts: ["*.example.com"], addresses: [203.0.113.0/24], resolution: NONE,
        ports: [{number: 443, name: tls, protocol: TLS}]
        """))
    #expect(mesh.findings == [])
    let service = try #require(mesh.host("*.example.com"))
    #expect(service.loadBalancing.mode == .passthrough)
    let client = Workload(uid: "c", name: "c", namespace: "shop")
    let destination = SocketAddress(ip: .v4(0xcb00_7109), port: 443)
    #expect(
      MeshIndex(mesh.model).plan(from: client, to: destination, turn: 0, localPods: [])
        == .passthrough(destination))
  }

  @Test func `selects pods and WorkloadEntries of its namespace`() throws {
    let mesh = compiled(
      Self.shop, pod("web", labels: "app: web"),
      entry(
        "WorkloadEntry", "vm", labels: "app: web",
        "address: 10.9.0.1, serviceAccount: vm, network: far, labels: {version: v7}, ports: {http: 8081}"
      ),
      entry(
        "ServiceEntry", "web",
        """
        hosts: [web.internal], addresses: [240.0.0.2], resolution: STATIC,
        location: MESH_INTERNAL, workloadSelector: {labels: {app: web}},
        ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
        """))
    #expect(mesh.findings == [])
    let service = try #require(mesh.host("web.internal"))
    #expect(mesh.members(service.key).sorted() == ["vm", "web"])
    let machine = try #require(
      mesh.model.workloads["Kubernetes/networking.istio.io/WorkloadEntry/shop/vm"])
    #expect(machine.identity.serviceAccount == "vm")
    #expect(machine.network == "far")
    #expect(machine.canonicalName == "web" && machine.canonicalRevision == "v7")
    #expect(machine.services[service.key]?.first?.targetPort == 8081)
    #expect(mesh.workload("shop/web")?.services[service.key]?.first?.targetPort == 8080)
  }

  @Test func `a Service selects WorkloadEntries too`() throws {
    let mesh = compiled(
      Self.shop, entry("WorkloadEntry", "vm", labels: "app: web", "address: 10.9.0.1"),
      service(
        "web", "clusterIP: 10.96.0.1, ports: [{port: 80, targetPort: 8080}], selector: {app: web}"))
    #expect(mesh.findings == [])
    #expect(mesh.members(.named("web")) == ["vm"])
  }

  @Test func `the oldest of several speaks for a host, and a Service before all`() {
    func api(_ namespace: String, _ created: String) -> String {
      entry(
        "ServiceEntry", "api", in: namespace, metadata: "creationTimestamp: \"\(created)\"",
        "hosts: [api.example.com, web.shop.svc.cluster.local], addresses: [240.0.0.1], ports: [{number: 80, name: http}]"
      )
    }
    let mesh = compiled(
      Self.shop, namespace("a"), namespace("b"), pod("web", labels: "app: web"),
      service("web", "clusterIP: 10.96.0.1, ports: [{port: 80}], selector: {app: web}"),
      api("a", "2026-02-01T00:00:00Z"), api("b", "2026-01-01T00:00:00Z"))
    #expect(mesh.host("api.example.com", in: "a")?.isCanonical == false)
    #expect(mesh.host("api.example.com", in: "b")?.isCanonical == true)
    #expect(mesh.host("web.shop.svc.cluster.local", in: "b")?.isCanonical == false)
  }

  @Test func `behind a waypoint when its label says so`() {
    let mesh = compiled(
      Self.shop, waypoint(), waypointService(), waypointPod(),
      entry(
        "ServiceEntry", "db", labels: "istio.io/use-waypoint: waypoint",
        "hosts: [db.example.com], addresses: [192.0.2.10], ports: [{number: 80, name: http}]"))
    #expect(mesh.findings == [])
    #expect(
      mesh.host("db.example.com")?.waypoint
        == GatewayAddress(destination: .service(.named("waypoint"))))
  }

  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var kind = "ServiceEntry"
    var spec: String
    var finding: String
    var testDescription: String { says }
  }

  @Test(arguments: [
    Row(
      says: "no host", spec: "ports: [{number: 80, name: a}], addresses: [10.0.0.9]",
      finding: "spec.hosts: expected at least one host"),
    Row(
      says: "a host that is none", spec: "hosts: [a_b], addresses: [10.0.0.9]",
      finding: "spec.hosts[0]: expected a host name, perhaps with \"*.\" in front, found \"a_b\""),
    Row(
      says: "an address that is none", spec: "hosts: [a.b], addresses: [10.0.0.0/33]",
      finding: "spec.addresses[0]: expected an address or a block such as 10.0.0.0/8, "
        + "found \"10.0.0.0/33\""),
    Row(
      says: "a resolution nobody knows",
      spec: "hosts: [a.b], addresses: [10.0.0.9], resolution: STATICK",
      finding: "spec.resolution: expected NONE, STATIC, DNS or DNS_ROUND_ROBIN, "
        + "found \"STATICK\"; did you mean STATIC?"),
    Row(
      says: "endpoints nobody dials",
      spec:
        "hosts: [a.b], addresses: [10.0.0.9], resolution: NONE, endpoints: [{address: 10.0.0.8}]",
      finding: "spec.resolution: expected STATIC or DNS beside endpoints; "
        + "NONE dials where the application dials"),
    Row(
      says: "a name where an address belongs",
      spec: "hosts: [a.b], addresses: [10.0.0.9], resolution: STATIC, endpoints: [{address: c.d}]",
      finding: "spec.endpoints[0].address: expected an address with resolution STATIC, "
        + "found \"c.d\""),
    Row(
      says: "a pattern nobody can resolve",
      spec: "hosts: [\"*.b\"], addresses: [10.0.0.9], resolution: DNS",
      finding: "spec.hosts[0]: expected endpoints, because \"*.b\" cannot be resolved"),
    Row(
      says: "a name that is no identity",
      spec: "hosts: [a.b], addresses: [10.0.0.9], subjectAltNames: [\"spiffe://x/y\"]",
      finding: "spec.subjectAltNames[0]: expected "
        + "spiffe://<trust domain>/ns/<namespace>/sa/<account>, found \"spiffe://x/y\""),
    Row(
      says: "a workload without an address", kind: "WorkloadEntry", spec: "weight: 2",
      finding: "spec.address: expected an IPv4 or IPv6 address or a host name"),
    Row(
      says: "a socket file", kind: "WorkloadEntry", spec: "address: \"unix:///a\"",
      finding: "spec.address: expected an IPv4 or IPv6 address or a host name, "
        + "found \"unix:///a\""),
    Row(
      says: "a weight that is none", kind: "WorkloadEntry", spec: "address: 10.0.0.1, weight: -1",
      finding: "spec.weight: expected a weight from 0 to 4294967295"),
    Row(
      says: "too much of a locality", kind: "WorkloadEntry",
      spec: "address: 10.0.0.1, locality: a/b/c/d",
      finding: "spec.locality: expected region/zone/subzone, found \"a/b/c/d\""),
  ])
  func `a mistake is an error at its place:`(row: Row) {
    let mesh = compiled(Self.shop, entry(row.kind, "x", row.spec))
    #expect(mesh.remarks(.error) == ["\(row.kind) shop/x, \(row.finding)"])
  }
}
