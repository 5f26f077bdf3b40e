import MeshModel
import Testing
import TestSupport

@Suite struct `Only affected connections are judged again` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var change: @Sendable (inout Model) -> Void
    var destinations: Set<String> = []
    var sources: Set<String> = []
    var testDescription: String { says }
  }

  static let base = Model.holding(
    workloads: [
      .pod("a", at: "10.0.0.1", policies: ["shop/chosen"]), .pod("b", at: "10.0.0.2"),
      .pod("c", in: "bank", at: "10.0.0.3", policies: ["shop/late"]),
    ],
    services: [.named("s", ports: [80: 80])],
    policies: [
      .policy("shop/chosen", .allow, scope: .workloadSelector, clauses: []),
      .policy("shop/idle", .allow, scope: .workloadSelector, clauses: []),
      .policy("shop/wide", .allow, clauses: []),
      .policy("bank/try", .deny, isDryRun: true, clauses: []),
    ])

  static let a = "Kubernetes//Pod/shop/a"
  static let b = "Kubernetes//Pod/shop/b"
  static let c = "Kubernetes//Pod/bank/c"

  static let table: [Row] = [
    Row(says: "nothing changed", change: { $0.generation = 9 }),
    Row(
      says: "a selector policy touches those that list it",
      change: { $0.policies["shop/chosen"]?.rules = [] }, destinations: [a]),
    Row(says: "a selector policy nobody lists", change: { $0.policies["shop/idle"] = nil }),
    Row(
      says: "a policy that goes away touches those that list it",
      change: { $0.policies["shop/chosen"] = nil }, destinations: [a]),
    Row(
      says: "a listed policy arrives",
      change: {
        $0.policies["shop/late"] = .policy("shop/late", .deny, scope: .workloadSelector, rules: [])
      }, destinations: [c]),
    Row(
      says: "a listed policy arrives as a dry run",
      change: {
        $0.policies["shop/late"] = .policy(
          "shop/late", .deny, scope: .workloadSelector, isDryRun: true, rules: [])
      }, destinations: [c]),
    Row(
      says: "a namespace's policy touches its workloads",
      change: { $0.policies["shop/wide"]?.action = .deny }, destinations: [a, b]),
    Row(
      says: "a global policy touches all",
      change: { $0.policies["root/new"] = .policy("root/new", .deny, scope: .global, rules: []) },
      destinations: [a, b, c]),
    Row(
      says: "a policy that narrows touches where it was and where it is",
      change: { $0.policies["shop/wide"]?.scope = .workloadSelector }, destinations: [a, b]),
    Row(says: "a dry run that stays one", change: { $0.policies["bank/try"]?.rules = [] }),
    Row(
      says: "a dry run that becomes earnest", change: { $0.policies["bank/try"]?.isDryRun = false },
      destinations: [c]),
    Row(
      says: "a label that attaches a policy",
      change: { $0.workloads[b]?.authorizationPolicies = ["shop/idle"] }, destinations: [b]),
    Row(
      says: "another service account, as destination and as source",
      change: { $0.workloads[b]?.serviceAccount = "other" }, destinations: [b], sources: [b]),
    Row(
      says: "a port that believes a PROXY header from now on",
      change: { $0.workloads[b]?.applicationTunnel = ApplicationTunnel(form: .proxy, port: 1) },
      destinations: [b]),
    Row(
      says: "another address", change: { $0.workloads[b]?.addresses = [ip("10.0.0.9")] },
      destinations: [b], sources: [b]),
    Row(
      says: "a workload that is gone", change: { $0.workloads[c] = nil }, destinations: [c],
      sources: [c]),
    Row(says: "health moves no verdict", change: { $0.workloads[b]?.health = .unhealthy }),
    Row(says: "services move no verdict", change: { $0.services = [:] }),
  ]

  @Test(arguments: table)
  func `a change reaches`(row: Row) {
    let old = MeshIndex(Self.base)
    var next = Self.base
    row.change(&next)
    let scope = old.applying(Self.base.change(to: next)).changedPolicyScope(from: old)
    #expect(scope == PolicyScope(destinations: row.destinations, sources: row.sources))
    #expect(scope.isEmpty == (row.destinations.isEmpty && row.sources.isEmpty))
  }

  @Test func `a connection is in scope by either end`() {
    let scope = PolicyScope(destinations: [Self.a], sources: [Self.b])
    #expect(scope.includes(destination: Self.a, source: nil))
    #expect(scope.includes(destination: Self.c, source: Self.b))
    #expect(!scope.includes(destination: Self.c, source: Self.a))
    #expect(!scope.includes(destination: Self.c, source: nil))
  }

  @Test(arguments: [UInt64(6), 7])
  func `outside the scope every verdict stays`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var old = MeshIndex(generator.model(generation: 0))
    for round in UInt64(1)...1_000 {
      // One thing moves a little, so that much is out of scope.
      var next = old.model
      switch generator.below(3) {
      case 0:
        let workload = generator.workload(generator.below(8))
        next.workloads[workload.uid] = workload
      case 1: next.policies[generator.one(of: Words.keys.dropLast())] = nil
      default:
        let policy = generator.policy(generator.one(of: Words.keys.dropLast()))
        next.policies[policy.key] = policy
      }
      next.generation = round
      let new = old.applying(old.model.change(to: next))
      let scope = new.changedPolicyScope(from: old)
      for uid in new.model.workloads.keys where !scope.destinations.contains(uid) {
        let facts = generator.facts()
        let before = facts.verdict(for: old.workload(uid: uid), in: old).isAllowed
        let after = facts.verdict(for: new.workload(uid: uid), in: new).isAllowed
        #expect(before == after, "seed \(seed), round \(round), \(uid)")
      }
      old = new
    }
  }
}
