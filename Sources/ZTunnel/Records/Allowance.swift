import MeshModel

/// So many in so much time, then none until it is over.
struct Allowance {
  let count: Int
  let window: Duration
  private var begun: Instant?
  private var used = 0

  init(_ count: Int, per window: Duration) {
    self.count = count
    self.window = window
  }

  /// Takes one; false when there is none left.
  mutating func take(at now: Instant) -> Bool {
    if let begun, now.since(begun) < window {
      guard used < count else { return false }
      used += 1
      return true
    }
    begun = now
    used = 1
    return count > 0
  }
}
