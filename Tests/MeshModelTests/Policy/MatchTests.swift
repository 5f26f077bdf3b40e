import MeshModel
import Testing

/// One match, and whether it holds for a connection with the identity and for one in plaintext.
struct MatchRow: CustomTestStringConvertible, Sendable {
  var says: String
  var match: AuthorizationPolicy.Match
  var holdsForIdentity: Bool
  var holdsForPlaintext: Bool
  var testDescription: String { says }

  init(
    _ says: String, _ holdsForIdentity: Bool, plaintext holdsForPlaintext: Bool,
    _ fill: (inout AuthorizationPolicy.Match) -> Void
  ) {
    self.says = says
    match = .filled(fill)
    self.holdsForIdentity = holdsForIdentity
    self.holdsForPlaintext = holdsForPlaintext
  }
}

@Suite struct `Each field of a match asks its question` {
  static let principal = "cluster.local/ns/shop/sa/productpage"

  static let identities: [MatchRow] = [
    MatchRow("a principal, exactly", true, plaintext: false) {
      $0.principals = [.exact(principal)]
    },
    MatchRow("a principal is not written with its scheme", false, plaintext: false) {
      $0.principals = [.exact("spiffe://" + principal)]
    },
    MatchRow("a principal one letter short", false, plaintext: false) {
      $0.principals = [.exact(String(principal.dropLast()))]
    },
    MatchRow("any principal", true, plaintext: false) { $0.principals = [.presence] },
    MatchRow("a principal by prefix", true, plaintext: false) {
      $0.principals = [.prefix("cluster.local/ns/shop/")]
    },
    MatchRow("a principal by another prefix", false, plaintext: false) {
      $0.principals = [.prefix("cluster.local/ns/sho/")]
    },
    MatchRow("a principal by suffix", true, plaintext: false) {
      $0.principals = [.suffix("/sa/productpage")]
    },
    MatchRow("a principal by another suffix", false, plaintext: false) {
      $0.principals = [.suffix("/sa/product")]
    },
    MatchRow("one of several principals", true, plaintext: false) {
      $0.principals = [.exact("x"), .suffix("page")]
    },
    MatchRow("not any principal means plaintext", false, plaintext: true) {
      $0.notPrincipals = [.presence]
    },
    MatchRow("not this principal", false, plaintext: true) {
      $0.notPrincipals = [.exact(principal)]
    },
    MatchRow("not another principal", true, plaintext: true) { $0.notPrincipals = [.exact("x")] },
    MatchRow("not one of several principals", false, plaintext: true) {
      $0.notPrincipals = [.exact("x"), .prefix("cluster.local/")]
    },
    MatchRow("a namespace", true, plaintext: false) { $0.namespaces = [.exact("shop")] },
    MatchRow("another namespace", false, plaintext: false) { $0.namespaces = [.exact("bank")] },
    MatchRow("any namespace", true, plaintext: false) { $0.namespaces = [.presence] },
    MatchRow("a namespace by prefix", true, plaintext: false) { $0.namespaces = [.prefix("sh")] },
    MatchRow("a namespace by suffix", true, plaintext: false) { $0.namespaces = [.suffix("op")] },
    MatchRow("a longer suffix than the namespace", false, plaintext: false) {
      $0.namespaces = [.suffix("workshop")]
    },
    MatchRow("not this namespace", false, plaintext: true) { $0.notNamespaces = [.exact("shop")] },
    MatchRow("not another namespace", true, plaintext: true) {
      $0.notNamespaces = [.exact("bank")]
    },
    MatchRow("a service account", true, plaintext: false) {
      $0.serviceAccounts = [ServiceAccountMatch(namespace: "shop", serviceAccount: "productpage")]
    },
    MatchRow("the account of another namespace", false, plaintext: false) {
      $0.serviceAccounts = [ServiceAccountMatch(namespace: "bank", serviceAccount: "productpage")]
    },
    MatchRow("not this service account", false, plaintext: true) {
      $0.notServiceAccounts = [
        ServiceAccountMatch(namespace: "shop", serviceAccount: "productpage")
      ]
    },
  ]

  static let places: [MatchRow] = [
    MatchRow("a source block", true, plaintext: true) { $0.sourceIPs = [block("10.1.0.0/16")] },
    MatchRow("another source block", false, plaintext: false) {
      $0.sourceIPs = [block("10.2.0.0/16")]
    },
    MatchRow("one of several source blocks", true, plaintext: true) {
      $0.sourceIPs = [block("fd00::/8"), block("10.1.0.7")]
    },
    MatchRow("not this source block", false, plaintext: false) {
      $0.notSourceIPs = [block("10.0.0.0/8")]
    },
    MatchRow("not a block of the other family", true, plaintext: true) {
      $0.notSourceIPs = [block("::/0")]
    },
    MatchRow("a destination block", true, plaintext: true) {
      $0.destinationIPs = [block("10.2.0.9")]
    },
    MatchRow("not this destination", false, plaintext: false) {
      $0.notDestinationIPs = [block("10.2.0.9")]
    },
    MatchRow("a port", true, plaintext: true) { $0.destinationPorts = [80, 9080] },
    MatchRow("the tunnel's port is not asked", false, plaintext: false) {
      $0.destinationPorts = [15_008]
    },
    MatchRow("not this port", false, plaintext: false) { $0.notDestinationPorts = [80, 9080] },
    MatchRow("not another port", true, plaintext: true) { $0.notDestinationPorts = [80] },
    MatchRow("a positive and a negative field both hold", true, plaintext: true) {
      $0.sourceIPs = [block("10.0.0.0/8")]
      $0.notSourceIPs = [block("10.9.0.0/16")]
    },
    MatchRow("the negative field wins over the positive", false, plaintext: false) {
      $0.sourceIPs = [block("10.0.0.0/8")]
      $0.notSourceIPs = [block("10.1.0.7")]
    },
    MatchRow("one field amiss is enough", false, plaintext: false) {
      $0.destinationPorts = [9080]
      $0.destinationIPs = [block("10.2.0.8")]
    },
  ]

  @Test(arguments: identities + places)
  func `a match holds or not`(row: MatchRow) {
    let policy = AuthorizationPolicy(
      key: "shop/p", scope: .namespace, action: .deny,
      rules: [.init(clauses: [.init(matches: [row.match])])])
    let workload = Workload.pod("details")
    let index = MeshIndex(.holding(workloads: [workload], policies: [policy]))
    var facts = ConnectionFacts(
      source: .productpage, sourceIP: ip("10.1.0.7"), destinationIP: ip("10.2.0.9"),
      destinationPort: 9080)
    #expect(facts.verdict(for: workload, in: index).isAllowed == !row.holdsForIdentity)
    facts.source = nil
    #expect(facts.verdict(for: workload, in: index).isAllowed == !row.holdsForPlaintext)
  }

  @Test func `names that look alike are different names`() {
    let workload = Workload.pod("details")
    let composed = AuthorizationPolicy.policy("shop/p", .allow) {
      $0.namespaces = [.exact("caf\u{e9}")]
    }
    let index = MeshIndex(.holding(workloads: [workload], policies: [composed]))
    let facts = ConnectionFacts(
      source: SPIFFEID(
        trustDomain: workload.trustDomain, namespace: "cafe\u{301}", serviceAccount: "b"),
      sourceIP: ip("10.0.0.1"), destinationIP: ip("10.0.0.2"), destinationPort: 1)
    #expect(!facts.verdict(for: workload, in: index).isAllowed)
  }

  @Test func `IPv6 blocks ask like IPv4 ones`() {
    let workload = Workload.pod("details")
    let policy = AuthorizationPolicy.policy("shop/p", .allow) {
      $0.sourceIPs = [block("fd00:1::/32")]
    }
    let index = MeshIndex(.holding(workloads: [workload], policies: [policy]))
    func isAllowed(_ source: String) -> Bool {
      ConnectionFacts(
        source: nil, sourceIP: ip(source), destinationIP: ip("fd00::1"), destinationPort: 1
      ).verdict(for: workload, in: index).isAllowed
    }
    #expect(isAllowed("fd00:1:ffff::7"))
    #expect(!isAllowed("fd00:2::7"))
    #expect(!isAllowed("10.0.0.1"))
  }

  @Test func `STRICT is a deny of plaintext on every port but the permissive`() {
    let strict = AuthorizationPolicy.policy(
      "istio-system/strict", .deny, scope: .workloadSelector,
      clauses: [[{ $0.notPrincipals = [.presence] }], [{ $0.notDestinationPorts = [8080] }]])
    let workload = Workload.pod("details", policies: [strict.key])
    let index = MeshIndex(.holding(workloads: [workload], policies: [strict]))
    func isAllowed(_ source: SPIFFEID?, _ port: UInt16) -> Bool {
      ConnectionFacts(
        source: source, sourceIP: ip("10.0.0.1"), destinationIP: ip("10.0.0.2"),
        destinationPort: port
      ).verdict(for: workload, in: index).isAllowed
    }
    #expect(isAllowed(.productpage, 9080))
    #expect(!isAllowed(nil, 9080))
    #expect(isAllowed(nil, 8080))
  }
}

@Suite struct `A dry run says what it would have changed` {
  static let workload = Workload.pod("details")
  static let facts = ConnectionFacts(
    source: .productpage, sourceIP: ip("10.1.0.7"), destinationIP: ip("10.2.0.9"),
    destinationPort: 9080)

  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var policies: [AuthorizationPolicy]
    var matches: [DryRunMatch]
    var testDescription: String { says }
  }

  static let table: [Row] = [
    Row(
      says: "nothing without dry runs", policies: [.policy("shop/no", .deny, clauses: [])],
      matches: []),
    Row(
      says: "a deny that matches would deny",
      policies: [.policy("shop/no", .deny, isDryRun: true) { $0.destinationPorts = [9080] }],
      matches: [DryRunMatch(policy: "shop/no", action: .deny, wouldAllow: false)]),
    Row(
      says: "a deny that misses changes nothing",
      policies: [.policy("shop/no", .deny, isDryRun: true) { $0.destinationPorts = [1] }],
      matches: []),
    Row(
      says: "a deny where all is denied already changes nothing",
      policies: [
        .policy("shop/all", .deny, clauses: []),
        .policy("shop/no", .deny, isDryRun: true) { $0.destinationPorts = [9080] },
      ], matches: []),
    Row(
      says: "a first allow that misses would deny",
      policies: [.policy("shop/some", .allow, isDryRun: true) { $0.destinationPorts = [1] }],
      matches: [DryRunMatch(policy: "shop/some", action: .allow, wouldAllow: false)]),
    Row(
      says: "a first allow that matches changes nothing",
      policies: [.policy("shop/some", .allow, isDryRun: true) { $0.destinationPorts = [9080] }],
      matches: []),
    Row(
      says: "an allow that matches would let in",
      policies: [
        .policy("shop/none", .allow, rules: []),
        .policy("shop/some", .allow, isDryRun: true) { $0.destinationPorts = [9080] },
      ],
      matches: [DryRunMatch(policy: "shop/some", action: .allow, wouldAllow: true)]),
  ]

  @Test(arguments: table)
  func `a dry run`(row: Row) {
    let index = MeshIndex(.holding(workloads: [Self.workload], policies: row.policies))
    #expect(Self.facts.dryRunMatches(for: Self.workload, in: index) == row.matches)
  }
}
