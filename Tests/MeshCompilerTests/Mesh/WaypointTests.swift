import MeshCompiler
import MeshModel
import Testing

@Suite struct `A waypoint stands where labels put it` {
  static let web = "clusterIP: 10.96.0.1, ports: [{port: 80}], selector: {app: web}"
  static let mine = GatewayAddress(destination: .service(.named("waypoint")))

  static func shop(_ labels: String = "") -> String {
    namespace("shop", labels: "istio.io/dataplane-mode: ambient\(labels)")
  }

  private func mesh(
    namespace labels: String = "", service own: String = "", pod podLabels: String = "",
    waypointFor: String? = nil
  ) -> Compilation {
    let traffic = waypointFor.map { "istio.io/waypoint-for: \($0)" } ?? ""
    return compiled(
      Self.shop(labels), waypoint(labels: traffic), waypointService(), waypointPod(),
      labelled("Service", "web", labels: own, Self.web), pod("web", labels: "app: web\(podLabels)"))
  }

  static let use = "istio.io/use-waypoint: waypoint"

  @Test func `in front of a service that names it`() throws {
    let mesh = mesh(service: Self.use)
    #expect(mesh.findings == [])
    #expect(mesh.service("web")?.waypoint == Self.mine)
    #expect(mesh.workload("shop/web")?.waypoint == nil)
    #expect(mesh.workload("shop/waypoint")?.tunnelProtocol == .hbone)
    #expect(mesh.workload("shop/waypoint")?.isNativeTunnel == true)
    #expect(mesh.placement("shop/waypoint")?.enrolment == .notEnrolled(.nativeTunnel))
    #expect(mesh.members(.named("waypoint")) == ["waypoint"])
  }

  @Test func `in front of all services of a namespace that names it, but its own`() {
    let mesh = mesh(namespace: ", \(Self.use)")
    #expect(mesh.findings == [])
    #expect(mesh.service("web")?.waypoint == Self.mine)
    #expect(mesh.service("waypoint")?.waypoint == nil)
    #expect(mesh.workload("shop/waypoint")?.waypoint == nil)
  }

  @Test func `not in front of a service that says none`() {
    #expect(
      mesh(namespace: ", \(Self.use)", service: "istio.io/use-waypoint: none")
        .service("web")?.waypoint == nil)
  }

  @Test(arguments: [
    ("service", true, false), ("workload", false, true), ("all", true, true),
    ("none", false, false),
  ])
  func `for the traffic it is for`(traffic: String, services: Bool, workloads: Bool) {
    let mesh = mesh(namespace: ", \(Self.use)", waypointFor: traffic)
    #expect(mesh.findings == [])
    #expect((mesh.service("web")?.waypoint == Self.mine) == services)
    #expect((mesh.workload("shop/web")?.waypoint == Self.mine) == workloads)
    #expect(mesh.workload("shop/waypoint")?.waypoint == nil)
  }

  @Test func `a label that has no effect is warned about`() {
    let mesh = mesh(pod: ", \(Self.use)")
    #expect(
      mesh.remarks(.warning) == [
        "Pod shop/web, metadata.labels[\"istio.io/use-waypoint\"]: waypoint shop/waypoint is for "
          + "traffic to service by its label istio.io/waypoint-for, so not in front of this"
      ])
  }

  @Test func `a waypoint nobody declared stays in the way`() {
    let mesh = compiled(
      Self.shop(), labelled("Service", "web", labels: "istio.io/use-waypoint: waipoint", Self.web),
      waypoint(), waypointService(), waypointPod(), pod("web", labels: "app: web"))
    #expect(
      mesh.service("web")?.waypoint
        == GatewayAddress(destination: .service(.named("waipoint"))))
    #expect(
      mesh.remarks(.warning) == [
        "Service shop/web, metadata.labels[\"istio.io/use-waypoint\"]: no Gateway shop/waipoint of "
          + "class istio-waypoint is declared; connections are refused until it is; did you mean "
          + "shop/waypoint?"
      ])
  }

  @Test func `one of another namespace must allow it`() {
    let label = "\(Self.use), istio.io/use-waypoint-namespace: edge"
    let manifests = [
      Self.shop(), namespace("edge"), waypointService(in: "edge"), waypointPod(in: "edge"),
      labelled("Service", "web", labels: label, Self.web), pod("web", labels: "app: web"),
    ].joined(separator: "\n---\n")
    let refused = compiled(manifests, waypoint(in: "edge"))
    #expect(
      refused.remarks(.error) == [
        "Service shop/web, metadata.labels[\"istio.io/use-waypoint\"]: expected a waypoint that "
          + "namespace shop may use; allow it in allowedRoutes.namespaces of the listener of "
          + "Gateway edge/waypoint"
      ])
    for from in [
      "from: All", "from: Selector, selector: {matchLabels: {istio.io/dataplane-mode: ambient}}",
    ] {
      let allowed = compiled(
        manifests,
        waypoint(
          in: "edge",
          listener: "name: mesh, port: 15008, protocol: HBONE, "
            + "allowedRoutes: {namespaces: {\(from)}}"))
      #expect(allowed.findings == [])
      #expect(
        allowed.service("web")?.waypoint
          == GatewayAddress(destination: .service(.named("waypoint", in: "edge"))))
    }
  }

  @Test func `without a service it is reached at its address`() {
    let mesh = compiled(
      Self.shop(), labelled("Service", "web", labels: Self.use, Self.web),
      waypoint(
        listener: "name: mesh, port: 15018, protocol: HBONE",
        status: "addresses: [{type: IPAddress, value: 10.0.0.99}]"),
      waypointPod(), pod("web", labels: "app: web"))
    #expect(mesh.findings == [])
    #expect(
      mesh.service("web")?.waypoint
        == GatewayAddress(
          destination: .address(network: "", ip: .v4(0x0a00_0063)), tunnelPort: 15_018))
  }

  @Test func `without either it is said`() {
    let mesh = compiled(Self.shop(), waypoint())
    #expect(
      mesh.remarks(.warning) == [
        "Gateway shop/waypoint, status.addresses: no address given, and no Service "
          + "shop/waypoint; what uses this waypoint is refused"
      ])
  }

  @Test func `one that wants a header is served like any pod`() {
    let mesh = compiled(
      Self.shop(), waypoint(annotations: "ambient.istio.io/waypoint-inbound-binding: PROXY/15088"),
      waypointService(), waypointPod())
    #expect(mesh.findings == [])
    #expect(
      mesh.workload("shop/waypoint")?.applicationTunnel
        == ApplicationTunnel(form: .proxy, port: 15_088))
    #expect(mesh.placement("shop/waypoint")?.enrolment == .enrolled)
  }

  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var manifest: String
    var finding: String
    var testDescription: String { says }
  }

  @Test(arguments: [
    Row(
      says: "traffic nobody knows", manifest: waypoint(labels: "istio.io/waypoint-for: services"),
      finding: "error: Gateway shop/waypoint, metadata.labels[\"istio.io/waypoint-for\"]: "
        + "expected service, workload, all or none, found \"services\""),
    Row(
      says: "a class of others", manifest: waypoint(className: "istio"),
      finding: "warning: Gateway shop/waypoint, spec.gatewayClassName: class \"istio\" is not "
        + "served here, skipped"),
    Row(
      says: "a binding that is none",
      manifest: waypoint(annotations: "ambient.istio.io/waypoint-inbound-binding: PROXI"),
      finding: "error: Gateway shop/waypoint, "
        + "metadata.annotations.ambient.istio.io/waypoint-inbound-binding: expected NONE or PROXY, "
        + "then perhaps a slash and a port, such as PROXY/15088, found \"PROXI\""),
  ])
  func `a Gateway is read strictly:`(row: Row) {
    let mesh = compiled(Self.shop(), row.manifest)
    let all = [Diagnostic.Severity.error, .warning].flatMap { severity in
      mesh.remarks(severity).map { "\(severity): \($0)" }
    }
    #expect(all.contains(row.finding), "\(all)")
  }
}
