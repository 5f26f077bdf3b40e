/// How long a test waits for what must come: on a machine ten times slower than ours it comes too.
///
/// A promise with a time in it is measured by `make bench`, not by a limit in a test.
package let patience = Duration.seconds(60)

package struct TooSlow: Error {}

/// Waits until `isTrue`, no longer than ``patience``.
package func waitFor(_ isTrue: () async -> Bool) async throws {
  let deadline = ContinuousClock.now + patience
  while await !isTrue() {
    guard ContinuousClock.now < deadline else { throw TooSlow() }
    try await Task.sleep(for: .milliseconds(10))
  }
}
