import MeshCompiler
import MeshModel
import Testing

@Suite struct `An error names file, line, document, object, field and what is expected` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var manifest: String
    var finding: String
    var testDescription: String { says }
  }

  static let objects: [Row] = [
    Row(
      says: "a list instead of an object", manifest: "- a",
      finding: "1: error: document 1: expected an object with apiVersion and kind, found a list"),
    Row(
      says: "no apiVersion", manifest: "kind: Pod",
      finding: "1: error: document 1, apiVersion: expected apiVersion, found nothing"),
    Row(
      says: "no kind", manifest: "apiVersion: v1",
      finding: "1: error: document 1, kind: expected kind, found nothing"),
    Row(
      says: "a kind that is no text", manifest: "apiVersion: v1\nkind: [Pod]",
      finding: "2: error: document 1, kind: expected a string, found a list"),
    Row(
      says: "a version nobody knows",
      manifest: "apiVersion: security.istio.io/v2\nkind: AuthorizationPolicy",
      finding: "2: error: document 1, apiVersion: expected security.istio.io/v1 or "
        + "security.istio.io/v1beta1 for AuthorizationPolicy, found \"security.istio.io/v2\""),
    Row(
      says: "a kind not used here", manifest: "apiVersion: apps/v1\nkind: Deployment",
      finding:
        "2: warning: document 1, kind: \"Deployment\" of \"apps/v1\" is not used here, skipped"),
    Row(
      says: "a misspelt kind",
      manifest: "apiVersion: apps/v1\nkind: EndpointSlise",
      finding: "2: warning: document 1, kind: \"EndpointSlise\" of \"apps/v1\" "
        + "is not used here, skipped"),
    Row(
      says: "a misspelt policy, which would otherwise let somebody in",
      manifest: "apiVersion: security.istio.io/v1\nkind: AuthorisationPolicy",
      finding: "2: error: document 1, kind: expected PeerAuthentication, AuthorizationPolicy or "
        + "RequestAuthentication of group security.istio.io, found \"AuthorisationPolicy\"; "
        + "did you mean AuthorizationPolicy?"),
    Row(
      says: "a policy that waypoints alone apply",
      manifest: "apiVersion: security.istio.io/v1\nkind: RequestAuthentication",
      finding: "2: warning: document 1, kind: \"RequestAuthentication\" of "
        + "\"security.istio.io/v1\" is not used here, skipped"),
    Row(
      says: "no metadata", manifest: "apiVersion: v1\nkind: Pod",
      finding: "1: error: document 1, metadata: expected metadata with a name"),
    Row(
      says: "no name", manifest: "apiVersion: v1\nkind: Pod\nmetadata: {generateName: web-}",
      finding: "3: error: document 1, metadata.name: expected a name, found only generateName"),
    Row(
      says: "a name that is none", manifest: "apiVersion: v1\nkind: Pod\nmetadata: {name: Web_1}",
      finding:
        "3: error: document 1, metadata.name: expected at most 253 lower-case letters, digits, "
        + "hyphens and dots, a letter or digit at both ends, found \"Web_1\""),
    Row(
      says: "a namespace that is none",
      manifest: "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: a.b}",
      finding: "3: error: document 1, metadata.namespace: expected at most 63 lower-case letters, "
        + "digits and hyphens, a letter or digit at both ends, found \"a.b\""),
    Row(
      says: "an object twice",
      manifest: namespace("a") + "\n---\n" + namespace("a", labels: ""),
      finding: "7: error: document 2, Namespace a: "
        + "expected each object once; it is also at mesh.yaml:1"),
    Row(
      says: "an item of a list twice",
      manifest: """
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}
        - {apiVersion: v1, kind: ServiceAccount, metadata: {name: a}}
        """,
      finding: "5: error: document 1, ServiceAccount default/a: "
        + "expected each object once; it is also at mesh.yaml:4"),
  ]

  @Test(arguments: objects) func `of an object:`(row: Row) {
    #expect(compiled(row.manifest).findings == ["mesh.yaml:\(row.finding)"])
  }

  /// Manifests of one pod, `default/web`, whose metadata begins on line 3.
  static let pods: [Row] = [
    Row(
      says: "a label that is a number", manifest: "metadata: {name: web, labels: {version: 1}}",
      finding: "3: error: document 1, Pod default/web, metadata.labels[\"version\"]: "
        + "expected a string, found the number 1; write it in quotes"),
    Row(
      says: "a label that YAML reads as true", manifest: "metadata: {name: web, labels: {on: yes}}",
      finding: "3: error: document 1, Pod default/web, metadata.labels[\"on\"]: "
        + "expected a string, found the boolean true; write it in quotes"),
    Row(
      says: "an unknown field with its likely name",
      manifest: "metadata: {name: web}\nspec:\n  nodename: a",
      finding: "5: warning: document 1, Pod default/web, spec.nodename: "
        + "unknown field, ignored; did you mean nodeName?"),
    Row(
      says: "an unknown field far from any",
      manifest: "metadata: {name: web}\nspec:\n  \"wild guess\": a",
      finding:
        "5: warning: document 1, Pod default/web, spec.\"wild guess\": unknown field, ignored"),
    Row(
      says: "an address that is none",
      manifest: "metadata: {name: web}\nstatus:\n  podIPs:\n  - ip: 10.0.0",
      finding: "6: error: document 1, Pod default/web, status.podIPs[0].ip: "
        + "expected an IPv4 or IPv6 address, found \"10.0.0\""),
    Row(
      says: "the address of nobody", manifest: "metadata: {name: web}\nstatus: {podIP: 0.0.0.0}",
      finding: "4: error: document 1, Pod default/web, status.podIP: "
        + "expected the address of one host, found 0.0.0.0"),
    Row(
      says: "two first addresses",
      manifest: "metadata: {name: web}\nstatus: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.2}]}",
      finding: "4: error: document 1, Pod default/web, status.podIP: "
        + "expected the first of status.podIPs, 10.0.0.2, found 10.0.0.1"),
    Row(
      says: "a phase that is none", manifest: "metadata: {name: web}\nstatus: {phase: Runing}",
      finding: "4: error: document 1, Pod default/web, status.phase: expected Pending, Running, "
        + "Succeeded, Failed or Unknown, found \"Runing\"; did you mean Running?"),
    Row(
      says: "a flag that is text", manifest: "metadata: {name: web}\nspec: {hostNetwork: \"true\"}",
      finding: "4: error: document 1, Pod default/web, spec.hostNetwork: "
        + "expected true or false, found \"true\""),
    Row(
      says: "a port beyond all",
      manifest: "metadata: {name: web}\nspec: {containers: [{ports: [{containerPort: 65536}]}]}",
      finding: "4: error: document 1, Pod default/web, spec.containers[0].ports[0].containerPort: "
        + "expected a port number from 1 to 65535, found 65536"),
    Row(
      says: "a network namespace that climbs",
      manifest: "metadata:\n  name: web\n  annotations:\n    skein.dev/netns: ../../etc",
      finding: "6: error: document 1, Pod default/web, metadata.annotations.skein.dev/netns: "
        + "expected a name under /run/netns or an absolute path, found \"../../etc\""),
    Row(
      says: "a uid with a dot", manifest: "metadata: {name: web, uid: a.b}",
      finding: "3: error: document 1, Pod default/web, metadata.uid: expected 1 to 63 letters, "
        + "digits, hyphens and underscores, found \"a.b\""),
    Row(
      says: "a time that is none",
      manifest: "metadata: {name: web, creationTimestamp: \"2026-02-30T00:00:00Z\"}",
      finding: "3: error: document 1, Pod default/web, metadata.creationTimestamp: "
        + "expected a time such as 2026-01-31T12:00:00Z, found \"2026-02-30T00:00:00Z\""),
    Row(
      says: "a spec that is a list", manifest: "metadata: {name: web}\nspec: [a]",
      finding: "4: error: document 1, Pod default/web, spec: expected a mapping, found a list"),
    Row(
      says: "a hole in a list", manifest: "metadata: {name: web}\nspec:\n  containers:\n  -",
      finding: "6: error: document 1, Pod default/web, spec.containers[0]: "
        + "expected a value, found nothing"),
  ]

  @Test(arguments: pods) func `of a pod:`(row: Row) {
    let mesh = compiled("apiVersion: v1\nkind: Pod\n\(row.manifest)")
    let metadata = mesh.findings.filter { !$0.contains("Pod ") }
    #expect(mesh.findings.filter { $0.contains("Pod ") } == ["mesh.yaml:\(row.finding)"])
    #expect(metadata == [])
  }

  static let services: [Row] = [
    Row(
      says: "several ports without names", manifest: "ports: [{port: 80}, {name: a, port: 81}]",
      finding: "spec.ports[0].name: expected a name, because the service has several ports"),
    Row(
      says: "a port twice", manifest: "ports: [{name: a, port: 80}, {name: b, port: 80}]",
      finding: "spec.ports[1].port: expected each TCP port once, found 80 again"),
    Row(
      says: "a quoted target port", manifest: "ports: [{port: 80, targetPort: \"8080\"}]",
      finding: "spec.ports[0].targetPort: expected a port number without quotes, or the name of a "
        + "container port (at most 15 lower-case letters, digits and hyphens, at least one letter), "
        + "found \"8080\""),
    Row(
      says: "two first addresses",
      manifest: "clusterIP: 10.96.0.2, clusterIPs: [10.96.0.1], ports: [{port: 80}]",
      finding: "spec.clusterIP: expected the first of spec.clusterIPs, \"10.96.0.1\", "
        + "found \"10.96.0.2\""),
    Row(
      says: "an address that is none", manifest: "clusterIP: none, ports: [{port: 80}]",
      finding: "spec.clusterIP: expected an IPv4 or IPv6 address or None, found \"none\""),
    Row(
      says: "a policy that is none", manifest: "internalTrafficPolicy: local, ports: [{port: 80}]",
      finding: "spec.internalTrafficPolicy: expected Cluster or Local, found \"local\"; "
        + "did you mean Local?"),
    Row(
      says: "a selector that is a list", manifest: "selector: [a], ports: [{port: 80}]",
      finding: "spec.selector: expected a mapping, found a list"),
  ]

  @Test(arguments: services) func `of a service:`(row: Row) {
    let findings = compiled(namespace("shop"), service("web", row.manifest)).findings(.error)
    #expect(findings == ["mesh.yaml:10: error: document 2, Service shop/web, \(row.finding)"])
  }

  @Test func `an address belongs to one pod or one service`() {
    let mesh = compiled(
      namespace("shop"), pod("a", ip: "10.0.0.1"), pod("b", ip: "10.0.0.1"),
      pod("node", spec: "hostNetwork: true", ip: "10.0.0.1"),
      service("web", "clusterIP: 10.0.0.1, ports: [{port: 80}]"))
    #expect(
      mesh.findings(.error) == [
        "mesh.yaml:19: error: document 3, Pod shop/b, status.podIPs[0].ip: expected an address of "
          + "its own; 10.0.0.1 also belongs to Pod shop/a at mesh.yaml:7",
        "mesh.yaml:31: error: document 5, Service shop/web, spec.clusterIP: expected an address of "
          + "its own; 10.0.0.1 also belongs to Pod shop/b at mesh.yaml:14",
      ])
  }

  @Test func `what a pod refers to in vain is warned about`() {
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web, namespace: shop}"
    let mesh = compiled(
      namespace("shop"), account, pod("a", spec: "serviceAccountName: wbe"),
      pod("b", in: "shoop", ip: "10.0.0.2"))
    #expect(
      mesh.findings == [
        "mesh.yaml:15: warning: document 3, Pod shop/a, spec.serviceAccountName: "
          + "no ServiceAccount shop/wbe is declared; did you mean web?",
        "mesh.yaml:18: warning: document 4, Pod shoop/b, metadata.namespace: "
          + "no Namespace shoop is declared, so it has no labels; did you mean shop?",
      ])
  }
}

@Suite struct `A policy that could be misread is an error` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var spec: String
    var finding: String
    var testDescription: String { says }
  }

  static let table: [Row] = [
    Row(
      says: "a block that is none", spec: "rules: [{from: [{source: {ipBlocks: [10.0.0.0/33]}}]}]",
      finding: "spec.rules[0].from[0].source.ipBlocks[0]: expected an address or a block such as "
        + "10.0.0.0/8, found \"10.0.0.0/33\""),
    Row(
      says: "a port that is a number", spec: "rules: [{to: [{operation: {ports: [80]}}]}]",
      finding: "spec.rules[0].to[0].operation.ports[0]: expected a string, found the number 80; "
        + "write it in quotes"),
    Row(
      says: "a port that is none", spec: "rules: [{to: [{operation: {ports: [http]}}]}]",
      finding: "spec.rules[0].to[0].operation.ports[0]: expected a port from \"1\" to \"65535\", "
        + "found \"http\""),
    Row(
      says: "an empty value", spec: "rules: [{from: [{source: {namespaces: ['']}}]}]",
      finding: "spec.rules[0].from[0].source.namespaces[0]: expected a value, found an empty string"
    ),
    Row(
      says: "an empty list", spec: "rules: [{from: [{source: {namespaces: [], principals: [a]}}]}]",
      finding: "spec.rules[0].from[0].source.namespaces: expected at least one value, "
        + "found an empty list"),
    Row(
      says: "an empty source", spec: "rules: [{from: [{source: {}}]}]",
      finding: "spec.rules[0].from[0].source: expected at least one of principals, notPrincipals, "
        + "requestPrincipals, notRequestPrincipals, namespaces, notNamespaces, serviceAccounts, "
        + "notServiceAccounts, ipBlocks, notIpBlocks, remoteIpBlocks or notRemoteIpBlocks"),
    Row(
      says: "no source", spec: "rules: [{from: []}]",
      finding: "spec.rules[0].from: expected at least one source; leave from away to match all"),
    Row(
      says: "a misspelt field",
      spec: "rules: [{from: [{source: {namespaces: [a], notPrincipal: [b]}}]}]",
      finding: "spec.rules[0].from[0].source.notPrincipal: unknown field; "
        + "did you mean notPrincipals?"),
    Row(
      says: "a misspelt selector", spec: "selector: {matchLables: {app: web}}",
      finding: "spec.selector.matchLables: unknown field; did you mean matchLabels?"),
    Row(
      says: "a star in the middle", spec: "rules: [{from: [{source: {principals: ['a*b']}}]}]",
      finding:
        "spec.rules[0].from[0].source.principals[0]: expected at most one *, at the start or "
        + "the end, found \"a*b\""),
    Row(
      says: "a principal as URI",
      spec: "rules: [{from: [{source: {principals: ['spiffe://a/b']}}]}]",
      finding:
        "spec.rules[0].from[0].source.principals[0]: expected a principal without spiffe://, "
        + "found \"spiffe://a/b\""),
    Row(
      says: "a service account pattern",
      spec: "rules: [{from: [{source: {serviceAccounts: ['a/*']}}]}]",
      finding:
        "spec.rules[0].from[0].source.serviceAccounts[0]: expected a service account as name or "
        + "namespace/name, without patterns, found \"a/*\""),
    Row(
      says: "service accounts beside namespaces",
      spec: "rules: [{from: [{source: {serviceAccounts: [a], namespaces: [b]}}]}]",
      finding:
        "spec.rules[0].from[0].source.serviceAccounts: expected serviceAccounts or namespaces, "
        + "found both"),
    Row(
      says: "an action that is none", spec: "action: Deny",
      finding: "spec.action: expected ALLOW, DENY, AUDIT or CUSTOM, found \"Deny\"; "
        + "did you mean DENY?"),
    Row(
      says: "an attribute that is none",
      spec: "rules: [{when: [{key: source.namespaces, values: ['1']}]}]",
      finding:
        "spec.rules[0].when[0].key: expected an attribute Istio knows, found \"source.namespaces\"; "
        + "did you mean source.namespace?"),
    Row(
      says: "a condition without values", spec: "rules: [{when: [{key: source.ip}]}]",
      finding: "spec.rules[0].when[0].values: expected values, notValues or both"),
    Row(
      says: "a pattern as selector", spec: "selector: {matchLabels: {app: '*'}}",
      finding: "spec.selector.matchLabels[\"app\"]: expected a label's whole value, "
        + "found the pattern \"*\""),
    Row(
      says: "a selector and a target",
      spec: """
        selector: {matchLabels: {app: web}}
        targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: g}]
        """,
      finding: "spec.targetRefs: expected either a selector or targetRefs, found both"),
  ]

  @Test(arguments: table) func `namely`(row: Row) {
    let mesh = compiled(namespace("shop"), pod("web", labels: "app: web"), policy(row.spec))
    #expect(mesh.hasErrors)
    let expected = "AuthorizationPolicy shop/p, \(row.finding)"
    #expect(mesh.remarks(.error) == [expected])
  }

  @Test func `a dry run that is neither true nor false`() {
    let mesh = compiled(policy("{}", annotations: "istio.io/dry-run: \"maybe\""))
    #expect(
      mesh.findings(.error) == [
        "mesh.yaml:3: error: document 1, AuthorizationPolicy shop/p, "
          + "metadata.annotations.istio.io/dry-run: expected \"true\" or \"false\", found \"maybe\""
      ])
  }

  struct Authentication: CustomTestStringConvertible {
    var says: String
    var spec: String
    var finding: String
    var testDescription: String { says }
  }

  @Test(arguments: [
    Authentication(
      says: "a mode that is none", spec: "mtls: {mode: STRIKT}",
      finding: "spec.mtls.mode: expected UNSET, DISABLE, PERMISSIVE or STRICT, found \"STRIKT\"; "
        + "did you mean STRICT?"),
    Authentication(
      says: "ports without a selector", spec: "portLevelMtls: {80: {mode: STRICT}}",
      finding: "spec.portLevelMtls: expected a selector beside portLevelMtls: "
        + "ports belong to workloads"),
    Authentication(
      says: "a port that is none",
      spec: "selector: {matchLabels: {app: web}}, portLevelMtls: {http: {mode: STRICT}}",
      finding: "spec.portLevelMtls[\"http\"]: expected a port from 1 to 65535, found \"http\""),
    Authentication(
      says: "a misspelt field", spec: "mtsl: {mode: STRICT}",
      finding: "spec.mtsl: unknown field; did you mean mtls?"),
  ])
  func `of a PeerAuthentication:`(row: Authentication) {
    let mesh = compiled(
      namespace("shop"), pod("web", labels: "app: web"),
      peerAuthentication("p", in: "shop", row.spec))
    #expect(
      mesh.findings(.error) == [
        "mesh.yaml:17: error: document 3, PeerAuthentication shop/p, \(row.finding)"
      ])
  }
}
