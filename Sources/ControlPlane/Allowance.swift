import MeshModel

/// How often something may happen: so many in a second, and more at once after a quiet time.
struct Allowance: Hashable, Sendable {
  let perSecond: Double
  let burst: Double
  private var credit: Double
  private var last: Instant?

  init(perSecond: Double, burst: Double) {
    self.perSecond = perSecond
    self.burst = burst
    credit = burst
  }

  /// True when it may happen now; it is then taken as done.
  mutating func take(at now: Instant) -> Bool {
    if let last {
      let (seconds, attoseconds) = now.since(last).components
      credit = min(burst, credit + perSecond * (Double(seconds) + Double(attoseconds) / 1e18))
    }
    last = now
    guard credit >= 1 else { return false }
    credit -= 1
    return true
  }
}
