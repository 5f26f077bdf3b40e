import MeshModel
import Testing

/// A destination and where the connection goes, in short: `passthrough`, hops, or why not.
struct PlanRow: CustomTestStringConvertible, Sendable {
  var says: String
  var destination: String
  var turn: UInt64 = 0
  var from = "productpage"
  /// `name transport address` of each hop, in the order in which they are tried.
  var hops: [String] = []
  var passesThrough = false
  var refusal: RouteRefusal?
  var testDescription: String { says }
}

@Suite struct `A connection goes where the model says` {
  static let reviews = ServiceKey.named("reviews")
  static let model = Model.holding(
    workloads: [
      .pod("productpage", at: "10.1.0.1", "fd00:1::1", tunnel: .hbone)
        .serving(.named("productpage"), [9080: 9080]),
      .pod("v1", at: "10.1.0.2", "fd00:1::2", tunnel: .hbone).serving(reviews, [80: 9080]),
      .pod("v2", at: "10.2.0.2", "fd00:2::2", node: "two", tunnel: .hbone).serving(
        reviews, [80: 9080]),
      .pod("v3", at: "10.2.0.3", node: "two").serving(reviews, [80: 9081]),
      .pod("v4", at: "10.2.0.4", node: "two", tunnel: .hbone).serving(reviews, [80: 9080]),
      .pod("sick", at: "10.2.0.5", node: "two", tunnel: .hbone, health: .unhealthy)
        .serving(.named("sick"), [80: 80]).serving(.named("ready-or-not"), [80: 80]),
      .pod("here", at: "10.1.0.6", tunnel: .hbone).serving(.named("local"), [80: 80]),
      .pod("there", at: "10.2.0.6", node: "two", tunnel: .hbone).serving(.named("local"), [80: 80])
        .serving(.named("far"), [80: 80]),
      .pod("nowhere").serving(.named("homeless"), [80: 80]),
      .pod("odd", at: "10.2.0.7", node: "two", tunnel: .hbone)
        .serving(.named("odd"), [80: 0, 81: 15_008, 82: 8082]),
      .pod("bare", at: "10.2.0.8", node: "two").serving(.named("bare"), [80: 15_008]),
      host,
      .pod("clone", at: "10.2.0.9", node: "two"),
      .pod("clone-in-mesh", at: "10.2.0.9", node: "two", tunnel: .hbone),
      .pod("other", in: "bank", at: "10.2.0.10", node: "two").serving(
        .named("same", in: "bank"), [80: 1]),
      .pod("mine", at: "10.2.0.11", node: "two").serving(.named("same"), [80: 2]),
      .pod("stranger", in: "street", at: "10.1.0.12"),
    ],
    services: [
      .named("productpage", at: "10.9.0.1", ports: [9080: 9080]),
      .named("reviews", at: "10.9.0.2", "fd00:9::2", ports: [80: 9080]),
      .named("sick", at: "10.9.0.3", ports: [80: 80]),
      .named("ready-or-not", at: "10.9.0.4", ports: [80: 80], health: .allowAll),
      .named("local", at: "10.9.0.5", ports: [80: 80], isNodeLocal: true),
      .named("far", at: "10.9.0.6", ports: [80: 80], isNodeLocal: true),
      .named("homeless", at: "10.9.0.7", ports: [80: 80]),
      .named("empty", at: "10.9.0.8", ports: [80: 80]),
      .named("odd", at: "10.9.0.9", ports: [80: 8080, 81: 81, 82: 0, 83: 8083, 84: 0]),
      .named("bare", at: "10.9.0.10", ports: [80: 15_008]),
      .named("host", at: "10.9.0.11", ports: [53: 53]),
      .named("same", in: "bank", at: "10.9.0.12", ports: [80: 1]),
      .named("same", at: "10.9.0.12", ports: [80: 2]),
      .named("shadowed", at: "10.1.0.2", ports: [80: 80]),
    ])

  static let host: Workload = {
    var workload = Workload.pod("dns", at: "192.168.0.2", node: "two")
    workload.isHostNetwork = true
    return workload.serving(.named("host"), [53: 53])
  }()

  static let pods: [PlanRow] = [
    PlanRow(
      says: "a pod on another node by HBONE", destination: "10.2.0.2:9080",
      hops: ["v2 hbone 10.2.0.2:9080"]),
    PlanRow(
      says: "by IPv6 too", destination: "[fd00:2::2]:9080", hops: ["v2 hbone [fd00:2::2]:9080"]),
    PlanRow(
      says: "a pod of this node without a tunnel", destination: "10.1.0.2:9080",
      hops: ["v1 local 10.1.0.2:9080"]),
    PlanRow(
      says: "an address that is a pod's and a service's is the pod's", destination: "10.1.0.2:80",
      hops: ["v1 local 10.1.0.2:80"]),
    PlanRow(
      says: "itself", destination: "10.1.0.1:9080", hops: ["productpage local 10.1.0.1:9080"]),
    PlanRow(
      says: "a pod outside the mesh in plaintext", destination: "10.2.0.3:9080",
      hops: ["v3 plaintext 10.2.0.3:9080"]),
    PlanRow(
      says: "a pod on a node's own network is not ours", destination: "192.168.0.2:53",
      passesThrough: true),
    PlanRow(
      says: "an unhealthy pod when dialled itself", destination: "10.2.0.5:80",
      hops: ["sick hbone 10.2.0.5:80"]),
    PlanRow(
      says: "of two pods with one address the one in the mesh", destination: "10.2.0.9:80",
      hops: ["clone-in-mesh hbone 10.2.0.9:80"]),
    PlanRow(says: "an unknown address", destination: "203.0.113.9:443", passesThrough: true),
    PlanRow(says: "an unknown IPv6 address", destination: "[2001:db8::9]:443", passesThrough: true),
    PlanRow(
      says: "port 15008 of a stranger is not ours", destination: "203.0.113.9:15008",
      passesThrough: true),
    PlanRow(
      says: "port 15008 of a pod outside the mesh is its own", destination: "10.2.0.3:15008",
      hops: ["v3 plaintext 10.2.0.3:15008"]),
  ]

  static let services: [PlanRow] = [
    PlanRow(
      says: "three endpoints from the first", destination: "10.9.0.2:80",
      hops: ["v1 local 10.1.0.2:9080", "v2 hbone 10.2.0.2:9080", "v3 plaintext 10.2.0.3:9081"]),
    PlanRow(
      says: "the next turn starts at the next", destination: "10.9.0.2:80", turn: 1,
      hops: ["v2 hbone 10.2.0.2:9080", "v3 plaintext 10.2.0.3:9081", "v4 hbone 10.2.0.4:9080"]),
    PlanRow(
      says: "and goes round", destination: "10.9.0.2:80", turn: .max,
      hops: ["v4 hbone 10.2.0.4:9080", "v1 local 10.1.0.2:9080", "v2 hbone 10.2.0.2:9080"]),
    PlanRow(
      says: "by IPv6 to the addresses of that family, if any", destination: "[fd00:9::2]:80",
      turn: 1,
      hops: ["v2 hbone [fd00:2::2]:9080", "v3 plaintext 10.2.0.3:9081", "v4 hbone 10.2.0.4:9080"]),
    PlanRow(
      says: "its own service", destination: "10.9.0.1:9080",
      hops: ["productpage local 10.1.0.1:9080"]),
    PlanRow(
      says: "an unhealthy endpoint where the service wants it", destination: "10.9.0.4:80",
      hops: ["sick hbone 10.2.0.5:80"]),
    PlanRow(
      says: "only this node's endpoints where the service wants it", destination: "10.9.0.5:80",
      turn: 1, hops: ["here local 10.1.0.6:80"]),
    PlanRow(
      says: "the endpoint's own port", destination: "10.9.0.9:82", hops: ["odd hbone 10.2.0.7:8082"]
    ),
    PlanRow(
      says: "the service's port where the endpoint says none", destination: "10.9.0.9:83",
      hops: ["odd hbone 10.2.0.7:8083"]),
    PlanRow(
      says: "any port of a pod outside the mesh", destination: "10.9.0.10:80",
      hops: ["bare plaintext 10.2.0.8:15008"]),
    PlanRow(
      says: "an endpoint on its node's network", destination: "10.9.0.11:53",
      hops: ["dns plaintext 192.168.0.2:53"]),
    PlanRow(
      says: "of two services the one in the client's namespace", destination: "10.9.0.12:80",
      hops: ["mine plaintext 10.2.0.11:2"]),
    PlanRow(
      says: "else the first by name", destination: "10.9.0.12:80", from: "stranger",
      hops: ["other plaintext 10.2.0.10:1"]),
  ]

  static let refusals: [PlanRow] = [
    refused(
      "our outbound port at loopback", "127.0.0.1:15001", .agentPort(socket("127.0.0.1:15001"))),
    refused(
      "our plaintext port at loopback", "127.9.9.9:15006", .agentPort(socket("127.9.9.9:15006"))),
    refused("our tunnel port at IPv6 loopback", "[::1]:15008", .agentPort(socket("[::1]:15008"))),
    refused(
      "the tunnel port of a pod in the mesh", "10.2.0.2:15008", .agentPort(socket("10.2.0.2:15008"))
    ),
    refused(
      "our port in a pod of this node", "10.1.0.2:15001", .agentPort(socket("10.1.0.2:15001"))),
    refused("a port the service lacks", "10.9.0.2:81", .unknownPort(service: reviews, port: 81)),
    refused(
      "only unhealthy endpoints", "10.9.0.3:80",
      none("sick", 80, EndpointTally(total: 1, unhealthy: 1))),
    refused(
      "only endpoints elsewhere", "10.9.0.6:80",
      none("far", 80, EndpointTally(total: 1, onOtherNodes: 1))),
    refused(
      "only endpoints without address", "10.9.0.7:80",
      none("homeless", 80, EndpointTally(total: 1, unusable: 1))),
    refused("no endpoints", "10.9.0.8:80", none("empty", 80, EndpointTally())),
    refused(
      "an endpoint that does not serve the port", "10.9.0.9:80",
      none("odd", 80, EndpointTally(total: 1, unusable: 1))),
    refused(
      "an endpoint that would loop", "10.9.0.9:81",
      none("odd", 81, EndpointTally(total: 1, unusable: 1))),
    refused(
      "a named port nobody knows", "10.9.0.9:84",
      none("odd", 84, EndpointTally(total: 1, unusable: 1))),
  ]

  static func refused(_ says: String, _ destination: String, _ refusal: RouteRefusal) -> PlanRow {
    PlanRow(says: says, destination: destination, refusal: refusal)
  }

  static func none(_ name: String, _ port: UInt16, _ tally: EndpointTally) -> RouteRefusal {
    .noEndpoint(service: .named(name), port: port, tally)
  }

  @Test(arguments: pods)
  func `to a pod or past us`(row: PlanRow) throws { try check(row) }

  @Test(arguments: services)
  func `to an endpoint of a service`(row: PlanRow) throws { try check(row) }

  @Test(arguments: refusals)
  func `nowhere, and why`(row: PlanRow) throws { try check(row) }

  private func check(_ row: PlanRow) throws {
    let index = MeshIndex(Self.model)
    let namespace = row.from == "stranger" ? "street" : "shop"
    let source = try #require(index.workload(uid: "Kubernetes//Pod/\(namespace)/\(row.from)"))
    let localPods = Set(["productpage", "v1", "here"].map { "Kubernetes//Pod/shop/\($0)" })
    let destination = try #require(SocketAddress(row.destination))
    switch index.plan(from: source, to: destination, turn: row.turn, localPods: localPods) {
    case .passthrough(let address):
      #expect(row.passesThrough && address == destination)
    case .candidates(let hops, let service):
      #expect(hops.map(\.inShort) == row.hops)
      #expect((service == nil) == (index.workload(at: destination.ip) != nil))
      for hop in hops { #expect(hop.identity == index.workload(uid: hop.workloadUID)?.identity) }
    case .refuse(let refusal):
      #expect(refusal == row.refusal)
    }
  }

  @Test func `successive turns spread evenly over the healthy endpoints`() throws {
    let index = MeshIndex(Self.model)
    let source = try #require(index.workload(uid: "Kubernetes//Pod/shop/productpage"))
    var first: [String: Int] = [:]
    for turn in UInt64(0)..<400 {
      guard
        case .candidates(let hops, Self.reviews?) = index.plan(
          from: source, to: socket("10.9.0.2:80"), turn: turn, localPods: [])
      else { continue }
      first[hops[0].workloadUID, default: 0] += 1
    }
    #expect(first.count == 4)
    #expect(first.values.allSatisfy { $0 == 100 })
  }

  @Test func `a refusal reads as a sentence`() {
    let refusal = RouteRefusal.noEndpoint(
      service: .named("far"), port: 80, EndpointTally(total: 3, unhealthy: 1, onOtherNodes: 2))
    #expect(
      "\(refusal)" == "service shop/far.shop.svc.cluster.local has no usable endpoint for port 80: "
        + "of 3 1 unhealthy, 2 on other nodes")
  }
}

extension Hop {
  var inShort: String {
    let name = workloadUID.split(separator: "/").last ?? ""
    return "\(name) \(transport) \(address)"
  }
}
