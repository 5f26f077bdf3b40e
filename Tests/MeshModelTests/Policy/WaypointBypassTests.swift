import MeshModel
import Testing

@Suite struct `A waypoint is not passed by` {
  static let waypoint = GatewayAddress(destination: .service(.named("waypoint")))
  static let other = GatewayAddress(destination: .address(network: "", ip: ip("10.0.0.60")))

  static let model = Model.holding(
    workloads: [
      .pod("served", at: "10.0.0.1", tunnel: .hbone).serving(.named("guarded"), [80: 9080])
        .serving(.named("bare"), [81: 9081]).serving(.named("guarded-too"), [82: 9082]),
      .pod("pod-guarded", at: "10.0.0.2", tunnel: .hbone).serving(.named("bare"), [81: 9081])
        .through(waypoint),
      .pod("both", at: "10.0.0.3", tunnel: .hbone).serving(.named("guarded"), [80: 9080])
        .through(other),
      .pod("lost", at: "10.0.0.4", tunnel: .hbone).through(
        GatewayAddress(destination: .service(.named("gone")))),
      .pod("waypoint", at: "10.0.0.50", tunnel: .hbone).serving(
        .named("waypoint"), [15_008: 15_008]
      ).through(waypoint),
      .pod("sick-waypoint", at: "10.0.0.51", tunnel: .hbone, health: .unhealthy)
        .serving(.named("waypoint"), [15_008: 15_008]),
      .pod("other-waypoint", at: "10.0.0.60", tunnel: .hbone),
      .pod("strict", at: "10.0.0.5", tunnel: .hbone, policies: ["shop/deny"])
        .serving(.named("guarded"), [80: 9080]),
    ],
    services: [
      .named("guarded", at: "10.9.0.1", ports: [80: 9080]).through(waypoint),
      .named("guarded-too", at: "10.9.0.2", ports: [82: 9082]).through(other),
      .named("bare", at: "10.9.0.3", ports: [81: 9081]),
      .named("waypoint", at: "10.9.0.4", ports: [15_008: 15_008])
        .lending(.named("lent")),
    ],
    policies: [
      .policy(
        "shop/deny", .deny, scope: .workloadSelector, rules: [{ $0.destinationPorts = [9080] }])
    ])

  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var to: String
    var port: UInt16
    var from: String?
    var mayPass: Bool
    var testDescription: String { says }
  }

  static let table: [Row] = [
    Row(says: "from the waypoint", to: "served", port: 9080, from: "waypoint", mayPass: true),
    Row(
      says: "from an instance that is not ready", to: "served", port: 9080, from: "sick-waypoint",
      mayPass: true),
    Row(
      says: "from a name the waypoint's service lends", to: "served", port: 9080, from: "lent",
      mayPass: true),
    Row(says: "from a client directly", to: "served", port: 9080, from: "client", mayPass: false),
    Row(says: "in plaintext", to: "served", port: 9080, from: nil, mayPass: false),
    Row(
      says: "from the waypoint of another service", to: "served", port: 9080,
      from: "other-waypoint", mayPass: false),
    Row(
      says: "which is right for its own port", to: "served", port: 9082, from: "other-waypoint",
      mayPass: true),
    Row(
      says: "to the port of a service without waypoint", to: "served", port: 9081, from: "client",
      mayPass: true),
    Row(says: "to a port of no service", to: "served", port: 9999, from: "client", mayPass: true),
    Row(
      says: "to a pod with a waypoint", to: "pod-guarded", port: 9999, from: "client",
      mayPass: false),
    Row(
      says: "from its waypoint", to: "pod-guarded", port: 9999, from: "waypoint", mayPass: true),
    Row(
      says: "to a service without waypoint over a pod that has one", to: "pod-guarded", port: 9081,
      from: "client", mayPass: true),
    Row(
      says: "from the pod's waypoint where the service has another", to: "both", port: 9080,
      from: "other-waypoint", mayPass: true),
    Row(says: "from the service's", to: "both", port: 9080, from: "waypoint", mayPass: true),
    Row(
      says: "from anyone while the waypoint is unknown", to: "lost", port: 80, from: "waypoint",
      mayPass: false),
    Row(
      says: "a waypoint is not in front of itself", to: "waypoint", port: 15_020, from: "client",
      mayPass: true),
  ]

  @Test(arguments: table) func `a connection`(row: Row) throws {
    #expect(try verdict(row).isAllowed == row.mayPass)
  }

  private func verdict(_ row: Row, from sourceIP: String = "10.0.0.99") throws -> Verdict {
    let index = MeshIndex(Self.model)
    let workload = try #require(index.workload(uid: "Kubernetes//Pod/shop/\(row.to)"))
    let facts = ConnectionFacts(
      source: row.from.map { .named($0) }, sourceIP: ip(sourceIP),
      destinationIP: try #require(workload.addresses.first), destinationPort: row.port)
    return facts.verdict(for: workload, in: index)
  }

  @Test func `a pod may call itself`() throws {
    let row = Row(says: "", to: "served", port: 9080, from: "served", mayPass: true)
    #expect(try verdict(row, from: "10.0.0.1").isAllowed)
    // From another pod with the same account it is a connection like any other.
    #expect(try !verdict(row, from: "10.0.0.77").isAllowed)
  }

  @Test func `a DENY policy speaks first`() throws {
    let row = Row(says: "", to: "strict", port: 9080, from: "client", mayPass: false)
    #expect(try verdict(row) == .deny(because: .matched(policy: "shop/deny", rule: 0)))
  }

  @Test func `the reason says which waypoint, who it is, and who came`() throws {
    let row = Row(says: "", to: "served", port: 9080, from: "client", mayPass: false)
    #expect(
      try verdict(row).description == "denied: service shop/guarded.shop.svc.cluster.local takes "
        + "connections through its waypoint shop/waypoint.shop.svc.cluster.local:15008 only "
        + "(spiffe://cluster.local/ns/shop/sa/lent, "
        + "spiffe://cluster.local/ns/shop/sa/sick-waypoint, "
        + "spiffe://cluster.local/ns/shop/sa/waypoint); "
        + "this one came from spiffe://cluster.local/ns/shop/sa/client")
    let lost = Row(says: "", to: "lost", port: 80, from: nil, mayPass: false)
    #expect(
      try verdict(lost).description == "denied: workload Kubernetes//Pod/shop/lost takes "
        + "connections through its waypoint shop/gone.shop.svc.cluster.local:15008 only "
        + "(nobody behind it is known here); this one came from plaintext")
  }

  @Test func `connections are judged again when a waypoint comes, goes or is somebody else`() {
    let old = MeshIndex(Self.model)
    func judged(_ change: (inout Model) -> Void) -> Set<String> {
      var next = Self.model
      next.generation = 2
      change(&next)
      let scope = MeshIndex(next).changedPolicyScope(from: old)
      return Set(scope.destinations.compactMap { $0.split(separator: "/").last.map(String.init) })
    }
    #expect(
      judged { $0.services[.named("guarded")]?.waypoint = nil }
        == ["served", "both", "strict"])
    #expect(
      judged { $0.services[.named("bare")]?.waypoint = Self.waypoint }
        == ["served", "pod-guarded"])
    #expect(judged { $0.workloads["Kubernetes//Pod/shop/lost"]?.waypoint = nil } == ["lost"])
    #expect(
      judged { $0.workloads["Kubernetes//Pod/shop/waypoint"]?.serviceAccount = "new" }
        == ["served", "pod-guarded", "both", "strict", "waypoint"])
    #expect(judged { $0.workloads["Kubernetes//Pod/shop/served"]?.health = .unhealthy } == [])
  }
}

extension SPIFFEID {
  /// An account of the shop.
  static func named(_ account: String) -> SPIFFEID {
    SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: account)
  }
}
