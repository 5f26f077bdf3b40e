import Testing
import TestSupport

@testable import MeshModel

@Suite struct `A change turns one generation into the next` {
  @Test(arguments: [UInt64(3), 4, 5])
  func `applying the difference gives the next model, and the index made afresh`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var index = MeshIndex(Model())
    for round in UInt64(1)...400 {
      let next = generator.model(generation: round)
      let change = index.model.change(to: next)
      #expect(index.model.applying(change) == next, "seed \(seed), round \(round)")
      index = index.applying(change)
      #expect(index.model == next, "seed \(seed), round \(round)")
      #expect(index.tables == MeshIndex(next).tables, "seed \(seed), round \(round)")
    }
  }

  @Test func `the difference holds only what differs`() {
    var changed = Workload.pod("b", at: "10.0.0.2")
    let old = Model.holding(
      workloads: [.pod("a", at: "10.0.0.1"), changed, .pod("gone")],
      services: [.named("s", ports: [80: 80])], policies: [.policy("shop/p", .allow, rules: [])])
    changed.health = .unhealthy
    let next = Model.holding(
      workloads: [.pod("a", at: "10.0.0.1"), changed, .pod("new")],
      services: [.named("s", ports: [80: 80])], policies: [.policy("shop/q", .deny, rules: [])],
      generation: 2)
    let change = old.change(to: next)
    #expect(!change.isFull)
    #expect(change.generation == 2)
    #expect(change.workloads.map(\.name) == ["b", "new"])
    #expect(change.removedWorkloads == ["Kubernetes//Pod/shop/gone"])
    #expect(change.services.isEmpty && change.removedServices.isEmpty)
    #expect(change.policies.map(\.key) == ["shop/q"])
    #expect(change.removedPolicies == ["shop/p"])
    #expect(next.change(to: next).isEmpty)
  }

  @Test func `a full change forgets what was there`() {
    let old = Model.holding(workloads: [.pod("a", at: "10.0.0.1")])
    let next = Model.holding(workloads: [.pod("b", at: "10.0.0.2")], generation: 7)
    let index = MeshIndex(old).applying(next.wholeChange)
    #expect(index.model == next)
    #expect(index.workload(at: ip("10.0.0.1")) == nil)
    #expect(index.workload(at: ip("10.0.0.2"))?.name == "b")
  }

  @Test func `what is removed and sent again in one change stays`() {
    let workload = Workload.pod("a", at: "10.0.0.1")
    let index = MeshIndex(.holding(workloads: [workload]))
    var change = ModelChange(isFull: false, generation: 2)
    change.removedWorkloads = [workload.uid]
    change.workloads = [.pod("a", at: "10.0.0.9")]
    let next = index.applying(change)
    #expect(next.workload(at: ip("10.0.0.9"))?.uid == workload.uid)
    #expect(next.workload(at: ip("10.0.0.1")) == nil)
  }

  @Test func `one workload sent twice in a change counts once, as the last says`() {
    var change = ModelChange(isFull: false, generation: 1)
    change.workloads = [
      Workload.pod("a", at: "10.0.0.1").serving(.named("s"), [80: 80]),
      Workload.pod("a", at: "10.0.0.2").serving(.named("s"), [80: 80]),
    ]
    let index = MeshIndex(Model()).applying(change)
    #expect(index.workload(at: ip("10.0.0.1")) == nil)
    #expect(index.members(of: .named("s")).map(\.addresses) == [[ip("10.0.0.2")]])
  }
}

@Suite struct `The index answers who owns an address` {
  /// Workloads that all claim 10.0.0.1, and who gets it.
  static let claims: [(says: String, workloads: [Workload], owner: String?)] = [
    ("nobody", [], nil),
    ("the only one", [entry("e", .none)], "e"),
    ("a pod before an entry in the mesh", [entry("e", .hbone), .pod("p", at: "10.0.0.1")], "p"),
    (
      "a pod in the mesh before another",
      [.pod("a", at: "10.0.0.1"), .pod("b", at: "10.0.0.1", tunnel: .hbone)], "b"
    ),
    ("an entry in the mesh before another", [entry("d", .none), entry("e", .hbone)], "e"),
    ("of equals the first by uid", [.pod("b", at: "10.0.0.1"), .pod("a", at: "10.0.0.1")], "a"),
    ("never one on its node's network", [onHost], nil),
  ]

  static func entry(_ name: String, _ tunnel: Workload.TunnelProtocol) -> Workload {
    var workload = Workload.pod(name, at: "10.0.0.1", tunnel: tunnel)
    workload.uid = "Kubernetes/networking.istio.io/WorkloadEntry/shop/\(name)"
    return workload
  }

  static let onHost: Workload = {
    var workload = Workload.pod("host", at: "10.0.0.1")
    workload.isHostNetwork = true
    return workload
  }()

  @Test(arguments: claims.indices)
  func `two claims to one address are settled alike everywhere`(row: Int) {
    let (says, workloads, owner) = Self.claims[row]
    for order in [workloads, workloads.reversed()] {
      let index = MeshIndex(.holding(workloads: order))
      #expect(index.workload(at: ip("10.0.0.1"))?.name == owner, "\(says)")
    }
  }

  @Test func `a mapped IPv6 address is the IPv4 one`() {
    let index = MeshIndex(.holding(workloads: [.pod("a", at: "::ffff:10.0.0.1")]))
    #expect(index.workload(at: ip("10.0.0.1"))?.name == "a")
  }

  @Test func `policies come global, then the namespace's, then the listed, each once`() {
    let workload = Workload.pod(
      "a", policies: ["shop/listed", "shop/late", "shop/near", "bank/far"])
    let index = MeshIndex(
      .holding(policies: [
        .policy("shop/near", .deny, rules: []), .policy("bank/near", .deny, rules: []),
        .policy("shop/listed", .allow, scope: .workloadSelector, rules: []),
        .policy("shop/unlisted", .allow, scope: .workloadSelector, rules: []),
        .policy("root/wide", .allow, scope: .global, rules: []),
        .policy("bank/far", .deny, rules: []),
      ]))
    let (policies, missing) = index.policies(for: workload)
    #expect(policies.map(\.key) == ["root/wide", "shop/near", "shop/listed", "bank/far"])
    #expect(missing == ["shop/late"])
  }
}
