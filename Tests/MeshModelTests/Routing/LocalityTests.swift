@testable import MeshModel
import Testing

@Suite struct `Endpoints are chosen by nearness, health and capacity` {
  static let key = ServiceKey.named("s")
  static let preferClose = LoadBalancing(mode: .failover, preferences: [.network, .region, .zone])

  static func pod(_ name: String, _ region: String, _ zone: String, node: String = "n") -> Workload
  {
    Workload.pod(name, at: "10.0.0.\(name.utf8.reduce(0) { $0 &+ $1 })", node: node, tunnel: .hbone)
      .serving(key, [80: 80])
      .changed { $0.locality = Locality(region: region, zone: zone) }
  }

  /// The names of the endpoints tried first to last.
  private func order(
    _ balancing: LoadBalancing, _ pods: [Workload], turn: UInt64 = 0,
    health: Service.HealthPolicy = .onlyHealthy
  ) throws -> [String] {
    let client = Workload.pod("client", at: "10.1.0.1", node: "n", tunnel: .hbone).changed {
      $0.locality = Locality(region: "r", zone: "z")
    }
    let entry = Workload.pod("entry", at: "192.0.2.1", tunnel: .hbone)
    let service = Service.named("s", at: "10.9.0.1", ports: [80: 80], health: health)
      .balanced(balancing).lending(.productpage)
    let index = MeshIndex(
      .holding(workloads: pods + [client, entry], services: [service]))
    let plan = index.plan(from: client, to: socket("10.9.0.1:80"), turn: turn, localPods: [])
    guard case .candidates(let hops, _) = plan else { return [] }
    return hops.compactMap { $0.workloadUID.split(separator: "/").last.map(String.init) }
  }

  static let far: @Sendable (Workload) -> Workload = {
    $0.far.entered(
      at: GatewayAddress(destination: .address(network: "", ip: ip("192.0.2.1"))))
  }

  @Test func `failover tries the nearest, then the next nearest`() throws {
    let pods = [
      Self.pod("a-elsewhere", "q", "y"), Self.pod("b-region", "r", "y"),
      Self.pod("c-zone", "r", "z"),
    ]
    #expect(
      try order(Self.preferClose, pods) == ["c-zone", "b-region", "a-elsewhere"])
  }

  @Test func `any endpoint of the own network comes before a nearer one of another`() throws {
    let pods = [Self.far(Self.pod("far-zone", "r", "z")), Self.pod("here", "q", "y")]
    #expect(try order(Self.preferClose, pods) == ["here", "far-zone"])
  }

  @Test func `and the others still order the endpoints of other networks`() throws {
    let pods = [
      Self.far(Self.pod("far-a", "q", "y")), Self.far(Self.pod("far-b", "r", "y")),
      Self.far(Self.pod("far-c", "r", "z")),
    ]
    #expect(try order(Self.preferClose, pods) == ["far-c", "far-b", "far-a"])
  }

  @Test func `ranks are those of the reference`() {
    let client = Self.pod("client", "r", "z")
    let rows: [(Workload, Int)] = [
      (Self.pod("a", "r", "z"), 5), (Self.pod("b", "r", "y"), 4), (Self.pod("c", "q", "z"), 3),
      (Self.pod("d", "r", "z").far, 2), (Self.pod("e", "r", "y").far, 1),
      (Self.pod("f", "q", "z").far, 0),
    ]
    for (endpoint, rank) in rows {
      #expect(Self.preferClose.rank(of: endpoint, for: client).value == rank, "\(endpoint.name)")
    }
  }

  @Test func `a preference that fails ends the comparison`() throws {
    let balancing = LoadBalancing(mode: .failover, preferences: [.region, .zone, .node])
    let pods = [
      Self.pod("other-region-same-node", "q", "z", node: "n"),
      Self.pod("same-region", "r", "y", node: "m"),
    ]
    #expect(try order(balancing, pods) == ["same-region", "other-region-same-node"])
  }

  @Test func `unknown names on both sides count as equal`() {
    let balancing = LoadBalancing(mode: .failover, preferences: [.subzone])
    let pod = Self.pod("a", "r", "z")
    #expect(balancing.rank(of: pod, for: pod).isComplete)
  }

  @Test func `strict keeps to endpoints that match everything`() throws {
    let balancing = LoadBalancing(mode: .strict, preferences: [.region, .zone])
    let pods = [Self.pod("near", "r", "z"), Self.pod("far", "r", "y")]
    #expect(try order(balancing, pods) == ["near"])
    #expect(try order(balancing, [pods[1]]) == [])
  }

  @Test func `an unhealthy endpoint gives way to one further off`() throws {
    let pods = [
      Self.pod("near", "r", "z").changed { $0.health = .unhealthy }, Self.pod("far", "q", "y"),
    ]
    #expect(try order(Self.preferClose, pods) == ["far"])
    #expect(try order(Self.preferClose, pods, health: .allowAll) == ["near", "far"])
  }

  @Test func `no more than the limit is tried`() throws {
    let pods = (0..<9).map { Self.pod("p\($0)", "q", "y") }
    #expect(
      try order(Self.preferClose, pods).count == RoutePlan.Limit.candidatesPerConnection)
  }

  @Test(arguments: [[1, 3], [5, 1, 4], [0, 2, 2], [100, 1]])
  func `each endpoint gets its share by capacity`(capacities: [UInt32]) throws {
    let pods = capacities.enumerated().map {
      Self.pod("p\($0.offset)", "r", "z").weighing($0.element)
    }
    let total = capacities.reduce(0, +)
    var first = [Int](repeating: 0, count: capacities.count)
    let turns = 100 * Int(total)
    for turn in 0..<turns {
      let name = try #require(try order(LoadBalancing(), pods, turn: UInt64(turn)).first)
      first[try #require(Int(name.dropFirst()))] += 1
    }
    for (index, capacity) in capacities.enumerated() {
      #expect(abs(first[index] - 100 * Int(capacity)) <= 3, "\(first)")
    }
  }

  @Test func `no capacity anywhere means equal shares`() throws {
    let pods = ["a", "b"].map { Self.pod($0, "r", "z").weighing(0) }
    let first = try (0..<10).map { try order(LoadBalancing(), pods, turn: $0).first }
    #expect(first.filter { $0 == "a" }.count == 5)
  }
}
