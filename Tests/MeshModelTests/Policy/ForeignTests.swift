import MeshModel
import Testing

@Suite struct `A member of another trust domain` {
  private static let cart = SPIFFEID(
    trustDomain: "b.example", namespace: "shop", serviceAccount: "cart")

  private static func facts(_ source: SPIFFEID) -> ConnectionFacts {
    ConnectionFacts(
      source: source, sourceIP: ip("10.1.0.7"), destinationIP: ip("10.2.0.9"),
      destinationPort: 9080)
  }

  private static let account = ServiceAccountMatch(namespace: "shop", serviceAccount: "cart")

  private static func allow(
    _ edit: @escaping @Sendable (inout AuthorizationPolicy.Match) -> Void
  ) -> [AuthorizationPolicy] {
    [.policy("shop/some", .allow, edit)]
  }

  private static func deny(
    _ edit: @escaping @Sendable (inout AuthorizationPolicy.Match) -> Void
  ) -> [AuthorizationPolicy] {
    [.policy("shop/none", .deny, edit)]
  }

  private static func refusal(of field: String) -> Verdict {
    .deny(
      because: .noAllowMatched(
        nearest: NearMiss(
          policy: "shop/some", rule: 0, field: "principals",
          expected: "it by name, as \(field) are those of this trust domain",
          actual: "b.example/ns/shop/sa/cart")))
  }

  private static let denied = Verdict.deny(because: .matched(policy: "shop/none", rule: 0))
  private static let passes = Verdict.allow(because: .noPolicy)
  private static let allowed = Verdict.allow(because: .matched(policy: "shop/some", rule: 0))

  static let rows: [VerdictRow] = [
    VerdictRow(
      says: "by the name of its namespace", policies: allow { $0.namespaces = [.exact("shop")] },
      verdict: refusal(of: "namespaces")),
    VerdictRow(
      says: "nor by that of its service account",
      policies: allow { $0.serviceAccounts = [account] },
      verdict: refusal(of: "serviceAccounts")),
    VerdictRow(
      says: "nor by being of any namespace", policies: allow { $0.namespaces = [.presence] },
      verdict: refusal(of: "namespaces")),
    VerdictRow(
      says: "nor by not being of another", policies: allow { $0.notNamespaces = [.exact("bank")] },
      verdict: refusal(of: "notNamespaces")),
    VerdictRow(
      says: "but by its principal",
      policies: allow { $0.principals = [.exact("b.example/ns/shop/sa/cart")] }, verdict: allowed),
    VerdictRow(
      says: "or where nobody asks", policies: allow { $0.destinationPorts = [9080] },
      verdict: allowed),
  ].map { $0.with(facts(cart)) }

  @Test(arguments: rows) func `is not let in`(row: VerdictRow) { row.check() }

  static let denials: [VerdictRow] = [
    VerdictRow(
      says: "that means its namespace", policies: deny { $0.namespaces = [.exact("shop")] },
      verdict: denied),
    VerdictRow(
      says: "that means its service account", policies: deny { $0.serviceAccounts = [account] },
      verdict: denied),
    VerdictRow(
      says: "that spares those of ours with its name",
      policies: deny { $0.notNamespaces = [.exact("shop")] }, verdict: denied),
    VerdictRow(
      says: "that spares an account of ours with its name",
      policies: deny { $0.notServiceAccounts = [account] }, verdict: denied),
    VerdictRow(
      says: "but not one that means others", policies: deny { $0.namespaces = [.exact("bank")] },
      verdict: passes),
  ].map { $0.with(facts(cart)) }

  @Test(arguments: denials) func `is kept out by a DENY`(row: VerdictRow) { row.check() }

  @Test func `is whoever is of another one than the workload, whichever that is`() {
    let workload = Workload.pod("details").changed { $0.trustDomain = "b.example" }
    let policies = Self.allow { $0.namespaces = [.exact("shop")] }
    let index = MeshIndex(.holding(workloads: [workload], policies: policies))
    #expect(Self.facts(Self.cart).verdict(for: workload, in: index) == Self.allowed)
    #expect(!Self.facts(.productpage).verdict(for: workload, in: index).isAllowed)
  }
}

extension VerdictRow {
  fileprivate func with(_ facts: ConnectionFacts) -> Self {
    var row = self
    row.facts = facts
    return row
  }
}
