import MeshModel
import Testing

@testable import NodeAgent

@Suite struct `A call for a pod without a process` {
  private static let start = Instant(nanoseconds: 0)

  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var called: UInt64? = 7
    var since: Instant? = start
    var after: Duration = .seconds(1)
    var trust: CallTrust
    var testDescription: String { says }
  }

  static let rows = [
    Row(says: "leaves what it has put in place", trust: .fresh),
    Row(says: "counts to the end of its time", after: Limit.callTrust - .seconds(1), trust: .fresh),
    Row(says: "does not count for ever", after: Limit.callTrust, trust: .spent),
    Row(says: "counts for nothing when there is none", called: nil, since: nil, trust: .absent),
    Row(says: "counts for nothing when its path leads nowhere", called: nil, trust: .absent),
    Row(says: "counts for no other namespace", called: 8, trust: .absent),
  ]

  @Test(arguments: rows) func `counts in its namespace for two minutes:`(row: Row) {
    let trust = CallTrust(
      in: 7, called: row.called, since: row.since, at: Self.start + row.after)
    #expect(trust == row.trust)
  }

  @Test func `says that it is spent, why, and what to wait for`() {
    #expect(
      CallTrust.spentReason("no process of it runs yet")
        == "its CNI call is more than 2m00s old, and no process of it runs yet; it is served when "
        + "one is seen in its network namespace")
  }

  @Test func `is contradicted by processes elsewhere, whichever they are`() {
    let objection = SightingObjection.elsewhere(processID: 5)
    #expect(objection.isSame(as: .elsewhere(processID: 6)))
    #expect(!objection.isSame(as: .unclear(namespaces: 2)))
    #expect(objection.description.contains("process 5 of it is in another network namespace"))
  }
}
