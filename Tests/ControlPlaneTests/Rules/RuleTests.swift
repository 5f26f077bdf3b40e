import MeshCompiler
import MeshModel
import Testing

@testable import ControlPlane

@Suite struct `The rules that need nothing but values` {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var text: String
    var expected: TokenFileError?
  }

  @Test(arguments: [
    Row(testDescription: "a row for each node", text: "a token-of-node-a-0000\n", expected: nil),
    Row(
      testDescription: "comments", text: "# all\na token-of-node-a-0000 # one\n\n", expected: nil),
    Row(testDescription: "half a row", text: "\na\n", expected: .notARow(line: 2)),
    Row(
      testDescription: "three words", text: "a token-of-node-a-0000 x", expected: .notARow(line: 1)),
    Row(testDescription: "no node", text: "a/b token-of-node-a-0000", expected: .notARow(line: 1)),
    Row(testDescription: "a short token", text: "a token", expected: .tooShort(line: 1)),
    Row(
      testDescription: "one token twice",
      text: "a token-of-node-a-0000\nb token-of-node-a-0000", expected: .duplicate(line: 2)),
  ])
  func `a file of tokens has`(row: Row) {
    do {
      _ = try TokenTable(parsing: row.text)
      #expect(row.expected == nil)
    } catch {
      #expect(error == row.expected)
    }
  }

  @Test func `what happens too often waits for its share`() {
    var allowance = Allowance(Allowance.Rate(perSecond: 10, burst: 2))
    let start = Instant(nanoseconds: 0)
    // After a quiet hour no more than the burst is saved up.
    let times: [Duration] = [
      .zero, .zero, .zero, .milliseconds(99), .milliseconds(201), .seconds(3_600), .seconds(3_600),
      .seconds(3_600),
    ]
    let taken = times.map { allowance.take(at: start + $0) }
    #expect(taken == [true, true, false, false, true, true, true, false])
  }

  @Test func `a finished pod and one without a node give nobody an identity`() {
    func placement(_ name: String, node: String, _ enrolment: Enrolment) -> PodPlacement {
      PodPlacement(
        uid: "uid-\(name)", workloadUID: name, namespace: "shop", name: name, node: node,
        networkNamespace: nil, addresses: [], identity: identity(name), enrolment: enrolment)
    }
    func identity(_ name: String) -> SPIFFEID {
      SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: name)
    }
    let placements = Placements([
      placement("web", node: "a", .enrolled), placement("job", node: "a", .notEnrolled(.finished)),
      placement("new", node: "", .enrolled),
    ])
    #expect(placements.allows(identity("web"), on: "a"))
    #expect(!placements.allows(identity("web"), on: "b"))
    #expect(!placements.allows(identity("job"), on: "a"))
    #expect(!placements.allows(identity("new"), on: ""))
    #expect(placements.node(of: PodReference(namespace: "shop", name: "web", uid: nil)) == "a")
    #expect(
      placements.node(of: PodReference(namespace: "shop", name: "web", uid: "uid-web")) == "a")
    #expect(
      placements.node(of: PodReference(namespace: "shop", name: "web", uid: "uid-old")) == nil)
  }

  struct Subject: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var subject = "system:serviceaccount:istio-system:ztunnel"
    var kubernetes: TokenClaims.Kubernetes?
    /// Nil: nobody.
    var role: Caller.Role?
  }

  private static let account = TokenClaims.Kubernetes(
    namespace: "istio-system", serviceaccount: .init(name: "ztunnel"))

  @Test(arguments: [
    Subject(testDescription: "a node", subject: "system:node:node-7", role: .node("node-7")),
    Subject(testDescription: "no node by its mere name", subject: "node-7", role: nil),
    Subject(testDescription: "no node without a name", subject: "system:node:", role: nil),
    Subject(testDescription: "no node", subject: "user@example.org", role: nil),
    Subject(
      testDescription: "an agent with its node",
      kubernetes: .init(
        namespace: "istio-system", serviceaccount: .init(name: "ztunnel"),
        node: .init(name: "node-7")), role: .node("node-7")),
    Subject(
      testDescription: "an agent with its pod",
      kubernetes: .init(
        namespace: "istio-system", serviceaccount: .init(name: "ztunnel"),
        pod: .init(name: "ztunnel-x", uid: "1")), role: .node("node-of.ztunnel-x.1")),
    Subject(testDescription: "an agent of no node", kubernetes: account, role: nil),
    Subject(
      testDescription: "another account",
      kubernetes: .init(namespace: "shop", serviceaccount: .init(name: "web")),
      role: .workload(
        SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web"))),
  ])
  func `a token's subject is`(subject: Subject) {
    let rules = TokenRules(
      issuer: "", audience: "", trustDomain: "cluster.local",
      nodeAccounts: ["istio-system/ztunnel"], nodePrefix: "system:node:")
    let claims = TokenClaims(
      issuer: "", subject: subject.subject, audiences: [],
      expires: WallTime(secondsSinceEpoch: 0), notBefore: nil, kubernetes: subject.kubernetes)
    do {
      let role = try rules.role(of: claims) { pod in
        "node-of.\(pod.name).\(pod.uid ?? "")"
      }
      #expect(role == subject.role)
    } catch {
      #expect(subject.role == nil)
    }
  }
}
