import MeshModel
import Testing

/// One mesh with waypoints and a second network, and rows of what its pods dial.
@Suite struct `A waypoint is passed, another network is entered` {
  static let waypoint = GatewayAddress(destination: .service(.named("waypoint")))
  static let farService = GatewayAddress(destination: .service(.named("far-waypoint")))
  static let lent = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "lent")

  static let model = Model.holding(
    workloads: [
      .pod("client", at: "10.1.0.1", "fd00:1::1", tunnel: .hbone),
      .pod("v1", at: "10.1.0.2", tunnel: .hbone).serving(.named("reviews"), [80: 9080])
        .serving(.named("bare"), [80: 9080]).serving(.named("weighted"), [80: 9080])
        .serving(.named("waypointless"), [80: 9080]).serving(.named("circle"), [80: 80]),
      .pod("guarded", at: "10.1.0.3", tunnel: .hbone).serving(.named("open"), [80: 9080])
        .through(waypoint),
      .pod("w1", at: "10.1.0.10", tunnel: .hbone).native.serving(
        .named("waypoint"), [15_008: 15_008]
      )
      .serving(.named("other-waypoint"), [15_008: 15_009]),
      .pod("w2", at: "10.1.0.11", tunnel: .hbone).native
        .serving(.named("waypoint"), [15_008: 15_008]),
      .pod("lone", at: "10.1.0.12", tunnel: .hbone).native,
      .pod("sandwich", at: "10.1.0.13", tunnel: .hbone).told(port: 15_088)
        .serving(.named("sandwich"), [:]),
      .pod("far-w", tunnel: .hbone).far.entered(at: entry)
        .serving(.named("far-waypoint"), [15_008: 15_008]),
      .pod("aggregate", tunnel: .hbone).far.entered(at: entry)
        .serving(.named("remote"), [80: 80]).serving(.named("unproven"), [80: 80]),
      .pod("lost", at: "10.1.0.1", tunnel: .hbone).far.serving(.named("lost"), [80: 80]),
      .pod("gateway", at: "192.0.2.7", tunnel: .hbone).far,
      .pod("outside").called("db.example.com").serving(.named("db"), [5432: 5432]),
      .pod("mesh-name", tunnel: .hbone).called("in.example.com")
        .serving(.named("named"), [80: 8080]),
      .pod("two", at: "10.1.0.20", "fd00:1::20", tunnel: .hbone)
        .serving(.named("only-six"), [80: 80]),
    ],
    services: [
      .named("reviews", at: "10.9.0.1", ports: [80: 9080]).through(waypoint),
      .named("waypoint", at: "10.9.0.2", ports: [15_008: 15_008]).through(waypoint),
      .named("other-waypoint", at: "10.9.0.3", ports: [15_008: 15_008]).lending(lent),
      .named("bare", at: "10.9.0.4", ports: [80: 9080])
        .through(GatewayAddress(destination: .service(.named("gone")))),
      .named("weighted", at: "10.9.0.5", ports: [80: 9080]).through(waypoint)
        .weighing([(.service(.named("waypoint")), 3), (.service(.named("other-waypoint")), 1)]),
      .named("waypointless", at: "10.9.0.6", ports: [80: 9080]).through(waypoint)
        .weighing([(.service(.named("gone")), 0)]),
      .named("by-address", at: "10.9.0.7", ports: [80: 80])
        .through(GatewayAddress(destination: .address(network: "", ip: ip("10.1.0.12")))),
      .named("by-vip", at: "10.9.0.8", ports: [80: 80])
        .through(GatewayAddress(destination: .address(network: "", ip: ip("10.9.0.3")))),
      .named("sandwiched", at: "10.9.0.9", ports: [80: 80])
        .through(GatewayAddress(destination: .service(.named("sandwich")))),
      .named("sandwich", ports: [:]),
      .named("abroad", at: "10.9.0.10", ports: [80: 80]).through(farService),
      .named("far-waypoint", ports: [15_008: 15_008]).lending(lent),
      .named("remote", at: "10.9.0.11", ports: [80: 80]).lending(lent),
      .named("unproven", at: "10.9.0.12", ports: [80: 80]),
      .named("lost", at: "10.9.0.13", ports: [80: 80]).lending(lent),
      .named("open", at: "10.9.0.14", ports: [80: 9080]),
      .named("db", at: "10.9.0.15", ports: [5432: 5432]),
      .named("named", at: "10.9.0.16", ports: [80: 8080]),
      .named("any", at: "10.9.0.17", ports: [80: 80]).balanced(.init(mode: .passthrough)),
      .named("any-guarded", at: "10.9.0.18", ports: [80: 80]).balanced(.init(mode: .passthrough))
        .through(waypoint),
      .named("only-six", at: "10.9.0.19", ports: [80: 80]).offering(.ipv6),
      .named("circle", at: "10.9.0.20", ports: [80: 80])
        .through(GatewayAddress(destination: .service(.named("circle")))),
    ])

  static let entry = GatewayAddress(
    destination: .address(network: "far", ip: ip("192.0.2.7")), tunnelPort: 15_443)

  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var destination: String
    var from = "client"
    var turn: UInt64 = 0
    /// `name transport dialled authority` of each hop.
    var hops: [String] = []
    var passesThrough = false
    var refusal: String?
    var testDescription: String { says }
  }

  static let services: [Row] = [
    Row(
      says: "a service's waypoint gets the address that was dialled", destination: "10.9.0.1:80",
      hops: [
        "w1 waypoint 10.1.0.10:15008 10.9.0.1:80", "w2 waypoint 10.1.0.11:15008 10.9.0.1:80",
      ]),
    Row(
      says: "its endpoints take turns", destination: "10.9.0.1:80", turn: 1,
      hops: [
        "w2 waypoint 10.1.0.11:15008 10.9.0.1:80", "w1 waypoint 10.1.0.10:15008 10.9.0.1:80",
      ]),
    Row(
      says: "even a port the service lacks is the waypoint's to judge",
      destination: "10.9.0.1:81", turn: 0,
      hops: [
        "w1 waypoint 10.1.0.10:15008 10.9.0.1:81", "w2 waypoint 10.1.0.11:15008 10.9.0.1:81",
      ]),
    Row(
      says: "a waypoint nobody knows refuses, nothing goes round it", destination: "10.9.0.4:80",
      refusal: "waypoint shop/gone.shop.svc.cluster.local:15008 of service "
        + "shop/bare.shop.svc.cluster.local cannot be used: it has no endpoints"),
    Row(
      says: "weights share the connections", destination: "10.9.0.5:80", turn: 3,
      hops: ["w1 waypoint 10.1.0.10:15009 10.9.0.5:80"]),
    Row(
      says: "weights of zero leave the plain waypoint", destination: "10.9.0.6:80",
      hops: [
        "w1 waypoint 10.1.0.10:15008 10.9.0.6:80", "w2 waypoint 10.1.0.11:15008 10.9.0.6:80",
      ]),
    Row(
      says: "a waypoint may be an address of a pod", destination: "10.9.0.7:80",
      hops: ["lone waypoint 10.1.0.12:15008 10.9.0.7:80"]),
    Row(
      says: "or of a service, whose port mapping counts", destination: "10.9.0.8:80",
      hops: ["w1 waypoint 10.1.0.10:15009 10.9.0.8:80"]),
    Row(
      says: "one behind an application tunnel needs no such port", destination: "10.9.0.9:80",
      hops: ["sandwich waypoint 10.1.0.13:15008 10.9.0.9:80"]),
    Row(
      says: "what the waypoint itself sends goes straight on", destination: "10.9.0.1:80",
      from: "w1", hops: ["v1 local 10.1.0.2:9080 10.1.0.2:9080"]),
    Row(
      says: "so does what its other instance sends", destination: "10.9.0.1:80", from: "w2",
      hops: ["v1 local 10.1.0.2:9080 10.1.0.2:9080"]),
    Row(
      says: "a waypoint in front of itself is dialled once, not for ever",
      destination: "10.9.0.20:80",
      refusal: "waypoint shop/circle.shop.svc.cluster.local:15008 of service "
        + "shop/circle.shop.svc.cluster.local cannot be used: "
        + "of 1 1 without an address or not serving this port"),
    Row(
      says: "an endpoint's own waypoint is not for service traffic", destination: "10.9.0.14:80",
      hops: ["guarded hbone 10.1.0.3:15008 10.1.0.3:9080"]),
    Row(says: "passthrough chooses no endpoint", destination: "10.9.0.17:80", passesThrough: true),
    Row(
      says: "but passes a waypoint", destination: "10.9.0.18:80",
      hops: [
        "w1 waypoint 10.1.0.10:15008 10.9.0.18:80", "w2 waypoint 10.1.0.11:15008 10.9.0.18:80",
      ]),
    Row(
      says: "a service of one family is reached by that family", destination: "10.9.0.19:80",
      hops: ["two hbone [fd00:1::20]:15008 [fd00:1::20]:80"]),
    Row(
      says: "an endpoint with a host name only is resolved when dialled",
      destination: "10.9.0.15:5432",
      hops: ["outside plaintext db.example.com:5432 0.0.0.0:5432"]),
    Row(
      says: "in the mesh it is asked on the tunnel's port", destination: "10.9.0.16:80",
      hops: ["mesh-name hbone in.example.com:15008 0.0.0.0:8080"]),
  ]

  static let networks: [Row] = [
    Row(
      says: "an endpoint on another network by name, through its entry",
      destination: "10.9.0.11:80",
      hops: ["aggregate doubleHBONE 192.0.2.7:15443 remote.shop.svc.cluster.local:80"]),
    Row(
      says: "a waypoint on another network too", destination: "10.9.0.10:80",
      hops: ["far-w waypoint doubleHBONE 192.0.2.7:15443 abroad.shop.svc.cluster.local:80"]),
    Row(
      says: "nobody is expected behind the entry", destination: "10.9.0.12:80",
      refusal: "service shop/unproven.shop.svc.cluster.local has no usable endpoint for port 80: "
        + "of 1 1 on another network without a known entry or identity"),
    Row(
      says: "no entry is known", destination: "10.9.0.13:80",
      refusal: "service shop/lost.shop.svc.cluster.local has no usable endpoint for port 80: "
        + "of 1 1 on another network without a known entry or identity"),
    Row(
      says: "an address of another network is not the one here", destination: "10.1.0.1:80",
      hops: ["client local 10.1.0.1:80 10.1.0.1:80"]),
    Row(
      says: "the entry itself is no address here", destination: "192.0.2.7:15443",
      passesThrough: true),
  ]

  static let pods: [Row] = [
    Row(
      says: "a pod's waypoint gets the pod's address", destination: "10.1.0.3:9080",
      hops: [
        "w1 waypoint 10.1.0.10:15008 10.1.0.3:9080", "w2 waypoint 10.1.0.11:15008 10.1.0.3:9080",
      ]),
    Row(
      says: "from the waypoint the pod itself", destination: "10.1.0.3:9080", from: "w2",
      hops: ["guarded hbone 10.1.0.3:15008 10.1.0.3:9080"]),
    Row(
      says: "a service's waypoint is not for pod addresses", destination: "10.1.0.2:9080",
      hops: ["v1 local 10.1.0.2:9080 10.1.0.2:9080"]),
    Row(
      says: "what speaks HBONE itself is never dialled locally", destination: "10.1.0.12:8080",
      hops: ["lone hbone 10.1.0.12:15008 10.1.0.12:8080"]),
    Row(
      says: "nor what waits for our header", destination: "10.1.0.13:8080",
      hops: ["sandwich hbone 10.1.0.13:15008 10.1.0.13:8080"]),
  ]

  @Test(arguments: services) func `to a service`(row: Row) throws { try check(row) }
  @Test(arguments: networks) func `to another network`(row: Row) throws { try check(row) }
  @Test(arguments: pods) func `to a pod`(row: Row) throws { try check(row) }

  private func check(_ row: Row) throws {
    let index = MeshIndex(Self.model)
    let source = try #require(index.workload(uid: "Kubernetes//Pod/shop/\(row.from)"))
    let localPods = Set(
      ["client", "v1", "lone", "sandwich"].map { "Kubernetes//Pod/shop/\($0)" })
    let destination = socket(row.destination)
    switch index.plan(from: source, to: destination, turn: row.turn, localPods: localPods) {
    case .passthrough(let address): #expect(row.passesThrough && address == destination)
    case .candidates(let hops, _): #expect(hops.map(\.inFull) == row.hops)
    case .refuse(let refusal): #expect(refusal.description == row.refusal)
    }
  }

  private func hops(to destination: String, turn: UInt64 = 0) throws -> [Hop] {
    let index = MeshIndex(Self.model)
    let source = try #require(index.workload(uid: "Kubernetes//Pod/shop/client"))
    let plan = index.plan(
      from: source, to: socket(destination), turn: turn, localPods: [])
    guard case .candidates(let hops, _) = plan else { return [] }
    return hops
  }

  private func identity(_ name: String) -> SPIFFEID {
    SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: name)
  }

  @Test func `a far end may prove its own identity or one its service lends`() throws {
    let waypoint = try #require(try hops(to: "10.9.0.8:80").first)
    #expect(waypoint.identities == [identity("w1"), Self.lent])
    let direct = try #require(try hops(to: "10.9.0.14:80").first)
    #expect(direct.identities == [identity("guarded")])
  }

  @Test func `behind an entry only what the service lends counts, at it the entry's own`() throws {
    let hop = try #require(try hops(to: "10.9.0.11:80").first)
    #expect(hop.identities == [Self.lent])
    #expect(hop.gateway?.identities == [identity("gateway")])
    #expect(hop.gateway?.workloadUID == "Kubernetes//Pod/shop/gateway")
    let waypoint = try #require(try hops(to: "10.9.0.10:80").first)
    #expect(waypoint.identities == [Self.lent])
  }

  @Test func `weighted waypoints get their shares`() throws {
    var first: [UInt16: Int] = [:]
    for turn in UInt64(0)..<400 {
      let hop = try #require(try hops(to: "10.9.0.5:80", turn: turn).first)
      first[hop.dialled.port, default: 0] += 1
    }
    #expect(abs((first[15_008] ?? 0) - 300) <= 4)
    #expect(abs((first[15_009] ?? 0) - 100) <= 4)
  }

  @Test func `a client nobody captures is told where its connection ends, not of waypoints`()
    throws
  {
    let index = MeshIndex(Self.model)
    let source = try #require(index.workload(uid: "Kubernetes//Pod/shop/client"))
    let plan = index.plan(
      from: source, to: socket("10.9.0.1:80"), turn: 0, localPods: [], passingWaypoints: false)
    guard case .candidates(let hops, _) = plan else {
      Issue.record("\(plan)")
      return
    }
    #expect(hops.map(\.inFull) == ["v1 hbone 10.1.0.2:15008 10.1.0.2:9080"])
  }

  @Test func `once its name is resolved, a hop asks for the address`() throws {
    let hop = try #require(try hops(to: "10.9.0.16:80").first).resolved(to: ip("192.0.2.80"))
    #expect(hop.inFull == "mesh-name hbone 192.0.2.80:15008 192.0.2.80:8080")
    var waypoint = try #require(try hops(to: "10.9.0.1:80").first)
    waypoint.hostname = "w.example.com"
    #expect(
      waypoint.resolved(to: ip("192.0.2.81")).inFull
        == "w1 waypoint 192.0.2.81:15008 10.9.0.1:80")
  }
}

extension Hop {
  /// `name transport dialled authority`.
  var inFull: String {
    let name = workloadUID.split(separator: "/").last ?? ""
    let how =
      isWaypoint ? (transport == .hbone ? "waypoint" : "waypoint \(transport)") : "\(transport)"
    let place = hostname.isEmpty ? "\(dialled)" : "\(hostname):\(dialled.port)"
    return "\(name) \(how) \(place) \(authority)"
  }
}
