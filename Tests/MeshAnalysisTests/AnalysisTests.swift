import FoundationEssentials
import Manifests
import MeshAnalysis
import MeshCompiler
import Testing

@Suite struct `An analysis` {
  static let objectRows: [Row] = [
    Row(
      says: "what is wrong with an object by itself",
      adds: [policy("rulse: []")],
      finds: ["SKN0001 AuthorizationPolicy shop/p spec.rulse"], words: ["did you mean rules?"]),
    Row(
      says: "a field nobody knows", adds: [pod("x", spec: "nodName: a, ")],
      finds: ["SKN0002 Pod shop/x spec.nodName"]),
    Row(
      says: "nothing of kinds that others read, alone or in a list",
      adds: [
        "{apiVersion: v1, kind: List, items: ["
          + networkPolicy("np", in: "old", "podSelector: {}, ingress: [{ports: [{port: 1}]}]")
          + ", " + istio("DestinationRule", "d", "host: nobody") + "]}",
        object("Secret", "v1", "s"), object("Deployment", "apps/v1", "d"),
      ], finds: ["SKN0202 DestinationRule shop/d spec.host"]),
    Row(
      says: "an object that is there twice", adds: [account("web")],
      finds: ["SKN0003 ServiceAccount shop/web"]),
    Row(
      says: "what has no effect here",
      adds: [policy("action: AUDIT, rules: [{from: [{source: {namespaces: [bank]}}]}]")],
      finds: ["SKN0004 AuthorizationPolicy shop/p spec.action"]),
  ]

  @Test(arguments: objectRows) func `says what the compiler says:`(row: Row) { row.check() }

  /// Every row of every table.
  private static let rows: [Row] =
    objectRows + `Of policies the analysis says`.reach + `Of policies the analysis says`.callers
    + `Of policies the analysis says`.meanings + `Of routes the analysis says`.istioRows
    + `Of routes the analysis says`.gatewayRows + `Of services the analysis says`.table
    + `Of enrolment the analysis says`.labels + `Of enrolment the analysis says`.network

  @Test func `has a row and a part of the documentation for each code, and no other`() throws {
    let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
    let data = try Data(contentsOf: URL(filePath: "\(root)/docs/analyze.md"))
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
    let documented = lines.filter { $0.hasPrefix("| SKN") }.map { line in
      line.split(separator: "|").prefix(2).map { $0.filter { $0 != " " } }.joined(separator: " ")
    }
    let known = FindingCode.allCases.map { "\($0.rawValue) \($0.severity.rawValue)" }
    #expect(documented == known.sorted())
    var produced = Set(Self.rows.flatMap(\.finds).compactMap { $0.split(separator: " ").first })
    produced.insert("SKN0207")
    #expect(produced.sorted() == FindingCode.allCases.map { Substring($0.rawValue) }.sorted())
  }

  @Test func `gives every finding a sentence and a next step`() {
    for finding in Self.rows.flatMap({ $0.found() }) {
      #expect(!finding.message.isEmpty && !finding.nextStep.isEmpty)
      #expect(finding.object != nil && finding.line > 0 && finding.file == "mesh.yaml")
    }
  }

  @Test func `of some files says nothing of what may be elsewhere`() {
    let alone = [
      policy(
        #"selector: {matchLabels: {app: web}}, rules: [{from: [{source: {namespaces: [x], "#
          + #"principals: ["cluster.local/ns/x/sa/y"]}}]}]"#),
      istio(
        "VirtualService", "v",
        "hosts: [a], gateways: [edge], http: [{route: [{destination: {host: b, subset: c}}]}]"),
      route(
        "r",
        "parentRefs: [{name: a}], rules: [{backendRefs: [{name: b, namespace: bank, port: 80}]}]"),
      networkPolicy("np", "podSelector: {}, ingress: [{ports: [{port: 8080}]}]"),
    ]
    #expect(analyze(AnalysisInput(objects: objects(alone))).isEmpty)
  }

  @Test func `of some files says what is missing beside others of its kind`() {
    let found = analyze(
      AnalysisInput(
        objects: objects(
          healthy + [
            policy("selector: {matchLabels: {app: wep}}"),
            istio(
              "VirtualService", "v", "hosts: [web], http: [{route: [{destination: {host: x}}]}]"),
          ])))
    #expect(found.map(\.code) == [.destinationMissing, .selectsNothing, .routesNotApplied])
  }

  @Test func `says nothing of kinds that could not be read`() {
    let input = AnalysisInput(
      objects: objects([
        policy("selector: {matchLabels: {app: web}}"),
        istio("VirtualService", "v", "hosts: [a], http: [{route: [{destination: {host: b}}]}]"),
      ]),
      completeness: .whole(unread: [.pod, .service, .serviceEntry]))
    #expect(analyze(input).isEmpty)
  }

  @Test func `takes the pods that a Deployment will make for pods`() {
    let deployment = object(
      "Deployment", "apps/v1", "late",
      "spec: {template: {metadata: {labels: {app: late}}, spec: {containers: [{name: a, ports: "
        + "[{name: http, containerPort: 80}]}]}}}")
    let row = Row(
      says: "",
      adds: [
        deployment, service("late", ip: "10.96.2.2"),
        policy("selector: {matchLabels: {app: late}}"),
      ])
    #expect(row.found().isEmpty)
  }

  @Test func `of a change says what it breaks, and what is wrong with its own objects`() {
    let broken = service("gone", ip: "10.96.3.3")
    let base = AnalysisInput(
      objects: objects(healthy + [broken]).map { object in
        ManifestObject(file: "cluster", document: 0, root: object.root)
      }, completeness: .whole(unread: []))
    let change = objects(
      [pod("web", labels: "app: other"), policy("selector: {matchLabels: {app: x}}")],
      file: "change.yaml")
    let found = analyze(change: change, on: base)
    #expect(
      found.map(\.place) == [
        "SKN0101 AuthorizationPolicy shop/p spec.selector",
        "SKN0401 Service shop/web spec.selector",
      ])
    #expect(found.map(\.file) == ["change.yaml", ""])
  }

  @Test func `shows so many findings of a code, and says how many more there are`() {
    let services = (0..<30).map { service("s\($0)", ip: "10.97.0.\($0 + 1)") }
    let found = Row(says: "", adds: services + [policy("rulse: []")]).found()
    let bounded = BoundedFindings(found, perCode: 5)
    #expect(bounded.findings.count == 6)
    #expect(bounded.more == [.noEndpoints: 25])
    #expect(bounded.counts == [.error: 1, .warning: 30])
    #expect(bounded.has(atLeast: .error) && !BoundedFindings([]).has(atLeast: .info))
  }
}
