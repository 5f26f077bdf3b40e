import MeshCompiler
import MeshModel
import Testing

@Suite struct `PeerAuthentication: workload before namespace before mesh` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var mesh: String?
    var namespace: String?
    var workload: String?
    var ports = ""
    /// Whether plaintext may reach port 80, and port 443.
    var plaintext: (Bool, Bool)
    /// Names of the attached policies.
    var attached: [String] = []
    var testDescription: String { says }
  }

  private static let strict = ["istio-system/istio_converted_static_strict"]
  private static let own = ["shop/converted_peer_authentication_own"]

  static let table: [Row] = [
    Row(says: "nothing said: both ways", plaintext: (true, true)),
    Row(says: "mesh STRICT", mesh: "STRICT", plaintext: (false, false), attached: strict),
    Row(says: "mesh PERMISSIVE", mesh: "PERMISSIVE", plaintext: (true, true)),
    Row(says: "mesh DISABLE is permissive", mesh: "DISABLE", plaintext: (true, true)),
    Row(says: "mesh UNSET is permissive", mesh: "UNSET", plaintext: (true, true)),
    Row(says: "namespace STRICT", namespace: "STRICT", plaintext: (false, false), attached: strict),
    Row(
      says: "namespace PERMISSIVE beats mesh STRICT", mesh: "STRICT", namespace: "PERMISSIVE",
      plaintext: (true, true)),
    Row(
      says: "namespace DISABLE beats mesh STRICT", mesh: "STRICT", namespace: "DISABLE",
      plaintext: (true, true)),
    Row(
      says: "namespace STRICT beats mesh PERMISSIVE", mesh: "PERMISSIVE", namespace: "STRICT",
      plaintext: (false, false), attached: strict),
    Row(
      says: "namespace UNSET inherits mesh STRICT", mesh: "STRICT", namespace: "UNSET",
      plaintext: (false, false), attached: strict),
    Row(
      says: "workload STRICT", workload: "STRICT", plaintext: (false, false), attached: strict),
    Row(
      says: "workload STRICT beats namespace PERMISSIVE", namespace: "PERMISSIVE",
      workload: "STRICT", plaintext: (false, false), attached: strict),
    Row(
      says: "workload PERMISSIVE beats namespace and mesh STRICT", mesh: "STRICT",
      namespace: "STRICT", workload: "PERMISSIVE", plaintext: (true, true)),
    Row(
      says: "workload DISABLE beats namespace STRICT", namespace: "STRICT", workload: "DISABLE",
      plaintext: (true, true)),
    Row(
      says: "workload UNSET inherits namespace STRICT", namespace: "STRICT", workload: "UNSET",
      plaintext: (false, false), attached: strict),
    Row(
      says: "workload UNSET inherits mesh STRICT through namespace UNSET", mesh: "STRICT",
      namespace: "UNSET", workload: "UNSET", plaintext: (false, false), attached: strict),
    Row(
      says: "a STRICT port of a permissive workload", workload: "PERMISSIVE",
      ports: "443: {mode: STRICT}", plaintext: (true, false), attached: own),
    Row(
      says: "a STRICT port without any default", workload: "UNSET", ports: "443: {mode: STRICT}",
      plaintext: (true, false), attached: own),
    Row(
      says: "a PERMISSIVE port of a strict workload", workload: "STRICT",
      ports: "443: {mode: PERMISSIVE}", plaintext: (false, true), attached: own),
    Row(
      says: "a DISABLE port of a strict workload is permissive", workload: "STRICT",
      ports: "443: {mode: DISABLE}", plaintext: (false, true), attached: own),
    Row(
      says: "a PERMISSIVE port under an inherited STRICT", mesh: "STRICT", workload: "UNSET",
      ports: "443: {mode: PERMISSIVE}", plaintext: (false, true), attached: own),
    Row(
      says: "an UNSET port inherits from its workload", workload: "STRICT",
      ports: "443: {mode: UNSET}", plaintext: (false, false), attached: strict),
    Row(
      says: "both kinds of port under STRICT", workload: "STRICT",
      ports: "80: {mode: STRICT}, 443: {mode: PERMISSIVE}", plaintext: (false, true),
      attached: own),
    Row(
      says: "a PERMISSIVE port of a permissive workload changes nothing", workload: "PERMISSIVE",
      ports: "443: {mode: PERMISSIVE}", plaintext: (true, true)),
    Row(
      says: "a STRICT port of a strict workload changes nothing", workload: "STRICT",
      ports: "443: {mode: STRICT}", plaintext: (false, false), attached: strict),
  ]

  @Test(arguments: table) func `decides`(row: Row) throws {
    var manifests = [namespace("shop"), namespace("istio-system"), pod("web", labels: "app: web")]
    if let mode = row.mesh {
      manifests.append(peerAuthentication("all", in: "istio-system", "mtls: {mode: \(mode)}"))
    }
    if let mode = row.namespace {
      manifests.append(peerAuthentication("default", in: "shop", "mtls: {mode: \(mode)}"))
    }
    if let mode = row.workload {
      let ports = row.ports.isEmpty ? "" : ", portLevelMtls: {\(row.ports)}"
      manifests.append(
        peerAuthentication(
          "own", in: "shop",
          "selector: {matchLabels: {app: web}}, mtls: {mode: \(mode)}\(ports)"))
    }
    let mesh = compiled(manifests.joined(separator: "\n---\n"))
    #expect(mesh.findings == [])
    #expect(mesh.workload("shop/web")?.authorizationPolicies.map(\.description) == row.attached)
    #expect(try mesh.allows(to: "shop/web", port: 80, from: nil) == row.plaintext.0)
    #expect(try mesh.allows(to: "shop/web", port: 443, from: nil) == row.plaintext.1)
    #expect(try mesh.allows(to: "shop/web", port: 80, from: web))
    #expect(try mesh.allows(to: "shop/web", port: 443, from: web))
  }

  struct Tie: CustomTestStringConvertible {
    var says: String
    var strict: (name: String, created: String?)
    var permissive: (name: String, created: String?)
    var isStrict: Bool
    var testDescription: String { says }
  }

  @Test(arguments: [
    Tie(
      says: "the older, though second by name", strict: ("b", "2026-01-01T00:00:00Z"),
      permissive: ("a", "2026-01-01T00:00:01Z"), isStrict: true),
    Tie(
      says: "the older, in another time zone", strict: ("b", "2026-01-01T01:00:00+02:00"),
      permissive: ("a", "2026-01-01T00:00:00Z"), isStrict: true),
    Tie(
      says: "the first by name of two of one age", strict: ("b", "2026-01-01T00:00:00Z"),
      permissive: ("a", "2026-01-01T00:00:00Z"), isStrict: false),
    Tie(
      says: "the first by name without ages", strict: ("a", nil), permissive: ("b", nil),
      isStrict: true),
    Tie(
      says: "the one without an age, as older than any", strict: ("b", nil),
      permissive: ("a", "2026-01-01T00:00:00Z"), isStrict: true),
  ])
  func `of two on one level wins`(row: Tie) throws {
    for (namespace, selector) in [
      ("istio-system", ""), ("shop", ""), ("shop", "selector: {matchLabels: {app: web}},"),
    ] {
      let mesh = compiled(
        MeshCompilerTests.namespace("shop"), pod("web", labels: "app: web"),
        peerAuthentication(
          row.strict.name, in: namespace, created: row.strict.created,
          "\(selector) mtls: {mode: STRICT}"),
        peerAuthentication(
          row.permissive.name, in: namespace, created: row.permissive.created,
          "\(selector) mtls: {mode: PERMISSIVE}"))
      #expect(!mesh.hasErrors)
      #expect(try mesh.allows(to: "shop/web", from: nil) == !row.isStrict)
    }
  }

  @Test func `STRICT is the policy that istiod writes`() {
    let mesh = compiled(
      namespace("shop"), pod("web", labels: "app: web"),
      peerAuthentication(
        "own", in: "shop",
        """
        selector: {matchLabels: {app: web}}, mtls: {mode: STRICT},
        portLevelMtls: {80: {mode: PERMISSIVE}, 81: {mode: DISABLE}, 443: {mode: STRICT}}
        """))
    var plaintext = AuthorizationPolicy.Match()
    plaintext.notPrincipals = [.presence]
    var onPort = plaintext
    onPort.destinationPorts = [443]
    var others = AuthorizationPolicy.Match()
    others.notDestinationPorts = [80, 81]
    let strict = PolicyKey(namespace: "istio-system", name: "istio_converted_static_strict")
    let own = PolicyKey(namespace: "shop", name: "converted_peer_authentication_own")
    #expect(
      mesh.model.policies == [
        strict: AuthorizationPolicy(
          key: strict, scope: .workloadSelector, action: .deny,
          rules: [.init(clauses: [.init(matches: [plaintext])])]),
        own: AuthorizationPolicy(
          key: own, scope: .workloadSelector, action: .deny,
          rules: [
            .init(clauses: [.init(matches: [onPort])]),
            .init(clauses: [.init(matches: [plaintext]), .init(matches: [others])]),
          ]),
      ])
  }

  @Test func `one in the root namespace with a selector is for that namespace alone`() throws {
    let mesh = compiled(
      namespace("shop"), namespace("istio-system"), pod("web", labels: "app: web"),
      pod("gw", in: "istio-system", labels: "app: web", ip: "10.0.0.2"),
      peerAuthentication(
        "p", in: "istio-system", "selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}"))
    #expect(try mesh.allows(to: "shop/web", from: nil))
    #expect(try !mesh.allows(to: "istio-system/gw", from: nil))
  }

  @Test func `one in the root namespace with a selector weakens nothing, as in Istio`() throws {
    let mesh = compiled(
      namespace("istio-system"), pod("gw", in: "istio-system", labels: "app: web"),
      peerAuthentication("all", in: "istio-system", "mtls: {mode: STRICT}"),
      peerAuthentication(
        "p", in: "istio-system",
        "selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}, "
          + "portLevelMtls: {80: {mode: DISABLE}}"))
    #expect(try !mesh.allows(to: "istio-system/gw", from: nil))
    #expect(mesh.diagnostics.contains { $0.code == .ignored && $0.message.contains("plaintext") })
  }

  @Test func `one that has no effect is said to have none`() {
    let mesh = compiled(
      namespace("shop"), pod("web"), peerAuthentication("a", in: "shop", "mtls: {mode: STRICT}"),
      peerAuthentication("b", in: "shop", "mtls: {mode: PERMISSIVE}"),
      peerAuthentication("c", in: "shop", "selector: {matchLabels: {app: x}}"))
    #expect(
      mesh.findings == [
        "mesh.yaml:19: warning: document 4, PeerAuthentication shop/b: without effect: "
          + "PeerAuthentication shop/a at mesh.yaml:14 is older, or equally old and first by name",
        "mesh.yaml:24: warning: document 5, PeerAuthentication shop/c, spec.selector: "
          + "applies to nothing: no pod has the labels it selects",
      ])
  }
}
