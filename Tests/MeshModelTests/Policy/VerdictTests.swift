import MeshModel
import Testing

/// One connection, the policies around it, and what must come out.
struct VerdictRow: CustomTestStringConvertible, Sendable {
  var says: String
  var facts = ConnectionFacts(
    source: .productpage, sourceIP: ip("10.1.0.7"), destinationIP: ip("10.2.0.9"),
    destinationPort: 9080)
  var workload: Workload? = .pod("details")
  var policies: [AuthorizationPolicy] = []
  var verdict: Verdict
  var testDescription: String { says }
}

@Suite struct `Deny wins, then an allow must match` {
  static let order: [VerdictRow] = [
    VerdictRow(says: "no policy lets all in", verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "an unknown workload is closed", workload: nil,
      verdict: .deny(because: .unknownWorkload)),
    VerdictRow(
      says: "an allow that matches lets in",
      policies: [
        .policy("shop/other", .allow) { $0.destinationPorts = [1] },
        .policy("shop/pages", .allow) { $0.namespaces = [.exact("shop")] },
      ],
      verdict: .allow(because: .matched(policy: "shop/pages", rule: 0))),
    VerdictRow(
      says: "deny beats allow, and names its rule",
      policies: [
        .policy("shop/all", .allow) { $0.principals = [.presence] },
        .policy(
          "shop/no", .deny,
          rules: [{ $0.destinationPorts = [1] }, { $0.destinationPorts = [9080] }]),
      ],
      verdict: .deny(because: .matched(policy: "shop/no", rule: 1))),
    VerdictRow(
      says: "a deny that does not match leaves the rest open",
      policies: [.policy("shop/no", .deny) { $0.destinationPorts = [1] }],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "a global policy applies in every namespace",
      policies: [.policy("istio-system/no", .deny, scope: .global) { $0.principals = [.presence] }],
      verdict: .deny(because: .matched(policy: "istio-system/no", rule: 0))),
    VerdictRow(
      says: "a policy of another namespace does not apply",
      policies: [.policy("bank/no", .deny) { $0.principals = [.presence] }],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "a selector policy does not apply unlisted",
      policies: [
        .policy("shop/no", .deny, scope: .workloadSelector) { $0.principals = [.presence] }
      ],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "a selector policy applies where it is listed",
      workload: .pod("details", policies: ["shop/no"]),
      policies: [
        .policy("shop/no", .deny, scope: .workloadSelector) { $0.principals = [.presence] }
      ],
      verdict: .deny(because: .matched(policy: "shop/no", rule: 0))),
    VerdictRow(
      says: "a listed policy that has not arrived denies",
      workload: .pod("details", policies: ["shop/late"]),
      policies: [.policy("shop/all", .allow) { $0.principals = [.presence] }],
      verdict: .deny(because: .missingPolicy("shop/late"))),
    VerdictRow(
      says: "a deny that matches is named before a missing policy",
      workload: .pod("details", policies: ["shop/late"]),
      policies: [.policy("shop/no", .deny) { $0.principals = [.presence] }],
      verdict: .deny(because: .matched(policy: "shop/no", rule: 0))),
    VerdictRow(
      says: "a dry-run deny denies nobody",
      policies: [.policy("shop/no", .deny, isDryRun: true) { $0.principals = [.presence] }],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "a dry-run allow does not count as an allow",
      policies: [.policy("shop/some", .allow, isDryRun: true) { $0.destinationPorts = [1] }],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "a dry-run allow lets nobody in",
      policies: [
        .policy("shop/some", .allow) { $0.destinationPorts = [1] },
        .policy("shop/all", .allow, isDryRun: true) { $0.principals = [.presence] },
      ],
      verdict: .deny(
        because: .noAllowMatched(
          nearest: NearMiss(
            policy: "shop/some", rule: 0, field: "ports", expected: "one of 1", actual: "9080")))),
    VerdictRow(
      says: "a listed dry-run policy counts as arrived",
      workload: .pod("details", policies: ["shop/try"]),
      policies: [
        .policy("shop/try", .deny, scope: .workloadSelector, isDryRun: true) {
          $0.principals = [.presence]
        }
      ],
      verdict: .allow(because: .noPolicy)),
  ]

  @Test(arguments: order)
  func `the order of evaluation`(row: VerdictRow) { row.check() }

  static let emptiness: [VerdictRow] = [
    VerdictRow(
      says: "an allow without rules lets nobody in",
      policies: [.policy("shop/none", .allow, rules: [])],
      verdict: .deny(
        because: .noAllowMatched(
          nearest: NearMiss(
            policy: "shop/none", rule: 0, field: "", expected: "a rule",
            actual: "none: this policy allows nothing")))),
    VerdictRow(
      says: "a deny without rules denies nobody",
      policies: [.policy("shop/none", .deny, rules: [])],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "a rule without clauses always matches",
      policies: [.policy("shop/any", .deny, clauses: [])],
      verdict: .deny(because: .matched(policy: "shop/any", rule: 0))),
    VerdictRow(
      says: "a clause without matches holds",
      policies: [.policy("shop/any", .deny, clauses: [[], []])],
      verdict: .deny(because: .matched(policy: "shop/any", rule: 0))),
    VerdictRow(
      says: "a match that asks for nothing never matches in a deny",
      policies: [.policy("shop/odd", .deny, clauses: [[{ _ in }]])],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "a match that asks for nothing never matches in an allow",
      policies: [.policy("shop/odd", .allow, clauses: [[{ _ in }]])],
      verdict: .deny(
        because: .noAllowMatched(
          nearest: NearMiss(
            policy: "shop/odd", rule: 0, field: "", expected: "a condition on the connection",
            actual: "none: this part of the rule never matches")))),
    VerdictRow(
      says: "beside an empty match another one may still hold",
      policies: [
        .policy("shop/odd", .allow, clauses: [[{ _ in }, { $0.destinationPorts = [9080] }]])
      ],
      verdict: .allow(because: .matched(policy: "shop/odd", rule: 0))),
    VerdictRow(
      says: "all clauses of a rule must hold",
      policies: [
        .policy(
          "shop/two", .deny,
          clauses: [[{ $0.destinationPorts = [9080] }], [{ $0.namespaces = [.exact("bank")] }]])
      ],
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "all fields of a match must hold",
      policies: [
        .policy("shop/two", .deny) {
          $0.destinationPorts = [9080]
          $0.namespaces = [.exact("bank")]
        }
      ],
      verdict: .allow(because: .noPolicy)),
  ]

  @Test(arguments: emptiness)
  func `what is empty`(row: VerdictRow) { row.check() }

  private static let plain = ConnectionFacts(
    source: nil, sourceIP: ip("10.1.0.7"), destinationIP: ip("10.2.0.9"), destinationPort: 15_088)

  static let forgeable: [VerdictRow] = [
    VerdictRow(
      says: "plaintext at the port of a tunnel that writes one", facts: plain,
      workload: .pod("details").told(port: 15_088),
      verdict: .deny(because: .couldForgeHeader(port: 15_088))),
    VerdictRow(
      says: "not even when an allow lets it in", facts: plain,
      workload: .pod("details").told(port: 15_088),
      policies: [.policy("shop/all", .allow, clauses: [])],
      verdict: .deny(because: .couldForgeHeader(port: 15_088))),
    VerdictRow(
      says: "plaintext at any port when the tunnel names none", facts: plain,
      workload: .pod("details").told(port: 0),
      verdict: .deny(because: .couldForgeHeader(port: 0))),
    VerdictRow(
      says: "but not at another port", facts: plain, workload: .pod("details").told(port: 15_089),
      verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "nor without a header", facts: plain,
      workload: .pod("details").changed {
        $0.applicationTunnel = ApplicationTunnel(form: .none, port: 15_088)
      }, verdict: .allow(because: .noPolicy)),
    VerdictRow(
      says: "nor with an identity", workload: .pod("details").told(port: 9080),
      verdict: .allow(because: .noPolicy)),
  ]

  @Test(arguments: forgeable)
  func `a PROXY header is not to be forged by`(row: VerdictRow) { row.check() }

  static let nearest: [VerdictRow] = [
    row("fewest fields amiss is nearest", misses: "namespaces", "one of bank", "shop", rule: 1) {
      [
        .policy(
          "shop/a", .allow,
          rules: [
            {
              $0.destinationPorts = [1]; $0.namespaces = [.exact("bank")]
            },
            {
              $0.destinationPorts = [9080]; $0.namespaces = [.exact("bank")]
            },
          ])
      ]
    },
    row(
      "of equals the one with more that holds", misses: "notPorts", "none of 1, 9080", "9080",
      rule: 1
    ) {
      [
        .policy(
          "shop/a", .allow,
          rules: [
            { $0.destinationPorts = [1] },
            {
              $0.notDestinationPorts = [1, 9080]; $0.sourceIPs = [block("10.1.0.0/16")]
            },
          ])
      ]
    },
    row("the first in order when all is equal", misses: "ports", "one of 1", "9080", rule: 0) {
      [
        .policy("shop/b", .allow) { $0.destinationPorts = [2] },
        .policy("shop/a", .allow) { $0.destinationPorts = [1] },
      ]
    },
    row(
      "a policy with rules is nearer than one without", misses: "ports", "one of 1", "9080", rule: 0
    ) {
      [
        .policy("istio-system/none", .allow, scope: .global, rules: []),
        .policy("shop/a", .allow) { $0.destinationPorts = [1] },
      ]
    },
    row(
      "in a clause the closest match speaks", misses: "notIpBlocks", "none of 10.1.0.0/16",
      "10.1.0.7", rule: 0
    ) {
      [
        .policy(
          "shop/a", .allow,
          clauses: [
            [
              {
                $0.destinationPorts = [1]; $0.namespaces = [.exact("bank")]
              },
              { $0.notSourceIPs = [block("10.1.0.0/16")] },
            ], [{ $0.principals = [.presence] }],
          ])
      ]
    },
  ]

  @Test(arguments: nearest)
  func `the nearest allow and what it missed`(row: VerdictRow) { row.check() }

  private static func row(
    _ says: String, misses field: String, _ expected: String, _ actual: String, rule: Int,
    under policies: () -> [AuthorizationPolicy]
  ) -> VerdictRow {
    VerdictRow(
      says: says, policies: policies(),
      verdict: .deny(
        because: .noAllowMatched(
          nearest: NearMiss(
            policy: "shop/a", rule: rule, field: field, expected: expected, actual: actual))))
  }
}

extension VerdictRow {
  func check(sourceLocation: SourceLocation = #_sourceLocation) {
    let index = MeshIndex(.holding(workloads: workload.map { [$0] } ?? [], policies: policies))
    #expect(facts.verdict(for: workload, in: index) == verdict, sourceLocation: sourceLocation)
  }
}
