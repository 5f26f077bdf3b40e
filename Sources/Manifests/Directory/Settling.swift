import MeshModel

/// Decides when a directory that changes has come to rest.
///
/// Files that belong together are seldom written in one instant: a change is read when nothing has
/// happened for `quiet`, and counts when nothing happened while it was read. One that goes on for
/// `longest` is taken as it is.
struct Settling: Hashable, Sendable {
  private enum State: Hashable, Sendable {
    case resting
    case changing(since: Instant, last: Instant)
  }

  let quiet: Duration
  let longest: Duration
  private var state = State.resting

  init(quiet: Duration, longest: Duration) {
    self.quiet = quiet
    self.longest = longest
  }

  /// Nothing is going on.
  var isResting: Bool { state == .resting }

  /// Takes in whether anything changed since the last call; true: read the directory now.
  mutating func observe(hasChanged: Bool, at now: Instant) -> Bool {
    switch state {
    case .resting:
      if hasChanged { state = .changing(since: now, last: now) }
      return false
    case .changing(let since, let last):
      let latest = hasChanged ? now : last
      state = .changing(since: since, last: latest)
      return now.since(latest) >= quiet || now.since(since) >= longest
    }
  }

  /// Takes in whether anything changed during the reading; true: what was read counts.
  mutating func confirm(hasChanged: Bool, at now: Instant) -> Bool {
    if case .changing(let since, _) = state, hasChanged, now.since(since) < longest {
      state = .changing(since: since, last: now)
      return false
    }
    state = .resting
    return true
  }
}
