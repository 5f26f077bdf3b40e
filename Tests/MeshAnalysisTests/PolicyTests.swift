import MeshAnalysis
import Testing

@Suite struct `Of policies the analysis says` {
  static let reach: [Row] = [
    Row(says: "nothing of a healthy mesh", adds: []),
    Row(
      says: "a selector that no pod answers", adds: [policy("selector: {matchLabels: {app: wep}}")],
      finds: ["SKN0101 AuthorizationPolicy shop/p spec.selector"], words: ["--show-labels"]),
    Row(
      says: "the same of a PeerAuthentication",
      adds: [peerAuthentication("pa", "selector: {matchLabels: {app: wep}}")],
      finds: ["SKN0101 PeerAuthentication shop/pa spec.selector"]),
    Row(
      says: "nothing of one that a pod answers",
      adds: [policy("selector: {matchLabels: {app: web}}")]),
    Row(
      says: "nothing of one of the root namespace that a pod anywhere answers",
      adds: [policy("selector: {matchLabels: {app: teller}}", in: "istio-system")]),
    Row(
      says: "that nobody enforces it outside the mesh",
      adds: [policy("action: ALLOW", in: "old")],
      finds: ["SKN0102 AuthorizationPolicy old/p"],
      words: ["label namespace old istio.io/dataplane-mode=ambient"]),
    Row(
      says: "that HTTP fields are not enforced, in the compiler's words",
      adds: [policy("rules: [{to: [{operation: {methods: [GET]}}]}]")],
      finds: ["SKN0103 AuthorizationPolicy shop/p spec.rules[0]"]),
    Row(
      says: "a target that is not there",
      adds: [policy("targetRefs: [{kind: Service, group: \"\", name: wbe}]")],
      finds: ["SKN0104 AuthorizationPolicy shop/p spec.targetRefs[0]"], words: ["did you mean web?"]
    ),
    Row(
      says: "that tokens are looked at by waypoints alone",
      adds: [object("RequestAuthentication", "security.istio.io/v1", "jwt", "spec: {}")],
      finds: ["SKN0116 RequestAuthentication shop/jwt"]),
  ]

  static let callers: [Row] = [
    Row(
      says: "a namespace that does not exist",
      adds: [policy("rules: [{from: [{source: {namespaces: [bnak]}}]}]")],
      finds: ["SKN0105 AuthorizationPolicy shop/p spec.rules[0].from[0].source.namespaces[0]"],
      words: ["did you mean bank?"]),
    Row(
      says: "a pattern of namespaces that takes none, in a condition",
      adds: [policy("rules: [{when: [{key: source.namespace, values: [\"x-*\"]}]}]")],
      finds: ["SKN0105 AuthorizationPolicy shop/p spec.rules[0].when[0].values[0]"]),
    Row(
      says: "an account that does not exist",
      adds: [
        policy(#"rules: [{from: [{source: {principals: ["cluster.local/ns/bank/sa/telle"]}}]}]"#)
      ],
      finds: ["SKN0106 AuthorizationPolicy shop/p spec.rules[0].from[0].source.principals[0]"],
      words: ["did you mean teller?"]),
    Row(
      says: "the same of a service account, and of one that is excluded",
      adds: [
        policy(
          "rules: [{from: [{source: {serviceAccounts: [wob], notServiceAccounts: [bank/x]}}]}]")
      ],
      finds: [
        "SKN0106 AuthorizationPolicy shop/p spec.rules[0].from[0].source.serviceAccounts[0]",
        "SKN0106 AuthorizationPolicy shop/p spec.rules[0].from[0].source.notServiceAccounts[0]",
      ]),
    Row(
      says: "a pattern that takes no account, at either end",
      adds: [
        policy(
          "rules: [{from: [{source: {principals: "
            + #"["*/sa/nobody", "cluster.local/ns/shop/sa/x*"]}}]}]"#
        )
      ],
      finds: [
        "SKN0106 AuthorizationPolicy shop/p spec.rules[0].from[0].source.principals[0]",
        "SKN0106 AuthorizationPolicy shop/p spec.rules[0].from[0].source.principals[1]",
      ]),
    Row(
      says: "what is no principal at all",
      adds: [policy("rules: [{from: [{source: {principals: [web]}}]}]")],
      finds: ["SKN0106 AuthorizationPolicy shop/p spec.rules[0].from[0].source.principals[0]"]),
    Row(
      says: "nothing of patterns that take somebody",
      adds: [
        policy(
          "rules: [{from: [{source: {principals: "
            + #"["*/sa/teller", "cluster.local/ns/bank/*", "*"]}}]}]"#
        )
      ]),
    Row(
      says: "another trust domain",
      adds: [policy(#"rules: [{from: [{source: {principals: ["td/ns/bank/sa/teller"]}}]}]"#)],
      finds: ["SKN0107 AuthorizationPolicy shop/p spec.rules[0].from[0].source.principals[0]"],
      words: ["cluster.local/ns/bank/sa/teller"]),
    Row(
      says: "nothing of a federated domain that a pod is of",
      adds: [
        policy(#"rules: [{from: [{source: {principals: ["td/ns/bank/sa/teller"]}}]}]"#),
        pod("far", metadata: "annotations: {skein.dev/trust-domain: td}"),
      ]),
    Row(
      says: "a namespace that is let in and has no identity",
      adds: [policy("rules: [{from: [{source: {namespaces: [old]}}]}]")],
      finds: ["SKN0114 AuthorizationPolicy shop/p spec.rules[0].from[0].source.namespaces[0]"],
      words: ["label namespace old"]),
    Row(
      says: "an account that is let in and has no identity",
      adds: [policy("rules: [{from: [{source: {serviceAccounts: [old/cron]}}]}]")],
      finds: [
        "SKN0114 AuthorizationPolicy shop/p spec.rules[0].from[0].source.serviceAccounts[0]"
      ]),
  ]

  static let meanings: [Row] = [
    Row(
      says: "a rule that takes back what it says",
      adds: [policy("rules: [{from: [{source: {namespaces: [bank], notNamespaces: [bank]}}]}]")],
      finds: ["SKN0108 AuthorizationPolicy shop/p spec.rules[0].from[0].source"]),
    Row(
      says: "the same of ports and conditions",
      adds: [
        policy(
          #"action: DENY, rules: [{to: [{operation: {ports: ["8080"], notPorts: ["8080"]}}], "#
            + #"when: [{key: source.ip, values: [10.0.0.1], notValues: [10.0.0.1]}]}]"#)
      ],
      finds: [
        "SKN0108 AuthorizationPolicy shop/p spec.rules[0].to[0].operation",
        "SKN0108 AuthorizationPolicy shop/p spec.rules[0].when[0]",
      ]),
    Row(
      says: "a port that no container declares, and that it is the service's",
      adds: [
        policy(
          #"selector: {matchLabels: {app: web}}, rules: [{to: [{operation: {ports: ["80"]}}]}]"#)
      ],
      finds: ["SKN0109 AuthorizationPolicy shop/p spec.rules[0].to[0].operation.ports[0]"],
      words: ["a service's port", "8080"]),
    Row(
      says: "the same of a PeerAuthentication",
      adds: [
        peerAuthentication(
          "pa", "selector: {matchLabels: {app: web}}, portLevelMtls: {\"80\": {mode: STRICT}}")
      ],
      finds: [#"SKN0109 PeerAuthentication shop/pa spec.portLevelMtls["80"]"#]),
    Row(
      says: "a DENY that takes everything", adds: [policy("action: DENY, rules: [{}]")],
      finds: ["SKN0110 AuthorizationPolicy shop/p spec.rules[0]"], words: ["2 pods", "kubelet"]),
    Row(
      says: "two PeerAuthentications for all of a namespace",
      adds: [
        peerAuthentication("a", created: "2026-01-02T00:00:00Z", "mtls: {mode: STRICT}"),
        peerAuthentication("b", "mtls: {mode: PERMISSIVE}"),
      ],
      finds: ["SKN0111 PeerAuthentication shop/a"], words: ["shop/b"]),
    Row(
      says: "two that select one pod",
      adds: [
        peerAuthentication("a", "selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}"),
        peerAuthentication("b", "selector: {matchLabels: {app: web}}, mtls: {mode: PERMISSIVE}"),
      ],
      finds: ["SKN0112 PeerAuthentication shop/b spec.selector"], words: ["shop/a", "web"]),
    Row(
      says: "STRICT beside pods that are not in the mesh",
      adds: [
        peerAuthentication("pa", "mtls: {mode: STRICT}"),
        pod("out", labels: "istio.io/dataplane-mode: none"),
      ],
      finds: ["SKN0113 PeerAuthentication shop/pa spec.mtls.mode"],
      words: ["1 pod of shop", "out"]),
    Row(
      says: "nothing where the namespace is PERMISSIVE under a STRICT mesh",
      adds: [
        peerAuthentication("all", in: "istio-system", "mtls: {mode: STRICT}"),
        peerAuthentication("pa", "mtls: {mode: PERMISSIVE}"),
        pod("out", labels: "istio.io/dataplane-mode: none"),
      ]),
    Row(
      says: "that DISABLE is PERMISSIVE", adds: [peerAuthentication("pa", "mtls: {mode: DISABLE}")],
      finds: ["SKN0115 PeerAuthentication shop/pa spec.mtls.mode"]),
  ]

  @Test(arguments: reach + callers + meanings) func `what nobody meant:`(row: Row) { row.check() }
}
