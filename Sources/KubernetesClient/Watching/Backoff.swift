/// How long to stay away after a failure: twice as long each time, with chance in it, so that many
/// clients of a server that comes back do not come back together.
struct Backoff: Hashable, Sendable {
  private(set) var failures = 0

  mutating func succeeded() { failures = 0 }

  /// The wait after one more failure; `chance` is from 0 up to 1.
  mutating func failed(chance: Double, retryAfter: Duration?) -> Duration {
    failures += 1
    let doublings = min(failures - 1, 10)
    let most = min(Limit.firstDelay * (1 << doublings), Limit.longestDelay)
    let wait = most / 2 + most / 2 * chance
    guard let retryAfter else { return wait }
    // Jitter on top: everybody was told the same.
    return max(wait, min(retryAfter, Limit.longestRetryAfter) + Limit.firstDelay * chance)
  }
}
