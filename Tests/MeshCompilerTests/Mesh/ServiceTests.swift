import MeshCompiler
import MeshModel
import Testing

/// The only service of a mesh.
private func only(_ mesh: Compilation) throws -> Service {
  try #require(mesh.model.services.values.first)
}

private func ports(_ pairs: (UInt16, UInt16)...) -> [PortMapping] {
  pairs.map { PortMapping(servicePort: $0.0, targetPort: $0.1) }
}

@Suite struct `A service finds its endpoints by its selector` {
  @Test func `pods with all its labels in its namespace are members`() throws {
    let mesh = compiled(
      namespace("shop"), namespace("other"),
      pod("a", labels: "app: web, tier: front", ip: "10.0.0.1"),
      pod("b", labels: "app: web", ip: "10.0.0.2"),
      pod("c", in: "other", labels: "app: web, tier: front", ip: "10.0.0.3"),
      service(
        "web",
        "clusterIPs: [10.96.0.1, \"fd00::1\"], selector: {app: web, tier: front}, ports: [{port: 80}]"
      ))
    #expect(mesh.findings == [])
    let service = try only(mesh)
    #expect(service.key.description == "shop/web.shop.svc.cluster.local")
    #expect(service.virtualAddresses.compactMap(\.ip?.description) == ["10.96.0.1", "fd00::1"])
    #expect(mesh.workload("shop/a")?.services == [service.key: ports((80, 80))])
    #expect(mesh.workload("shop/b")?.services == [:])
    #expect(mesh.workload("other/c")?.services == [:])
  }

  @Test func `a target port is a number, a container port's name, or the port itself`() throws {
    let mesh = compiled(
      namespace("shop"),
      pod(
        "a", labels: "app: web",
        spec: """
          containers: [{name: c, ports: [{name: http, containerPort: 8080},
          {name: dns, containerPort: 53, protocol: UDP}]}],
          initContainers: [{name: i, restartPolicy: Always, ports: [{name: side, containerPort: 7}]},
          {name: j, ports: [{name: once, containerPort: 8}]}]
          """),
      pod(
        "b", labels: "app: web", spec: "containers: [{ports: [{name: http, containerPort: 9090}]}]",
        ip: "10.0.0.2"),
      service(
        "web",
        """
        clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: plain, port: 80},
        {name: number, port: 81, targetPort: 8081}, {name: named, port: 82, targetPort: http},
        {name: udp, port: 53, protocol: UDP}, {name: side, port: 83, targetPort: side},
        {name: once, port: 84, targetPort: once}]
        """))
    let service = try only(mesh)
    #expect(service.ports == ports((80, 80), (81, 8081), (82, 0), (83, 0), (84, 0)))
    #expect(
      mesh.workload("shop/a")?.services[service.key]
        == ports((80, 80), (81, 8081), (82, 8080), (83, 7), (84, 0)))
    #expect(
      mesh.workload("shop/b")?.services[service.key]
        == ports((80, 80), (81, 8081), (82, 9090), (83, 0), (84, 0)))
    #expect(
      mesh.findings == [
        "mesh.yaml:30: warning: document 4, Service shop/web, spec.ports[5].targetPort: "
          + "no selected pod has a TCP container port named \"once\""
      ])
  }

  @Test func `a headless service has members but no address`() throws {
    let mesh = compiled(
      namespace("shop"), pod("a", labels: "app: db"),
      service(
        "db",
        "clusterIP: None, clusterIPs: [None], selector: {app: db}, ports: [{port: 5432}]"))
    #expect(mesh.findings == [])
    #expect(try only(mesh).virtualAddresses == [])
    #expect(mesh.workload("shop/a")?.services.count == 1)
  }

  @Test func `not ready addresses and traffic of the node alone are as Kubernetes means them`()
    throws
  {
    let mesh = compiled(
      namespace("shop"), pod("a", labels: "app: web"),
      service(
        "web",
        """
        clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}],
        publishNotReadyAddresses: true, internalTrafficPolicy: Local
        """))
    let service = try only(mesh)
    #expect(service.healthPolicy == .allowAll)
    #expect(service.loadBalancing == .nodeLocal)
  }

  @Test func `an unhealthy pod stays a member, marked`() throws {
    let mesh = compiled(
      namespace("shop"),
      pod("a", labels: "app: web", status: "conditions: [{type: Ready, status: \"False\"}]"),
      service("web", "clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]"))
    let workload = try #require(mesh.workload("shop/a"))
    #expect(workload.health == .unhealthy)
    #expect(workload.services.count == 1)
  }

  struct Empty: CustomTestStringConvertible {
    var says: String
    var spec: String
    var finding: String
    var testDescription: String { says }
  }

  @Test(arguments: [
    Empty(
      says: "selects nothing",
      spec: "clusterIP: 10.96.0.1, selector: {app: x}, ports: [{port: 80}]",
      finding: "spec.selector: no endpoints: no pod with an address has the labels of spec.selector"
    ),
    Empty(
      says: "has neither selector nor slice", spec: "clusterIP: 10.96.0.1, ports: [{port: 80}]",
      finding: "spec.selector: no endpoints: it has neither a selector nor an EndpointSlice"),
    Empty(
      says: "has no address", spec: "selector: {app: web}, ports: [{port: 80}]",
      finding: "spec.clusterIPs: no cluster address given and none is allocated here; "
        + "reachable by pod address only"),
    Empty(
      says: "is an alias", spec: "type: ExternalName, externalName: example.com",
      finding: "spec.type: an ExternalName service is an alias in DNS; the mesh does not route it"),
    Empty(
      says: "has only UDP ports",
      spec: "clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 53, protocol: UDP}]",
      finding: "spec.ports: no TCP port; the mesh does not route this service"),
    Empty(
      says: "wants affinity",
      spec: """
        clusterIP: 10.96.0.1, selector: {app: web}, sessionAffinity: ClientIP, ports: [{port: 80}]
        """,
      finding: "spec.sessionAffinity: session affinity is not supported; connections go round robin"
    ),
  ])
  func `a warning says when it`(row: Empty) {
    let mesh = compiled(
      namespace("shop"), pod("a", labels: "app: web"), service("web", row.spec))
    #expect(!mesh.hasErrors)
    #expect(
      mesh.remarks(.warning) == ["Service shop/web, \(row.finding)"])
  }
}

@Suite struct `EndpointSlices come before the selector` {
  private func slice(
    _ name: String, service: String = "web", type: String = "IPv4", _ endpoints: String
  ) -> String {
    """
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {name: \(name), namespace: shop, labels: {kubernetes.io/service-name: \(service)}}
    addressType: \(type)
    ports: [{name: http, port: 8080}]
    endpoints: [\(endpoints)]
    """
  }

  private let web = service(
    "web",
    "clusterIP: 10.96.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]")

  @Test func `only the ready endpoints of a slice are members`() throws {
    let mesh = compiled(
      namespace("shop"), pod("a", labels: "app: web", ip: "10.0.0.1"),
      pod("b", labels: "app: web", ip: "10.0.0.2"), pod("c", labels: "app: web", ip: "10.0.0.3"),
      web,
      slice(
        "web-1",
        """
        {addresses: [10.0.0.1], targetRef: {kind: Pod, name: a}, conditions: {ready: true}},
        {addresses: [10.0.0.2], targetRef: {kind: Pod, name: b}, conditions: {ready: false}}
        """))
    #expect(mesh.findings == [])
    let key = try only(mesh).key
    #expect(mesh.workload("shop/a")?.services == [key: ports((80, 8080))])
    #expect(mesh.workload("shop/b")?.services == [:])
    #expect(mesh.workload("shop/c")?.services == [:])
  }

  @Test func `the slices of both address families make one member`() throws {
    let mesh = compiled(
      namespace("shop"),
      pod("a", ip: nil, status: "podIPs: [{ip: 10.0.0.1}, {ip: \"fd00::1\"}]"), web,
      slice("web-1", "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: a}}"),
      slice("web-2", type: "IPv6", "{addresses: [\"fd00::1\"], targetRef: {kind: Pod, name: a}}"))
    #expect(mesh.findings == [])
    #expect(
      mesh.workload("shop/a")?.services == [try only(mesh).key: ports((80, 8080))])
  }

  @Test func `an address no pod owns is a workload outside the mesh`() throws {
    let mesh = compiled(
      namespace("shop"), pod("a", ip: "10.0.0.1"), web,
      slice("db", "{addresses: [192.0.2.7], nodeName: node-b}, {addresses: [10.0.0.1]}"))
    let uid = "Kubernetes/discovery.k8s.io/EndpointSlice/shop/db/192.0.2.7"
    let outsider = try #require(mesh.model.workloads[uid])
    #expect(outsider.tunnelProtocol == .none)
    #expect(outsider.isHostNetwork)
    #expect(outsider.node == "node-b")
    #expect(outsider.services == [try only(mesh).key: ports((80, 8080))])
    #expect(mesh.workload("shop/a")?.services.count == 1)
  }

  @Test func `what a slice names in vain is warned about`() {
    let mesh = compiled(
      namespace("shop"), web,
      slice("web-1", "{addresses: [10.0.0.1], targetRef: {kind: Pod, name: gone}}"),
      slice("web-2", service: "webb", "{addresses: [10.0.0.2]}"),
      slice("web-3", type: "FQDN", "{addresses: [example.com]}"))
    #expect(
      mesh.findings == [
        "mesh.yaml:17: warning: document 3, EndpointSlice shop/web-1, "
          + "endpoints[0].targetRef.name: no pod shop/gone with an address; the endpoint is skipped",
        "mesh.yaml:19: warning: document 4, EndpointSlice shop/web-2, metadata.labels: "
          + "there is no Service shop/webb",
        "mesh.yaml:26: warning: document 5, EndpointSlice shop/web-3, addressType: "
          + "endpoints by name are not supported; the slice is skipped",
      ])
  }
}
