import MeshCompiler
import MeshModel
import Testing

@Suite struct `The compiler answers whatever it is given` {
  @Test func `of many unknown fields the first are named`() {
    let fields = (0..<5_000).map { "x\($0): 1" }.joined(separator: ", ")
    let mesh = compiled(namespace("shop"), pod("web", spec: fields))
    #expect(mesh.diagnostics.count == 21)
    #expect(mesh.remarks(.warning).contains("Pod shop/web, spec: 4980 more unknown fields"))
  }

  @Test func `a thousand findings are kept, the gravest first, and the rest counted`() {
    let pods = (0..<1_500).map { "{apiVersion: v1, kind: Secret\($0 % 7), metadata: {name: a}}" }
    let mesh = compiled(
      "apiVersion: v1\nkind: List\nitems: [\(pods.joined(separator: ", ")), {kind: Pod}]")
    #expect(mesh.diagnostics.count == Limit.diagnostics + 1)
    #expect(mesh.hasErrors)
    #expect(mesh.findings.contains("manifests: warning: 501 more findings are not shown"))
  }

  @Test func `an object graph no file could hold is walked to its end`() {
    var value = ManifestValue(.string("x"), line: 1)
    for _ in 0..<200 {
      value = ManifestValue(
        .mapping([
          .init(key: "apiVersion", line: 1, value: ManifestValue(.string("v1"), line: 1)),
          .init(key: "kind", line: 1, value: ManifestValue(.string("List"), line: 1)),
          .init(key: "items", line: 1, value: ManifestValue(.sequence([value]), line: 1)),
        ]), line: 1)
    }
    let mesh = compile(objects: [ManifestObject(file: "a.yaml", document: 1, root: value)])
    #expect(mesh.diagnostics.map(\.code) == [.notAnObject])
  }

  @Test func `the order of the objects does not matter`() {
    let manifests = [
      namespace("shop"), pod("a", labels: "app: web", ip: "10.0.0.1"),
      pod("b", labels: "app: web", ip: "10.0.0.2"),
      service("web", "clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]"),
      policy("{}"), peerAuthentication("p", in: "shop", "mtls: {mode: STRICT}"),
    ]
    let forwards = compiled(manifests.joined(separator: "\n---\n"))
    let backwards = compiled(manifests.reversed().joined(separator: "\n---\n"))
    #expect(forwards.findings == [])
    #expect(forwards.model == backwards.model)
    #expect(forwards.pods == backwards.pods)
  }
}
