/// How long to wait before the next stream to the control plane: never nothing.
struct ReconnectBackoff: Hashable, Sendable {
  private var failures = 0

  /// The wait after a stream that was in step for so long; nil when it never was.
  ///
  /// - jitter: 0 to 1, drawn anew each time; it spreads nodes over the upper half of the wait.
  mutating func delay(afterInStepFor duration: Duration?, jitter: Double) -> Duration {
    if let duration, Limit.discoveryProven <= duration { failures = 0 }
    let doublings = min(failures, 16)
    failures += 1
    let most = min(Limit.discoveryRetryFirst * (1 << doublings), Limit.discoveryRetryMost)
    return most * (0.5 + min(max(jitter, 0), 1) / 2)
  }
}
