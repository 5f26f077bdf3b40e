import KubernetesClient
import Testing

@testable import NodeAgent

@Suite struct `A node agent that is told to end` {
  struct Row: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let answer: NodeAgent.Installation.Answer
    var couldAsk = true
    let releases: Bool
  }

  static let rows = [
    Row(
      testDescription: "another follows", answer: .present(isBeingDeleted: false),
      releases: false),
    Row(
      testDescription: "the installation is being deleted",
      answer: .present(isBeingDeleted: true), releases: true),
    Row(testDescription: "the installation is gone", answer: .absent, releases: true),
    Row(
      testDescription: "its own account is gone",
      answer: .failed(.status(APIStatus(code: 401))), releases: true),
    Row(
      testDescription: "it may not ask and never might",
      answer: .failed(.status(APIStatus(code: 403))), couldAsk: false, releases: false),
    Row(
      testDescription: "its rights were taken away",
      answer: .failed(.status(APIStatus(code: 403))), releases: true),
    Row(
      testDescription: "the server is in trouble",
      answer: .failed(.status(APIStatus(code: 503))), releases: false),
    Row(testDescription: "nobody answers", answer: .failed(.timedOut), releases: false),
  ]

  @Test(arguments: rows)
  func `releases its pods only when nobody follows for sure`(row: Row) {
    #expect(NodeAgent.Installation.isLeaving(row.answer, couldAsk: row.couldAsk) == row.releases)
  }
}
