import MeshModel
import Testing

@testable import NodeAgent

private func process(_ id: Int32, _ uids: Set<String>, in namespace: UInt64) -> SightedProcess {
  SightedProcess(processID: id, podUIDs: uids, namespace: namespace)
}

/// The node is in 1, pod A in 10, pod B in 20.
private func sighting(_ processes: SightedProcess...) -> Sighting {
  Sighting(processes: processes, nodeNamespace: 1)
}

@Suite struct `A pod's processes` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var sighting: Sighting
    var candidates: [UInt64] = [10]
    var absence: String?
    var objection: SightingObjection?
    var testDescription: String { says }
  }

  static let rows = [
    Row(
      says: "one namespace",
      sighting: sighting(process(5, ["a"], in: 10), process(6, ["a"], in: 10))),
    Row(
      says: "none while nothing of it runs",
      sighting: sighting(process(7, ["b"], in: 10)), candidates: [],
      absence: "no process of it runs yet", objection: .stranger(processID: 7, uid: "b")),
    Row(
      says: "none while all are in the node's",
      sighting: sighting(process(5, ["a"], in: 1)), candidates: [],
      absence: "process 5 of it is in the node's own network namespace",
      objection: .strayedToNode(processID: 5)),
    Row(
      says: "one, when a process of another pod has come to it",
      sighting: sighting(process(5, ["a"], in: 10), process(7, ["b"], in: 10)),
      objection: .stranger(processID: 7, uid: "b")),
    Row(
      says: "one, when a process in it is of two pods",
      sighting: sighting(process(5, ["a"], in: 10), process(7, ["a", "b"], in: 10)),
      objection: .stranger(processID: 7, uid: "a and b")),
    Row(
      says: "two, when one has gone to another pod's",
      sighting: sighting(
        process(5, ["a"], in: 10), process(6, ["a"], in: 20), process(7, ["b"], in: 20)),
      candidates: [10, 20], objection: .strayedToPod(processID: 6, uid: "b")),
    Row(
      says: "one, when one has gone to the node's",
      sighting: sighting(process(5, ["a"], in: 10), process(6, ["a"], in: 1)),
      objection: .strayedToNode(processID: 6)),
    Row(
      says: "two, and nothing wrong, when one has made its own",
      sighting: sighting(process(5, ["a"], in: 10), process(6, ["a"], in: 30)),
      candidates: [10, 30]),
  ]

  @Test(arguments: rows) func `prove`(row: Row) {
    #expect(row.sighting.candidates(for: "a") == row.candidates)
    #expect(row.sighting.absence(of: "a") == row.absence)
    #expect(row.sighting.objection(to: 10, of: "a") == row.objection)
  }

  @Test func `lend another pod nothing by sitting in its namespace`() {
    // All of B's have gone to A's, where A's own are.
    let borrowed = sighting(process(5, ["a"], in: 10), process(7, ["b"], in: 10))
    #expect(borrowed.candidates(for: "b") == [10])
    #expect(borrowed.objection(to: 10, of: "b") == .stranger(processID: 5, uid: "a"))
  }

  @Test func `may have those of the node agent's own pod among them`() {
    var seen = sighting(process(5, ["a"], in: 10), process(8, ["agent"], in: 10))
    #expect(seen.objection(to: 10, of: "a") == .stranger(processID: 8, uid: "agent"))
    seen.ownPod = ["agent"]
    #expect(seen.objection(to: 10, of: "a") == nil)
  }

  @Test func `have the oldest of them as the witness`() {
    let seen = sighting(
      process(9, ["a"], in: 10), process(5, ["a"], in: 10), process(4, ["b"], in: 10),
      process(3, ["a"], in: 30))
    #expect(seen.witness(of: "a", in: 10) == 5)
    #expect(seen.witness(of: "a", in: 20) == nil)
  }

  @Test func `are not told apart by their numbers in a doubt`() {
    let first = SightingObjection.stranger(processID: 1, uid: "b")
    #expect(first.isSame(as: .stranger(processID: 2, uid: "b")))
    #expect(!first.isSame(as: .stranger(processID: 1, uid: "c")))
    #expect(!first.isSame(as: .strayedToPod(processID: 1, uid: "b")))
    #expect(SightingObjection.strayedToNode(processID: 1).isSame(as: .strayedToNode(processID: 2)))
  }

  @Test func `are looked for all at once, one look after the other`() {
    var queue = SightingQueue()
    let first = [queue.add("a"), queue.add("b"), queue.add("a")]
    #expect(first == [true, false, false])
    let next = queue.next()
    #expect(next == ["a", "b"])
    let isAlone = queue.add("c")
    #expect(!isAlone, "a look is under way")
    let rest = [queue.next(), queue.next()]
    #expect(rest == [["c"], nil])
    let isFree = queue.add("d")
    #expect(isFree, "nobody looks any more")
  }

  @Test func `are all looked for every five seconds`() {
    var queue = SightingQueue()
    let start = Instant(nanoseconds: 0)
    let due = [0, 1, 4_999, 5_000, 5_001, 9_999, 10_000].map {
      queue.isRoundDue(at: start + .milliseconds($0))
    }
    #expect(due == [true, false, false, true, false, false, true])
  }
}
