import Linux
import MeshModel
import Synchronization

/// Whether the node is on its way out, and whether ztunnel has said that it is drained.
final class DrainState: Sendable {
  private let begun = Atomic<Bool>(false)
  private let finished = Atomic<Bool>(false)

  var isDraining: Bool { begun.load(ordering: .relaxed) }

  func begin() { begun.store(true, ordering: .relaxed) }

  func finish() { finished.store(true, ordering: .relaxed) }

  /// Waits until it has finished, the time is over, or there is nobody left to wait for.
  func wait(atMost limit: Duration, while isAnswerPossible: () -> Bool) async {
    let deadline = MonotonicClock.now() + limit
    while !finished.load(ordering: .relaxed), isAnswerPossible(), MonotonicClock.now() < deadline {
      do {
        try await Task.sleep(for: .milliseconds(10))
      } catch {
        return
      }
    }
  }
}
