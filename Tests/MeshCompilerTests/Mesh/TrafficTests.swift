import MeshCompiler
import MeshModel
import Testing

@Suite struct `Where traffic goes is written on services and nodes` {
  static let web = "clusterIP: 10.96.0.1, ports: [{port: 80}], selector: {app: web}"
  static let close = LoadBalancing(mode: .failover, preferences: [.network, .region, .zone])
  static let node = LoadBalancing(
    mode: .failover, preferences: [.network, .region, .zone, .subzone, .node])

  private func balancing(
    namespace labels: String = "", annotations: String = "", _ spec: String = ""
  ) -> LoadBalancing? {
    let home = """
      apiVersion: v1
      kind: Namespace
      metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}, annotations: {\(labels)}}
      """
    let mesh = compiled(
      home, pod("web", labels: "app: web"),
      labelled("Service", "web", annotations: annotations, Self.web + spec))
    #expect(mesh.findings == [])
    return mesh.service("web")?.loadBalancing
  }

  static let annotation = "networking.istio.io/traffic-distribution"

  @Test func `by the spec, else the annotation, else the namespace's`() {
    #expect(balancing() == LoadBalancing())
    #expect(balancing(", trafficDistribution: PreferClose") == Self.close)
    #expect(balancing(", trafficDistribution: PreferSameZone") == Self.close)
    #expect(balancing(", trafficDistribution: PreferSameNode") == Self.node)
    #expect(balancing(annotations: "\(Self.annotation): PreferSameNode") == Self.node)
    #expect(
      balancing(
        annotations: "\(Self.annotation): PreferSameNode", ", trafficDistribution: PreferClose")
        == Self.close)
    #expect(balancing(namespace: "\(Self.annotation): PreferClose") == Self.close)
    #expect(
      balancing(
        namespace: "\(Self.annotation): PreferClose", annotations: "\(Self.annotation): Any")
        == LoadBalancing())
    #expect(
      balancing(", trafficDistribution: PreferClose, internalTrafficPolicy: Local") == .nodeLocal)
  }

  @Test func `a pod is where its node is`() {
    let mesh = compiled(
      namespace("shop"), pod("web", spec: "nodeName: one"),
      """
      apiVersion: v1
      kind: Node
      metadata:
        name: one
        labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z,
          topology.istio.io/subzone: s}
      """)
    #expect(mesh.findings == [])
    #expect(
      mesh.workload("shop/web")?.locality == Locality(region: "r", zone: "z", subzone: "s"))
  }

  @Test(arguments: [
    ("[IPv4]", Service.AddressFamilies.ipv4), ("[IPv6]", .ipv6), ("[IPv6, IPv4]", .both),
    ("[]", .automatic),
  ])
  func `a service offers the families it lists`(
    families: String, expected: Service.AddressFamilies
  ) {
    let mesh = compiled(
      namespace("shop"), pod("web", labels: "app: web"),
      service("web", Self.web + ", ipFamilies: \(families)"))
    #expect(mesh.service("web")?.addressFamilies == expected)
  }

  private func exported(_ words: String) -> Compilation {
    compiled(
      namespace("shop"), pod("web", labels: "app: web"),
      labelled(
        "Service", "web", annotations: "networking.istio.io/exportTo: \"\(words)\"", Self.web))
  }

  @Test func `a service is seen by whom it is exported to`() {
    #expect(exported("*").service("web")?.visibility == .everyone)
    #expect(exported(".").service("web")?.visibility == .ownNamespace)
    #expect(exported("~").service("web") == nil)
    #expect(exported("~").remarks(.warning).count == 1)
    let named = exported("a, b")
    #expect(named.service("web")?.visibility == .ownNamespace)
    #expect(
      named.remarks(.refusal) == [
        "Service shop/web, metadata.annotations.networking.istio.io/exportTo: seen in its own "
          + "namespace only: expected \"*\", \".\" or \"~\", single namespaces cannot be told to "
          + "nodes"
      ])
  }

  @Test(arguments: [
    ("", Workload.Kind.pod),
    (
      "ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: a, controller: true}]",
      .deployment
    ),
    (
      "ownerReferences: [{apiVersion: batch/v1, kind: Job, name: once, uid: a, controller: true}]",
      .job
    ),
    (
      "ownerReferences: [{apiVersion: batch/v1, kind: Job, name: often-29000000, uid: a, controller: true}]",
      .cronJob
    ),
  ])
  func `a workload is of the kind of what made it`(metadata: String, kind: Workload.Kind) {
    let mesh = compiled(namespace("shop"), pod("web", metadata: metadata))
    #expect(mesh.workload("shop/web")?.kind == kind)
  }
}

@Suite struct `Networks have entries` {
  static let root = namespace(
    "istio-system", labels: "istio.io/dataplane-mode: none, topology.istio.io/network: near")
  static let entryGateway = waypoint(
    "entry", in: "istio-system", labels: "topology.istio.io/network: far",
    className: "istio-east-west", status: "addresses: [{value: 192.0.2.7}]")
  static let manifests = [
    root, namespace("shop"), entryGateway, pod("here", labels: "app: web"),
    pod(
      "there", labels: "app: web, topology.istio.io/network: far",
      spec: "serviceAccountName: there", ip: "10.0.0.2"),
    service("web", "clusterIP: 10.96.0.1, ports: [{port: 80}], selector: {app: web}"),
  ]

  @Test func `behind which the names of a service's endpoints are expected`() throws {
    let mesh = compiled(Self.manifests.joined(separator: "\n---\n"))
    #expect(mesh.findings == [])
    let here = try #require(mesh.workload("shop/here"))
    let there = try #require(mesh.workload("shop/there"))
    #expect(here.network == "near" && here.networkGateway == nil)
    #expect(there.network == "far")
    #expect(
      there.networkGateway
        == GatewayAddress(destination: .address(network: "far", ip: .v4(0xc000_0207))))
    let service = try #require(mesh.service("web"))
    #expect(service.subjectAltNames == [there.identity])
    #expect(service.virtualAddresses.map(\.network) == ["far", "near"])
    let plan = MeshIndex(mesh.model).plan(
      from: here, to: SocketAddress(ip: .v4(0x0a60_0001), port: 80), turn: 1, localPods: [])
    guard case .candidates(let hops, _) = plan else {
      Issue.record("\(plan)")
      return
    }
    #expect(hops.map(\.transport) == [.doubleHBONE, .hbone])
    #expect(hops.first?.gateway?.identities.map(\.serviceAccount) == ["entry"])
  }

  @Test func `without a network's name one leads nowhere`() {
    let mesh = compiled(
      Self.root,
      waypoint("entry", in: "istio-system", className: "istio-east-west"))
    #expect(
      mesh.remarks(.error) == [
        "Gateway istio-system/entry, metadata.labels: expected a label topology.istio.io/network: "
          + "an entry without a network leads nowhere"
      ])
  }
}
