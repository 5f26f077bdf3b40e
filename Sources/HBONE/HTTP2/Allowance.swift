import MeshModel

/// How much of a `Rate` a peer has used: one number, the moment at which all is earned back.
struct Allowance: Sendable {
  private var earnedBackAt: UInt64 = 0

  /// False when that is more than the rate allows.
  mutating func take(_ rate: Rate, at now: Instant) -> Bool {
    let from = max(earnedBackAt, now.nanoseconds)
    earnedBackAt = from + rate.interval
    return from - now.nanoseconds < rate.interval * UInt64(rate.burst)
  }
}

/// What the peer has used of every rate in `Limit`.
struct Allowances: Sendable {
  private var earlyResets = Allowance()
  private var resets = Allowance()
  private var refusals = Allowance()
  private var streamErrors = Allowance()
  private var settings = Allowance()
  private var pings = Allowance()
  private var emptyFrames = Allowance()
  private var tinyFrames = Allowance()
  private var ignoredFrames = Allowance()
  private var windowUpdates = Allowance()
  private var dribbles = Allowance()
  /// WINDOW_UPDATE frames that DATA frames of ours have paid for.
  private var paidWindowUpdates = 0

  /// Window updates one DATA frame can bring about: its stream's and the connection's.
  private static let windowUpdatesPerData = 2
  private static let mostPaidWindowUpdates = 100_000

  mutating func sentData() {
    paidWindowUpdates = min(
      paidWindowUpdates + Self.windowUpdatesPerData, Self.mostPaidWindowUpdates)
  }

  mutating func reset(beforeAnswer: Bool, at now: Instant) throws(ConnectionError) {
    if beforeAnswer, !earlyResets.take(Limit.earlyResets, at: now) { throw .abuse(.rapidReset) }
    guard resets.take(Limit.resets, at: now) else { throw .abuse(.resetStorm) }
  }

  mutating func refusal(at now: Instant) throws(ConnectionError) {
    guard refusals.take(Limit.refusals, at: now) else { throw .abuse(.tooManyRefusals) }
  }

  mutating func streamError(at now: Instant) throws(ConnectionError) {
    guard streamErrors.take(Limit.streamErrors, at: now) else {
      throw .abuse(.tooManyStreamErrors)
    }
  }

  mutating func settings(at now: Instant) throws(ConnectionError) {
    guard settings.take(Limit.settings, at: now) else { throw .abuse(.settingsFlood) }
  }

  mutating func ping(at now: Instant) throws(ConnectionError) {
    guard pings.take(Limit.pings, at: now) else { throw .abuse(.pingFlood) }
  }

  mutating func emptyFrame(at now: Instant) throws(ConnectionError) {
    guard emptyFrames.take(Limit.emptyFrames, at: now) else { throw .abuse(.emptyFrameFlood) }
  }

  mutating func tinyFrame(at now: Instant) throws(ConnectionError) {
    guard tinyFrames.take(Limit.tinyFrames, at: now) else { throw .abuse(.tinyFrameFlood) }
  }

  mutating func ignoredFrame(at now: Instant) throws(ConnectionError) {
    guard ignoredFrames.take(Limit.ignoredFrames, at: now) else {
      throw .abuse(.ignoredFrameFlood)
    }
  }

  mutating func windowUpdate(leaving window: Int, at now: Instant) throws(ConnectionError) {
    if window > 0, window < Limit.dribbleBytes, !dribbles.take(Limit.dribbles, at: now) {
      throw .abuse(.windowDribble)
    }
    if paidWindowUpdates > 0 {
      paidWindowUpdates -= 1
      return
    }
    guard windowUpdates.take(Limit.windowUpdates, at: now) else {
      throw .abuse(.windowUpdateFlood)
    }
  }
}
