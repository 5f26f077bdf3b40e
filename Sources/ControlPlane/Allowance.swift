import MeshModel

/// How often something may happen: so many in a second, and more at once after a quiet time.
struct Allowance: Hashable, Sendable {
  struct Rate: Hashable, Sendable {
    var perSecond: Double
    var burst: Double
  }

  let rate: Rate
  private var credit: Double
  private var last: Instant?

  init(_ rate: Rate) {
    self.rate = rate
    credit = rate.burst
  }

  /// True when it may happen now; it is then taken as done.
  mutating func take(at now: Instant) -> Bool {
    credit = credit(at: now)
    last = now
    guard credit >= 1 else { return false }
    credit -= 1
    return true
  }

  /// What was taken did not count.
  mutating func giveBack() { credit = min(rate.burst, credit + 1) }

  /// Whether it is as one that nothing was ever taken from.
  func isWhole(at now: Instant) -> Bool { credit(at: now) >= rate.burst }

  private func credit(at now: Instant) -> Double {
    guard let last else { return credit }
    let (seconds, attoseconds) = now.since(last).components
    return min(
      rate.burst, credit + rate.perSecond * (Double(seconds) + Double(attoseconds) / 1e18))
  }
}

/// An allowance for each of many, of which so many are remembered.
///
/// When there is no room those are forgotten who have been quiet for long enough. Who finds none all
/// the same shares one allowance with everybody else who does.
struct AllowanceTable<Key: Hashable & Sendable>: Sendable {
  /// How often room is looked for, so that a full table costs little.
  private static var sweepInterval: Duration { .seconds(1) }

  let rate: Allowance.Rate
  let limit: Int
  private var allowances: [Key: Allowance] = [:]
  private var rest: Allowance
  private var sweptAt: Instant?

  init(_ rate: Allowance.Rate, limit: Int) {
    self.rate = rate
    self.limit = limit
    rest = Allowance(rate)
  }

  var count: Int { allowances.count }

  mutating func take(_ key: Key, at now: Instant) -> Bool {
    if allowances[key] == nil, allowances.count >= limit { makeRoom(at: now) }
    guard allowances[key] != nil || allowances.count < limit else { return rest.take(at: now) }
    return allowances[key, default: Allowance(rate)].take(at: now)
  }

  mutating func giveBack(_ key: Key) {
    if allowances[key] == nil { rest.giveBack() } else { allowances[key]?.giveBack() }
  }

  private mutating func makeRoom(at now: Instant) {
    if let sweptAt, now.since(sweptAt) < Self.sweepInterval { return }
    sweptAt = now
    allowances = allowances.filter { !$0.value.isWhole(at: now) }
  }
}
