import MeshCompiler
import MeshModel
import Testing

/// The mesh with the policy and one pod, `shop/web`, at 10.0.0.1.
private func mesh(_ spec: String) -> Compilation {
  compiled(namespace("shop"), pod("web", labels: "app: web"), policy(spec))
}

@Suite struct `An AuthorizationPolicy means what Istio says` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var spec: String
    /// Connections that must be allowed, then those that must be denied.
    var allowed: [Peer] = []
    var denied: [Peer] = []
    var testDescription: String { says }
  }

  struct Peer: Sendable {
    var source: String?
    var ip: IPAddress = .v4(0x0a00_0063)
    var port: UInt16 = 80

    static let plaintext = Peer()
    static let web = Peer(source: "spiffe://cluster.local/ns/shop/sa/web")
    static let admin = Peer(source: "spiffe://cluster.local/ns/ops/sa/admin")
    static let foreign = Peer(source: "spiffe://other.test/ns/shop/sa/web")

    func at(_ port: UInt16) -> Peer {
      var peer = self
      peer.port = port
      return peer
    }

    func from(_ ip: String) -> Peer {
      var peer = self
      peer.ip = IPAddress(ip) ?? ip4
      return peer
    }

    private var ip4: IPAddress { .v4(0) }
  }

  static let table: [Row] = [
    Row(says: "an empty spec allows nothing", spec: "{}", denied: [.plaintext, .web]),
    Row(says: "ALLOW without rules allows nothing", spec: "action: ALLOW", denied: [.web]),
    Row(
      says: "DENY without rules denies nothing", spec: "action: DENY", allowed: [.plaintext, .web]),
    Row(says: "an empty ALLOW rule allows all", spec: "rules: [{}]", allowed: [.plaintext, .web]),
    Row(
      says: "an empty DENY rule denies all", spec: "action: DENY\nrules: [{}]",
      denied: [.plaintext, .web]),
    Row(
      says: "principals, exact", spec: rule("principals: [cluster.local/ns/shop/sa/web]"),
      allowed: [.web], denied: [.admin, .foreign, .plaintext]),
    Row(
      says: "principals, any", spec: rule("principals: ['*']"), allowed: [.web, .admin, .foreign],
      denied: [.plaintext]),
    Row(
      says: "principals, by prefix", spec: rule("principals: [cluster.local/ns/shop/*]"),
      allowed: [.web], denied: [.admin, .foreign, .plaintext]),
    Row(
      says: "principals, by suffix", spec: rule("principals: ['*/sa/web']"),
      allowed: [.web, .foreign], denied: [.admin, .plaintext]),
    Row(
      says: "notPrincipals, any", spec: rule("notPrincipals: ['*']"), allowed: [.plaintext],
      denied: [.web]),
    Row(
      says: "namespaces, those of its own trust domain", spec: rule("namespaces: [shop]"),
      allowed: [.web], denied: [.admin, .foreign, .plaintext]),
    Row(
      says: "notNamespaces", spec: rule("notNamespaces: [shop]"), allowed: [.admin, .plaintext],
      denied: [.web]),
    Row(
      says: "serviceAccounts of its own namespace", spec: rule("serviceAccounts: [web]"),
      allowed: [.web], denied: [.admin, .foreign, .plaintext]),
    Row(
      says: "serviceAccounts of another", spec: rule("serviceAccounts: [ops/admin]"),
      allowed: [.admin], denied: [.web, .plaintext]),
    Row(
      says: "notServiceAccounts", spec: rule("notServiceAccounts: [web]"),
      allowed: [.admin, .plaintext], denied: [.web]),
    Row(
      says: "ipBlocks", spec: rule("ipBlocks: [10.1.0.0/16, 192.0.2.7, 'fd00::/8']"),
      allowed: [.web.from("10.1.2.3"), .plaintext.from("192.0.2.7"), .web.from("fd12::1")],
      denied: [.web.from("10.2.0.1"), .web.from("192.0.2.8"), .web.from("fe80::1")]),
    Row(
      says: "notIpBlocks", spec: rule("notIpBlocks: [10.1.0.0/16]"),
      allowed: [.web.from("10.2.0.1")], denied: [.web.from("10.1.0.1")]),
    Row(
      says: "remoteIpBlocks as the source's own address",
      spec: rule("remoteIpBlocks: [10.1.0.0/16]"),
      allowed: [.web.from("10.1.0.1")], denied: [.web.from("10.2.0.1")]),
    Row(
      says: "notRemoteIpBlocks too", spec: rule("notRemoteIpBlocks: [10.1.0.0/16]"),
      allowed: [.web.from("10.2.0.1")], denied: [.web.from("10.1.0.1")]),
    Row(
      says: "ipBlocks and remoteIpBlocks together, both",
      spec: rule("ipBlocks: [10.1.0.0/16], remoteIpBlocks: [10.1.2.0/24, 10.9.0.0/16]"),
      allowed: [.web.from("10.1.2.1")], denied: [.web.from("10.1.1.1"), .web.from("10.9.0.1")]),
    Row(
      says: "ipBlocks and remoteIpBlocks apart, nobody",
      spec: rule("ipBlocks: [10.1.0.0/16], remoteIpBlocks: [10.2.0.0/16]"),
      denied: [.web.from("10.1.0.1"), .web.from("10.2.0.1")]),
    Row(
      says: "fields of one source together",
      spec: rule("namespaces: [shop], ipBlocks: [10.1.0.0/16]"),
      allowed: [.web.from("10.1.0.1")], denied: [.web, .admin.from("10.1.0.1")]),
    Row(
      says: "one of two sources",
      spec: "rules: [{from: [{source: {namespaces: [ops]}}, {source: {ipBlocks: [10.1.0.0/16]}}]}]",
      allowed: [.admin, .plaintext.from("10.1.0.1")], denied: [.web]),
    Row(
      says: "ports", spec: "rules: [{to: [{operation: {ports: ['80', '443']}}]}]",
      allowed: [.plaintext, .web.at(443)], denied: [.web.at(8080)]),
    Row(
      says: "notPorts", spec: "rules: [{to: [{operation: {notPorts: ['80']}}]}]",
      allowed: [.web.at(8080)], denied: [.web]),
    Row(
      says: "from and to together",
      spec: "rules: [{from: [{source: {namespaces: [shop]}}], to: [{operation: {ports: ['80']}}]}]",
      allowed: [.web], denied: [.web.at(81), .admin]),
    Row(
      says: "one of two rules",
      spec:
        "rules: [{from: [{source: {namespaces: [shop]}}]}, {to: [{operation: {ports: ['81']}}]}]",
      allowed: [.web, .admin.at(81)], denied: [.admin]),
    Row(
      says: "when source.ip", spec: when("source.ip", "10.1.0.0/16"),
      allowed: [.web.from("10.1.0.1")], denied: [.web]),
    Row(
      says: "when remote.ip, as the source's own address", spec: when("remote.ip", "10.1.0.0/16"),
      allowed: [.web.from("10.1.0.1")], denied: [.web]),
    Row(
      says: "when source.namespace", spec: when("source.namespace", "sh*"), allowed: [.web],
      denied: [.admin, .plaintext]),
    Row(
      says: "when source.principal", spec: when("source.principal", "'*/admin'"),
      allowed: [.admin], denied: [.web]),
    Row(
      says: "when destination.ip", spec: when("destination.ip", "10.0.0.0/24"), allowed: [.web]),
    Row(
      says: "when another destination.ip", spec: when("destination.ip", "10.0.1.0/24"),
      denied: [.web]),
    Row(
      says: "when destination.port", spec: when("destination.port", "'80'"), allowed: [.web],
      denied: [.web.at(81)]),
    Row(
      says: "when with notValues",
      spec: "rules: [{when: [{key: source.namespace, notValues: [ops]}]}]", allowed: [.web],
      denied: [.admin]),
    Row(
      says: "when with values and notValues",
      spec: "rules: [{when: [{key: source.namespace, values: ['*'], notValues: [ops]}]}]",
      allowed: [.web], denied: [.admin, .plaintext]),
    Row(
      says: "every condition of a rule",
      spec: """
        rules: [{when: [{key: source.namespace, values: [shop]},
          {key: destination.port, values: ['80']}]}]
        """, allowed: [.web], denied: [.web.at(81), .admin]),
    Row(
      says: "a DENY with a source", spec: "action: DENY\n" + rule("namespaces: [shop]"),
      allowed: [.admin, .plaintext], denied: [.web]),
  ]

  private static func rule(_ source: String) -> String {
    "rules: [{from: [{source: {\(source)}}]}]"
  }

  private static func when(_ key: String, _ value: String) -> String {
    "rules: [{when: [{key: \(key), values: [\(value)]}]}]"
  }

  @Test(arguments: table) func `matches`(row: Row) throws {
    let compilation = mesh(row.spec)
    #expect(!compilation.hasErrors)
    #expect(compilation.findings(.refusal) == [])
    for peer in row.allowed {
      let isAllowed = try compilation.allows(
        to: "shop/web", port: peer.port, from: peer.source, sourceIP: peer.ip)
      #expect(isAllowed, "\(peer)")
    }
    for peer in row.denied {
      let isAllowed = try compilation.allows(
        to: "shop/web", port: peer.port, from: peer.source, sourceIP: peer.ip)
      #expect(!isAllowed, "\(peer)")
    }
  }

  @Test func `a dry run is compiled and marked`() throws {
    for (value, expected) in [("\"true\"", true), ("\"false\"", false)] {
      let compilation = compiled(
        namespace("shop"), pod("web"),
        policy("action: DENY\nrules: [{}]", annotations: "istio.io/dry-run: \(value)"))
      #expect(compilation.model.policies.values.map(\.isDryRun) == [expected])
      #expect(try compilation.allows(to: "shop/web", from: web) == expected)
    }
  }
}

@Suite struct `A policy applies where it says` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var namespace: String
    var selector = ""
    var scope: AuthorizationPolicy.Scope
    var denied: [String]
    var testDescription: String { says }
  }

  static let all = ["shop/web", "shop/db", "ops/web"]

  @Test(arguments: [
    Row(
      says: "in its namespace", namespace: "shop", scope: .namespace,
      denied: ["shop/web", "shop/db"]),
    Row(
      says: "on the pods it selects", namespace: "shop",
      selector: "selector: {matchLabels: {app: web}}", scope: .workloadSelector,
      denied: ["shop/web"]),
    Row(
      says: "in its namespace with an empty selector", namespace: "shop",
      selector: "selector: {}", scope: .namespace, denied: ["shop/web", "shop/db"]),
    Row(
      says: "in the mesh, from the root namespace", namespace: "istio-system", scope: .global,
      denied: all),
    Row(
      says: "on the pods it selects in every namespace, from the root namespace",
      namespace: "istio-system", selector: "selector: {matchLabels: {app: web}}",
      scope: .workloadSelector, denied: ["shop/web", "ops/web"]),
  ])
  func `namely`(row: Row) throws {
    let mesh = compiled(
      namespace("shop"), namespace("ops"), pod("web", labels: "app: web", ip: "10.0.0.1"),
      pod("db", labels: "app: db", ip: "10.0.0.2"),
      pod("web", in: "ops", labels: "app: web", ip: "10.0.0.3"),
      policy("action: DENY\n\(row.selector)\nrules: [{}]", in: row.namespace))
    #expect(mesh.findings == [])
    #expect(mesh.model.policies.values.map(\.scope) == [row.scope])
    for name in Self.all {
      #expect(try mesh.allows(to: name, from: web) == !row.denied.contains(name), "\(name)")
    }
  }

  @Test func `a policy nobody feels is said to be felt by nobody`() {
    let mesh = compiled(
      namespace("shop", labels: ""), namespace("empty"), pod("web", labels: "app: web"),
      policy("selector: {matchLabels: {app: x}}", named: "a"),
      policy("{}", named: "b", in: "empty"),
      policy("selector: {matchLabels: {app: web}}", named: "c"))
    #expect(
      mesh.remarks(.warning) == [
        "AuthorizationPolicy shop/a, spec.selector: applies to nothing: "
          + "no pod has the labels it selects",
        "AuthorizationPolicy empty/b: applies to nothing: no pod is in its scope",
        "AuthorizationPolicy shop/c: enforced nowhere: no pod it applies to is enrolled",
      ])
  }
}

@Suite struct `What ztunnel cannot enforce is refused loudly and never weakens` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var spec: String
    var finding: String
    /// Whether identity `shop/web` passes on port 80, and `ops/admin` on port 81.
    var passes: (Bool, Bool)
    var testDescription: String { says }
  }

  static let leftOut = "the rule is left out: what only it allows is denied"
  static let deniesMore = "the rule denies whatever its other conditions select"

  @Test(arguments: [
    Row(
      says: "an ALLOW rule with methods allows nobody",
      spec: "rules: [{to: [{operation: {methods: [GET], ports: ['80']}}]}]",
      finding: "spec.rules[0]: to[0].operation.methods needs HTTP, and no waypoint enforces it; "
        + leftOut, passes: (false, false)),
    Row(
      says: "its neighbour still allows",
      spec: "rules: [{to: [{operation: {paths: [/a]}}]}, {to: [{operation: {ports: ['81']}}]}]",
      finding: "spec.rules[0]: to[0].operation.paths needs HTTP, and no waypoint enforces it; "
        + leftOut, passes: (false, true)),
    Row(
      says: "an ALLOW rule with request principals",
      spec: "rules: [{from: [{source: {requestPrincipals: ['*'], namespaces: [shop]}}]}]",
      finding: "spec.rules[0]: from[0].source.requestPrincipals needs HTTP, "
        + "and no waypoint enforces it; \(leftOut)", passes: (false, false)),
    Row(
      says: "an ALLOW rule with a header",
      spec: "rules: [{when: [{key: 'request.headers[x]', values: [v]}]}]",
      finding:
        "spec.rules[0]: when[0] (request.headers[x]) needs HTTP, and no waypoint enforces it; "
        + leftOut,
      passes: (false, false)),
    Row(
      says: "a DENY keeps its L4 part",
      spec: "action: DENY\nrules: [{to: [{operation: {methods: [GET], ports: ['80']}}]}]",
      finding: "spec.rules[0]: to[0].operation.methods needs HTTP, and no waypoint enforces it; "
        + deniesMore, passes: (false, true)),
    Row(
      says: "a DENY keeps its other clauses",
      spec: """
        action: DENY
        rules: [{from: [{source: {namespaces: [shop]}}], to: [{operation: {hosts: [a]}}]}]
        """,
      finding: "spec.rules[0]: to[0].operation.hosts needs HTTP, and no waypoint enforces it; "
        + deniesMore, passes: (false, true)),
    Row(
      says: "a DENY with nothing but HTTP denies all",
      spec: "action: DENY\nrules: [{to: [{operation: {notMethods: [GET], notPaths: [/a]}}]}]",
      finding: "spec.rules[0]: to[0].operation.notMethods or to[0].operation.notPaths needs HTTP, "
        + "and no waypoint enforces it; \(deniesMore)", passes: (false, false)),
    Row(
      says: "a DENY with one operation of HTTP and one of ports denies all ports",
      spec: """
        action: DENY
        rules: [{to: [{operation: {methods: [GET]}}, {operation: {ports: ['80']}}]}]
        """,
      finding: "spec.rules[0]: to[0].operation.methods needs HTTP, and no waypoint enforces it; "
        + deniesMore, passes: (false, false)),
    Row(
      says: "a DENY with a claim denies all",
      spec: "action: DENY\nrules: [{when: [{key: 'request.auth.claims[iss]', values: [x]}]}]",
      finding: "spec.rules[0]: when[0] (request.auth.claims[iss]) needs HTTP, "
        + "and no waypoint enforces it; \(deniesMore)",
      passes: (false, false)),
    Row(
      says: "CUSTOM denies what it selects",
      spec: """
        action: CUSTOM
        provider: {name: ext}
        rules: [{to: [{operation: {ports: ['80']}}]}]
        """,
      finding: "spec.action: there is no external authorizer to ask; "
        + "what the rules select is denied", passes: (false, true)),
    Row(
      says: "a waypoint's policy for a service counts for all its workloads' traffic",
      spec: """
        action: DENY
        targetRefs: [{kind: Service, group: '', name: web}]
        rules: [{to: [{operation: {ports: ['80']}}]}]
        """,
      finding: "spec.targetRefs[0]: no waypoint enforces this; the policy's L4 part applies to all "
        + "traffic of the workloads of service \"web\"", passes: (false, true)),
  ])
  func `so that`(row: Row) throws {
    let mesh = compiled(
      namespace("shop"), pod("web", labels: "app: web"),
      service("web", "clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]"),
      policy(row.spec))
    #expect(!mesh.hasErrors)
    let about = "AuthorizationPolicy shop/p, \(row.finding)"
    #expect(mesh.remarks(.refusal) == [about])
    #expect(try mesh.allows(to: "shop/web", port: 80, from: web) == row.passes.0)
    #expect(
      try mesh.allows(to: "shop/web", port: 81, from: "spiffe://cluster.local/ns/ops/sa/admin")
        == row.passes.1)
  }

  @Test func `AUDIT neither allows nor denies, and says so`() throws {
    let mesh = mesh("action: AUDIT\nrules: [{to: [{operation: {methods: [GET]}}]}]")
    #expect(mesh.model.policies.isEmpty)
    #expect(mesh.findings(.warning).count == 2)
    #expect(try mesh.allows(to: "shop/web", from: nil))
  }

  @Test func `remoteIpBlocks says what it is compared with`() {
    #expect(
      mesh("rules: [{from: [{source: {remoteIpBlocks: [10.0.0.0/8]}}]}]").findings == [
        "mesh.yaml:18: warning: document 3, AuthorizationPolicy shop/p, "
          + "spec.rules[0].from[0].source.remoteIpBlocks: compared with the connection's own source "
          + "address; a proxy's X-Forwarded-For is not seen"
      ])
  }
}
