import MeshAnalysis
import MeshCompiler
import Testing

@Suite struct `Of enrolment the analysis says` {
  static let labels: [Row] = [
    Row(
      says: "what to use for the label of the guides",
      adds: [namespace("guide", labels: "istio-injection: enabled")],
      finds: [#"SKN0501 Namespace guide metadata.labels["istio-injection"]"#],
      words: ["label namespace guide istio.io/dataplane-mode=ambient istio-injection-"]),
    Row(
      says: "pods that use the node's network", adds: [pod("net", spec: "hostNetwork: true, ")],
      finds: ["SKN0502 Pod shop/net spec.hostNetwork"]),
    Row(
      says: "pods that have a sidecar", adds: [pod("s", containers: ", {name: istio-proxy}")],
      finds: ["SKN0503 Pod shop/s spec.containers[1]"]),
    Row(
      says: "the same of a native sidecar",
      adds: [pod("s", spec: "initContainers: [{name: istio-proxy, restartPolicy: Always}], ")],
      finds: ["SKN0503 Pod shop/s spec.initContainers[0]"]),
    Row(
      says: "nothing of a gateway, whose proxy is its application",
      adds: [
        object(
          "Pod", "v1", "edge",
          "spec: {containers: [{name: istio-proxy}]}, status: {podIPs: [{ip: 10.9.9.9}]}")
      ]),
    Row(
      says: "labels that contradict each other",
      adds: [
        namespace("both", labels: "istio-injection: enabled, istio.io/dataplane-mode: ambient"),
        pod("b", labels: "istio.io/dataplane-mode: ambient, sidecar.istio.io/inject: \"true\""),
      ],
      finds: [
        #"SKN0504 Namespace both metadata.labels["istio-injection"]"#,
        #"SKN0504 Pod shop/b metadata.labels["sidecar.istio.io/inject"]"#,
      ]),
    Row(
      says: "a mode and a label that are misspelt",
      adds: [
        namespace("wrong", labels: "istio.io/dataplane-mode: ambiant"),
        namespace("worse", labels: "istio.io/data-plane-mode: ambient"),
      ],
      finds: [
        #"SKN0505 Namespace wrong metadata.labels["istio.io/dataplane-mode"]"#,
        #"SKN0505 Namespace worse metadata.labels["istio.io/data-plane-mode"]"#,
      ]),
    Row(
      says: "a waypoint that is not there, of a namespace and of a service",
      adds: [
        namespace("w", labels: "istio.io/use-waypoint: way"),
        service(
          "x", labels: "istio.io/use-waypoint: way, istio.io/use-waypoint-namespace: bank",
          ip: "10.96.1.1", selector: "app: web"),
      ],
      finds: [
        #"SKN0506 Namespace w metadata.labels["istio.io/use-waypoint"]"#,
        #"SKN0506 Service shop/x metadata.labels["istio.io/use-waypoint"]"#,
        "SKN0403 Service shop/x",
      ].filter { !$0.hasPrefix("SKN0403") }),
    Row(
      says: "a Gateway that is no waypoint",
      adds: [
        gateway("edge", className: "other", listeners: "{name: h, port: 80, protocol: HTTP}"),
        service("x", labels: "istio.io/use-waypoint: edge", ip: "10.96.1.1", selector: "app: web"),
      ],
      finds: [
        #"SKN0506 Service shop/x metadata.labels["istio.io/use-waypoint"]"#,
        "SKN0004 Gateway shop/edge spec.gatewayClassName",
      ]),
  ]

  static let network: [Row] = [
    Row(
      says: "the rule to add where a policy lets in the application's port alone",
      adds: [
        networkPolicy(
          "np", "podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: 8080}]}]")
      ],
      finds: ["SKN0601 NetworkPolicy shop/np spec.ingress[0].ports"],
      words: [
        "1 enrolled pod", "kubectl -n shop patch networkpolicy np",
        #""path":"/spec/ingress/0/ports/-","value":{"protocol":"TCP","port":15008}"#,
      ]),
    Row(
      says: "nothing where a range holds the tunnel's port",
      adds: [
        networkPolicy("np", "podSelector: {}, ingress: [{ports: [{port: 8000, endPort: 16000}]}]")
      ]),
    Row(
      says: "nothing where another policy lets everybody to it",
      adds: [
        networkPolicy("np", "podSelector: {}, ingress: [{ports: [{port: 8080}]}]"),
        networkPolicy("mesh", "podSelector: {}, ingress: [{ports: [{port: 15008}]}]"),
      ]),
    Row(
      says: "that the other policy is for other peers",
      adds: [
        networkPolicy(
          "np",
          "podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 8080}]}]"),
        networkPolicy(
          "mesh",
          "podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: 15008}]}]"),
      ],
      finds: ["SKN0601 NetworkPolicy shop/np spec.ingress[0].ports"]),
    Row(
      says: "nothing of pods that an expression leaves out",
      adds: [
        networkPolicy(
          "np",
          "podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web, cart]}, "
            + "{key: app, operator: Exists}]}, ingress: [{ports: [{port: 8080}]}]")
      ]),
    Row(
      says: "nothing of pods that are not enrolled",
      adds: [networkPolicy("np", in: "old", "podSelector: {}, ingress: [{ports: [{port: 8080}]}]")]),
    Row(
      says: "what does not let the tunnel out",
      adds: [
        networkPolicy(
          "np",
          "podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 8080}]}, "
            + "{ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]}]")
      ],
      finds: ["SKN0602 NetworkPolicy shop/np spec.egress[0].ports"]),
    Row(
      says: "pods that are closed to all", adds: [networkPolicy("np", "podSelector: {}")],
      finds: ["SKN0603 NetworkPolicy shop/np spec.ingress"], words: ["2 enrolled pods"]),
    Row(
      says: "nothing of a closed namespace that others open",
      adds: [
        networkPolicy("np", "podSelector: {}"),
        networkPolicy("m", "podSelector: {}, ingress: [{from: [{podSelector: {}}]}]"),
      ]),
  ]

  @Test(arguments: labels) func `what keeps pods out:`(row: Row) { row.check() }

  @Test(arguments: network) func `what network policies hold back:`(row: Row) { row.check() }

  /// Who is enrolled decides the compiler; the analysis must not think otherwise.
  @Test(arguments: [
    "", "istio.io/dataplane-mode: none", "istio.io/dataplane-mode: ambient",
    "networking.istio.io/tunnel: http", "sidecar.istio.io/inject: \"false\"",
  ])
  func `is decided as the compiler decides it`(labels: String) throws {
    for own in ["", "istio.io/dataplane-mode: ambient", "istio-injection: enabled"] {
      for spec in ["", "hostNetwork: true, "] {
        let manifests = [
          namespace("n", labels: own), pod("p", in: "n", labels: labels, spec: spec),
          policy("action: ALLOW", in: "n"),
        ]
        let options = CompilerOptions(enrolsInjectionLabel: true)
        let compilation = compile(objects: objects(manifests), options: options)
        let findings = analyze(
          AnalysisInput(
            objects: objects(manifests), options: options, completeness: .whole(unread: [])))
        let placement = try #require(compilation.pods.first)
        let isOut = findings.contains { $0.code == .enforcedNowhere }
        let isNative = placement.enrolment == .notEnrolled(.nativeTunnel)
        #expect(isOut == !(placement.enrolment.isEnrolled || isNative), "\(own) \(labels) \(spec)")
      }
    }
  }
}
