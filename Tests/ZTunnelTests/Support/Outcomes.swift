import Linux
import MeshModel
import Synchronization
import TestSupport

/// What other threads of a test have to say.
final class Outcomes: Sendable {
  private let words = Mutex<[String]>([])

  func add(_ word: String) { words.withLock { $0.append(word) } }

  func next(within limit: Duration = patience) throws -> String {
    let deadline = MonotonicClock.now() + limit
    let poller = try Poller()
    var events: [PollEvent] = []
    while MonotonicClock.now() < deadline {
      let word = words.withLock { $0.isEmpty ? nil : $0.removeFirst() }
      if let word { return word }
      try poller.wait(timeout: .milliseconds(5), into: &events)
    }
    throw Stream.Failure.timedOut
  }
}
