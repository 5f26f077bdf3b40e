import MeshCompiler
import Testing

private let mode = "skein.dev/existing-connections"
private let deadline = "skein.dev/existing-connections-deadline"

@Suite struct `What becomes of connections that live` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var namespace = ""
    var pod = ""
    var expected: ConnectionWish
    var testDescription: String { says }
  }

  @Test(arguments: [
    Row(says: "the node decides when nobody says anything", expected: ConnectionWish()),
    Row(
      says: "a namespace says for its pods", namespace: "\(mode): wait, \(deadline): 90s",
      expected: ConnectionWish(mode: .wait, deadline: .seconds(90))),
    Row(
      says: "a pod says before its namespace, each thing for itself",
      namespace: "\(mode): wait, \(deadline): 2h", pod: "\(mode): reset",
      expected: ConnectionWish(mode: .reset, deadline: .seconds(7_200))),
    Row(
      says: "a deadline alone", pod: "\(deadline): 24h",
      expected: ConnectionWish(deadline: .seconds(86_400))),
  ])
  func `is said by annotations:`(row: Row) {
    let mesh = compiled(
      namespace("shop", annotations: row.namespace), pod("web", annotations: row.pod))
    #expect(mesh.findings == [])
    #expect(mesh.placement("shop/web")?.connectionWish == row.expected)
  }

  @Test(arguments: [
    "\(mode): \"Reset\"", "\(deadline): \"0s\"", "\(deadline): \"25h\"", "\(deadline): \"10\"",
    "\(deadline): \"5ms\"", "\(deadline): \"1000000s\"", "\(deadline): \"ten minutes\"",
  ])
  func `is left to the node by a word that is none, which is named`(annotation: String) throws {
    let mesh = compiled(
      namespace("shop"), pod("web", annotations: annotation))
    #expect(mesh.placement("shop/web")?.connectionWish == ConnectionWish())
    #expect(mesh.placement("shop/web")?.enrolment == .enrolled)
    let finding = try #require(mesh.findings.first)
    #expect(mesh.findings.count == 1)
    #expect(finding.contains("warning: document 2, Pod shop/web"))
    #expect(finding.hasSuffix("the node's own setting stands"), "\(finding)")
  }
}
