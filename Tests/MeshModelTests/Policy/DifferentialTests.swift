import MeshModel
import Testing
import TestSupport

@Suite struct `The evaluator agrees with the slow reference` {
  static let rounds = 25_000
  static let seeds: [UInt64] = [1, 20_260_101]

  @Test(arguments: seeds)
  func `on random policies and connections`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var seen: [String: Int] = [:]
    for round in 0..<Self.rounds {
      let policies = generator.policies(upTo: 5)
      var workload = generator.chance(98) ? generator.workload(0) : nil
      // The reference knows policies only.
      workload?.waypoint = nil
      let facts = generator.facts()
      let index = MeshIndex(.holding(workloads: workload.map { [$0] } ?? [], policies: policies))
      let verdict = facts.verdict(for: workload, in: index)
      let outcome = ReferenceEvaluator.outcome(facts, for: workload, among: policies)
      seen[verdict.kind, default: 0] += 1
      guard !verdict.agrees(with: outcome, facts, policies, workload?.trustDomain ?? "") else {
        continue
      }
      Issue.record(
        """
        seed \(seed), round \(round): \(verdict) but the reference says \(outcome)
        \(facts)
        \(String(describing: workload))
        \(policies)
        """)
      return
    }
    // A generator that never reaches an outcome proves nothing about it.
    for kind in ["noPolicy", "allow", "deny", "notAllowed", "missing", "unknown"] {
      #expect(seen[kind, default: 0] > Self.rounds / 200, "\(kind) came up \(seen)")
    }
  }

  @Test(arguments: seeds)
  func `a near miss is a rule that in fact misses`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for round in 0..<5_000 {
      let policies = generator.policies(upTo: 4)
      let workload = generator.workload(0)
      let facts = generator.facts()
      let index = MeshIndex(.holding(workloads: [workload], policies: policies))
      let verdict = facts.verdict(for: workload, in: index)
      guard case .deny(.noAllowMatched(let nearest?)) = verdict else { continue }
      let policy = index.model.policies[nearest.policy]
      #expect(policy?.action == .allow, "seed \(seed), round \(round)")
      guard let policy, policy.rules.indices.contains(nearest.rule) else {
        #expect(nearest.field.isEmpty && policy?.rules == [], "seed \(seed), round \(round)")
        continue
      }
      var alone = policy
      alone.rules = [policy.rules[nearest.rule]]
      #expect(
        !ReferenceEvaluator.isMatch(facts, alone, in: workload.trustDomain),
        "seed \(seed), round \(round)")
    }
  }
}

extension Verdict {
  fileprivate var kind: String {
    switch self {
    case .allow(.noPolicy): "noPolicy"
    case .allow(.matched): "allow"
    case .deny(.matched): "deny"
    case .deny(.noAllowMatched): "notAllowed"
    case .deny(.missingPolicy): "missing"
    case .deny(.unknownWorkload): "unknown"
    case .deny(.aroundWaypoint): "waypoint"
    case .deny(.couldForgeHeader): "header"
    }
  }

  /// The same answer, and where it names a policy and a rule, one that the reference finds matching.
  fileprivate func agrees(
    with outcome: ReferenceEvaluator.Outcome, _ facts: ConnectionFacts,
    _ policies: [AuthorizationPolicy], _ trustDomain: String
  ) -> Bool {
    func isMatch(_ key: PolicyKey, _ rule: Int) -> Bool {
      guard var policy = policies.first(where: { $0.key == key }) else { return false }
      policy.rules = [policy.rules[rule]]
      return ReferenceEvaluator.isMatch(facts, policy, in: trustDomain)
    }
    switch (self, outcome) {
    case (.allow(.noPolicy), .allowed): return true
    case (.allow(.matched(let key, let rule)), .allowed): return isMatch(key, rule)
    case (.deny(.matched(let key, let rule)), .deniedBy(let keys)):
      return keys.contains(key) && isMatch(key, rule)
    case (.deny(.noAllowMatched(let nearest)), .notAllowed): return nearest != nil
    case (.deny(.missingPolicy), .missing), (.deny(.unknownWorkload), .unknown): return true
    case (.allow, _), (.deny, _): return false
    }
  }
}
