import MeshModel
import Testing

@Suite struct `A CONNECT ends where it may` {
  static let waypoint = GatewayAddress(destination: .service(.named("waypoint")))
  static let model = Model.holding(
    workloads: [
      .pod("app", at: "10.0.0.1", "fd00::1", tunnel: .hbone)
        .serving(.named("reviews"), [80: 9080, 81: 0]).serving(.named("looping"), [80: 15_008]),
      .pod("guarded", at: "10.0.0.2", tunnel: .hbone).through(waypoint),
      .pod("waypoint", at: "10.0.0.50", tunnel: .hbone).serving(
        .named("waypoint"), [15_008: 15_008]),
      .pod("sandwich", at: "10.0.0.60", "fd00::60", tunnel: .hbone).told(port: 15_088),
      .pod("plain-tunnel", at: "10.0.0.61", tunnel: .hbone).changed {
        $0.applicationTunnel = ApplicationTunnel(form: .none, port: 0)
      },
    ],
    services: [
      .named("reviews", at: "10.9.0.1", ports: [80: 9080, 81: 9081, 82: 0]),
      .named("guarded", at: "fd00:9::2", "10.9.0.2", ports: [80: 80]).through(waypoint),
      .named("looping", ports: [80: 80]),
      .named("headless", ports: [80: 80]),
      .named("waypoint", at: "10.9.0.4", ports: [15_008: 15_008]),
      .named("private", in: "bank", ports: [80: 80]).changed { $0.visibility = .ownNamespace },
    ])

  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var at: String
    var own = "10.0.0.1"
    var authority: Hop.Authority
    /// `judged dialled proxied` of what is accepted.
    var accepted: String?
    var status: UInt16 = 0
    var testDescription: String { says }
  }

  static func address(_ text: String) -> Hop.Authority { .address(socket(text)) }
  static func host(_ name: String, _ port: UInt16) -> Hop.Authority {
    .host("\(name).shop.svc.cluster.local", port: port)
  }

  static let table: [Row] = [
    Row(
      says: "the pod's own address", at: "app", authority: address("10.0.0.1:9080"),
      accepted: "10.0.0.1:9080 10.0.0.1:9080 -"),
    Row(
      says: "by IPv6", at: "app", own: "fd00::1", authority: address("[fd00::1]:9080"),
      accepted: "[fd00::1]:9080 [fd00::1]:9080 -"),
    Row(
      says: "its other address is not the one dialled", at: "app",
      authority: address("[fd00::1]:9080"), status: 400),
    Row(says: "a foreign address", at: "app", authority: address("10.0.0.9:80"), status: 400),
    Row(
      says: "a port of ours", at: "app", authority: address("10.0.0.1:15001"), status: 503),
    Row(
      says: "a service by name, at the endpoint's port", at: "app", authority: host("reviews", 80),
      accepted: "10.0.0.1:9080 10.0.0.1:9080 -"),
    Row(
      says: "a port the endpoint does not serve", at: "app", authority: host("reviews", 81),
      status: 503),
    Row(says: "a port nobody knows", at: "app", authority: host("reviews", 82), status: 503),
    Row(says: "a port the service lacks", at: "app", authority: host("reviews", 99), status: 503),
    Row(
      says: "a service it is not part of", at: "app", authority: host("headless", 80), status: 503),
    Row(says: "an unknown service", at: "app", authority: host("nobody", 80), status: 503),
    Row(
      says: "a service it may not see", at: "app",
      authority: .host("private.bank.svc.cluster.local", port: 80), status: 503),
    Row(
      says: "a service that ends at our port", at: "app", authority: host("looping", 80),
      status: 503),
    Row(
      says: "a service the waypoint stands in front of", at: "waypoint", own: "10.0.0.50",
      authority: address("10.9.0.2:80"), accepted: "10.0.0.50:80 10.0.0.50:80 -"),
    Row(
      says: "a pod it stands in front of", at: "waypoint", own: "10.0.0.50",
      authority: address("10.0.0.2:8080"), accepted: "10.0.0.50:8080 10.0.0.50:8080 -"),
    Row(
      says: "a service it does not", at: "waypoint", own: "10.0.0.50",
      authority: address("10.9.0.1:80"), status: 400),
    Row(
      says: "by name it stands in front of it too", at: "waypoint", own: "10.0.0.50",
      authority: host("guarded", 80), accepted: "10.0.0.50:80 10.0.0.50:80 -"),
    Row(
      says: "an application tunnel is told any address, over loopback", at: "sandwich",
      own: "10.0.0.60", authority: address("203.0.113.9:443"),
      accepted: "10.0.0.60:15088 127.0.0.1:15088 203.0.113.9:443"),
    Row(
      says: "by IPv6 over that loopback", at: "sandwich", own: "fd00::60",
      authority: address("10.9.0.1:80"), accepted: "[fd00::60]:15088 [::1]:15088 10.9.0.1:80"),
    Row(
      says: "of a name it is told the address, rather IPv4", at: "sandwich", own: "10.0.0.60",
      authority: host("guarded", 80),
      accepted: "10.0.0.60:15088 127.0.0.1:15088 10.9.0.2:80"),
    Row(
      says: "a name without an address cannot be told", at: "sandwich", own: "10.0.0.60",
      authority: host("headless", 80), status: 503),
    Row(
      says: "a tunnel without header and port takes the one asked for", at: "plain-tunnel",
      own: "10.0.0.61", authority: address("10.9.0.1:80"),
      accepted: "10.0.0.61:80 10.0.0.61:80 -"),
  ]

  @Test(arguments: table) func `at a pod`(row: Row) throws {
    let index = MeshIndex(Self.model)
    let workload = try #require(index.workload(uid: "Kubernetes//Pod/shop/\(row.at)"))
    switch index.inboundPlan(for: workload, at: ip(row.own), authority: row.authority) {
    case .accept(let target):
      let proxied = target.proxied.map(\.description) ?? "-"
      #expect("\(target.address) \(target.dialled) \(proxied)" == row.accepted)
    case .refuse(let refusal):
      #expect(row.accepted == nil, "\(refusal)")
      #expect(refusal.status == row.status, "\(refusal)")
    }
  }
}
