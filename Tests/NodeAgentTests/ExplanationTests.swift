import MeshModel
import Testing

@testable import NodeAgent

private func workload(
  _ name: String, _ address: UInt32, node: String, enrolled: Bool = true
) -> Workload {
  var workload = Workload(uid: "k//Pod/shop/\(name)", name: name, namespace: "shop")
  workload.serviceAccount = name
  workload.addresses = [.v4(address)]
  workload.node = node
  workload.tunnelProtocol = enrolled ? .hbone : .none
  return workload
}

private func mesh(policies: [AuthorizationPolicy] = []) -> MeshIndex {
  let key = ServiceKey(namespace: "shop", hostname: "api.shop.svc.cluster.local")
  var service = Service(key: key, name: "api")
  service.virtualAddresses = [VirtualAddress(ip: .v4(0x0a60_0001))]
  service.ports = [PortMapping(servicePort: 80, targetPort: 8_080)]
  var api = workload("api", 0x0a00_0002, node: "b")
  api.services = [key: service.ports]
  let all = [
    workload("web", 0x0a00_0001, node: "a"), api,
    workload("near", 0x0a00_0003, node: "a"),
    workload("outside", 0x0a00_0004, node: "b", enrolled: false),
  ]
  return MeshIndex(
    Model(
      generation: 1, workloads: Dictionary(uniqueKeysWithValues: all.map { ($0.uid, $0) }),
      services: [key: service],
      policies: Dictionary(uniqueKeysWithValues: policies.map { ($0.key, $0) })))
}

private func allow(_ principal: String) -> AuthorizationPolicy {
  var match = AuthorizationPolicy.Match()
  match.principals = [.exact(principal)]
  return AuthorizationPolicy(
    key: PolicyKey(namespace: "shop", name: "only"), scope: .namespace, action: .allow,
    rules: [AuthorizationPolicy.Rule(clauses: [AuthorizationPolicy.Clause(matches: [match])])])
}

private func explained(
  _ from: String, _ to: String, _ index: MeshIndex = mesh()
) throws -> Explanation {
  try index.explanation(from: from, to: try #require(SocketAddress(to)))
}

@Suite struct `Explain decides without traffic` {
  struct Row: CustomTestStringConvertible, Sendable {
    let says: String
    let from: String
    let to: String
    let route: String
    let outcome: String
    let transport: String?
    var testDescription: String { says }
  }

  static let rows = [
    Row(
      says: "a pod of another node: through the tunnel", from: "shop/web", to: "10.0.0.2:8080",
      route: "pod", outcome: "allowed", transport: "hbone"),
    Row(
      says: "a service: its endpoint and target port", from: "shop/web", to: "10.96.0.1:80",
      route: "service", outcome: "allowed", transport: "hbone"),
    Row(
      says: "a pod of the same node: no TLS", from: "shop/web", to: "10.0.0.3:80", route: "pod",
      outcome: "allowed", transport: "local"),
    Row(
      says: "a pod outside the mesh: plaintext, nobody enforces", from: "shop/web",
      to: "10.0.0.4:80", route: "pod", outcome: "notEnforced", transport: "plaintext"),
    Row(
      says: "an unknown address: passthrough", from: "shop/web", to: "1.1.1.1:53",
      route: "passthrough", outcome: "notEnforced", transport: nil),
    Row(
      says: "a port the service lacks: refused", from: "shop/web", to: "10.96.0.1:81",
      route: "refused", outcome: "refused", transport: nil),
    Row(
      says: "a source outside the mesh: plaintext into the mesh", from: "shop/outside",
      to: "10.0.0.2:8080", route: "direct", outcome: "allowed", transport: "plaintext"),
  ]

  @Test(arguments: rows) func `finds route and outcome`(row: Row) throws {
    let explanation = try explained(row.from, row.to)
    #expect(explanation.route.kind == row.route)
    #expect(explanation.outcome == row.outcome)
    #expect(explanation.endpoints.first?.transport == row.transport)
    #expect(!explanation.reason.isEmpty && !explanation.nextStep.isEmpty)
  }

  @Test func `names the nearest allow, the field that missed and the next step`() throws {
    let index = mesh(policies: [allow("cluster.local/ns/shop/sa/other")])
    let explanation = try explained("shop/web", "10.96.0.1:80", index)
    #expect(explanation.outcome == "denied")
    #expect(explanation.nearest?.policy == "shop/only")
    #expect(explanation.nearest?.field == "principals")
    #expect(explanation.nextStep.contains("principals"))
    #expect(explanation.text.contains("missed    principals"))
  }

  @Test func `tells a source without identity to enrol first`() throws {
    let index = mesh(policies: [allow("cluster.local/ns/shop/sa/outside")])
    let explanation = try explained("shop/outside", "10.0.0.2:8080", index)
    #expect(explanation.outcome == "denied")
    #expect(explanation.nextStep.contains("not enrolled"))
  }

  @Test func `says how plaintext may not bring a PROXY header`() throws {
    var model = mesh().model
    model.workloads["k//Pod/shop/api"]?.applicationTunnel = ApplicationTunnel(
      form: .proxy, port: 8_080)
    let explanation = try explained("shop/outside", "10.0.0.2:8080", MeshIndex(model))
    #expect(explanation.outcome == "denied")
    #expect(explanation.reason.contains("port 8080 believes a PROXY header"))
    #expect(
      Verdict.Denial.couldForgeHeader(port: 8_080).nextStep.contains("on loopback only"))
    #expect(Verdict.Denial.couldForgeHeader(port: 0).nextStep.contains("PROXY/15088"))
  }

  private func guarded(_ edit: (inout Model) -> Void = { _ in }) -> MeshIndex {
    var model = mesh().model
    let api = ServiceKey(namespace: "shop", hostname: "api.shop.svc.cluster.local")
    let key = ServiceKey(namespace: "shop", hostname: "waypoint.shop.svc.cluster.local")
    var service = Service(key: key, name: "waypoint")
    service.ports = [PortMapping(servicePort: 15_008, targetPort: 15_008)]
    model.services[key] = service
    var waypoint = workload("waypoint", 0x0a00_0009, node: "c")
    waypoint.isNativeTunnel = true
    waypoint.services = [key: service.ports]
    model.workloads[waypoint.uid] = waypoint
    model.services[api]?.waypoint = GatewayAddress(destination: .service(key))
    edit(&model)
    return MeshIndex(model)
  }

  @Test func `a service behind a waypoint: the waypoint decides`() throws {
    let explanation = try explained("shop/web", "10.96.0.1:80", guarded())
    #expect(explanation.outcome == "waypoint")
    #expect(explanation.route.waypoint == "k//Pod/shop/waypoint")
    #expect(explanation.endpoints.map(\.dialled) == ["10.0.0.9:15008"])
    #expect(explanation.endpoints.map(\.identity) == ["spiffe://cluster.local/ns/shop/sa/waypoint"])
    #expect(explanation.text.contains("through waypoint k//Pod/shop/waypoint"))
    #expect(explanation.text.contains("outcome   the waypoint decides"))
  }

  @Test func `round a waypoint: denied, and how to go`() throws {
    let explanation = try explained("shop/web", "10.0.0.2:8080", guarded())
    #expect(explanation.outcome == "denied")
    #expect(explanation.reason.contains("through its waypoint"))
    #expect(explanation.nextStep.contains("dial the address that goes through waypoint"))
    // From the waypoint itself it is as it should be.
    let own = try explained("shop/waypoint", "10.0.0.2:8080", guarded())
    #expect(own.outcome == "allowed")
    // A client nobody captures ends at the endpoint, in plaintext.
    let outside = try explained("shop/outside", "10.96.0.1:80", guarded())
    #expect(outside.outcome == "denied")
    #expect(outside.endpoints.map(\.transport) == ["plaintext"])
  }

  @Test func `a waypoint that cannot be used: refused`() throws {
    let index = guarded { $0.workloads["k//Pod/shop/waypoint"]?.health = .unhealthy }
    let explanation = try explained("shop/web", "10.96.0.1:80", index)
    #expect(explanation.outcome == "refused")
    #expect(explanation.reason.hasSuffix("cannot be used: of 1 1 unhealthy"))
    #expect(explanation.nextStep.contains("make waypoint"))
  }

  @Test func `another network: its entry, and that others decide`() throws {
    let index = guarded { model in
      let api = ServiceKey(namespace: "shop", hostname: "api.shop.svc.cluster.local")
      model.services[api]?.waypoint = nil
      model.services[api]?.subjectAltNames = [
        SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "api")
      ]
      model.workloads["k//Pod/shop/waypoint"]?.network = "far"
      model.workloads["k//Pod/shop/api"]?.network = "far"
      model.workloads["k//Pod/shop/api"]?.networkGateway = GatewayAddress(
        destination: .address(network: "far", ip: .v4(0x0a00_0009)))
    }
    let explanation = try explained("shop/web", "10.96.0.1:80", index)
    #expect(explanation.outcome == "otherNetwork")
    #expect(explanation.route.gateway == "k//Pod/shop/waypoint")
    #expect(explanation.endpoints.map(\.transport) == ["double hbone"])
    #expect(explanation.text.contains("through the entry k//Pod/shop/waypoint of another network"))
  }

  @Test func `refuses a source it does not know or cannot read`() {
    #expect(throws: ExplanationError.unknownSource("shop/none")) {
      try explained("shop/none", "10.0.0.2:80")
    }
    for text in ["web", "a/b/c", "/web", "shop/"] {
      #expect(throws: ExplanationError.malformedSource(text)) { try explained(text, "10.0.0.2:80") }
    }
  }
}
