import MeshModel
import Testing

@testable import Manifests

@Suite struct `A change counts when it has come to rest` {
  /// Milliseconds at which the directory is asked, and whether it changed since.
  struct Row: CustomTestStringConvertible {
    var says: String
    var observed: [(at: UInt64, hasChanged: Bool)]
    var readsAt: [UInt64]
    var testDescription: String { says }
  }

  @Test(arguments: [
    Row(says: "never without a change", observed: [(0, false), (100, false)], readsAt: []),
    Row(
      says: "after a quiet time",
      observed: [(0, true), (25, false), (49, false), (50, false), (75, false)], readsAt: [50]),
    Row(
      says: "after the last of several changes",
      observed: [(0, true), (40, true), (75, false), (89, false), (90, false)], readsAt: [90]),
    Row(
      says: "after the longest time, resting or not",
      observed: (0...12).map { ($0 * 40, true) } + [(499, true), (500, true)], readsAt: [500]),
    Row(
      says: "again for another change",
      observed: [(0, true), (50, false), (60, true), (110, false)], readsAt: [50, 110]),
  ])
  func `namely`(row: Row) {
    var settling = Settling(quiet: .milliseconds(50), longest: .milliseconds(500))
    var reads: [UInt64] = []
    for (at, hasChanged) in row.observed {
      let now = Instant(nanoseconds: at * 1_000_000)
      if settling.observe(hasChanged: hasChanged, at: now) {
        reads.append(at)
        let counts = settling.confirm(hasChanged: false, at: now)
        #expect(counts)
      }
    }
    #expect(reads == row.readsAt)
  }

  @Test func `a change during the reading spoils it, but not for ever`() {
    var settling = Settling(quiet: .milliseconds(50), longest: .milliseconds(500))
    var isDue: Bool
    func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
    isDue = settling.observe(hasChanged: true, at: at(0))
    #expect(!isDue)
    isDue = settling.observe(hasChanged: false, at: at(50))
    #expect(isDue)
    isDue = settling.confirm(hasChanged: true, at: at(60))
    #expect(!isDue)
    isDue = settling.observe(hasChanged: false, at: at(100))
    #expect(!isDue)
    isDue = settling.observe(hasChanged: false, at: at(110))
    #expect(isDue)
    isDue = settling.confirm(hasChanged: true, at: at(120))
    #expect(!isDue)
    isDue = settling.observe(hasChanged: true, at: at(500))
    #expect(isDue)
    isDue = settling.confirm(hasChanged: true, at: at(510))
    #expect(isDue)
    isDue = settling.observe(hasChanged: false, at: at(600))
    #expect(!isDue)
  }
}
