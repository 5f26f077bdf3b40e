import MeshModel

/// How long to wait before ztunnel is started again.
///
/// The first crashes within the window restart at once; after that the wait doubles.
struct RestartSchedule {
  private var recent: [Instant] = []
  private var delayed = 0

  /// Notes a crash; the wait before the next start.
  mutating func delayAfterCrash(at now: Instant) -> Duration {
    recent = recent.filter { now.since($0) < Limit.crashWindow } + [now]
    guard recent.count > Limit.crashesWithoutDelay else {
      delayed = 0
      return .zero
    }
    // The window holds few crashes once the waits are long: the count of waits carries on alone.
    recent.removeFirst(recent.count - Limit.crashesWithoutDelay - 1)
    let doublings = min(delayed, 16)
    delayed += 1
    return min(Limit.restartDelayFirst * (1 << doublings), Limit.restartDelayMost)
  }
}
