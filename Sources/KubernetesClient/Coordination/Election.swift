public import MeshModel

/// Decides who of several replicas leads, by one Lease: what was read or written goes in, what to
/// read or write next comes out.
///
/// Another's clock is never believed: a lease is over when it was not written for its duration by
/// our own. We stop leading before others can begin, whatever the server does.
public struct Election: Sendable {
  public struct Rules: Hashable, Sendable {
    public var duration: Duration
    /// Leading ends when renewing has not worked for this long; shorter than `duration`.
    public var renewDeadline: Duration
    public var retryInterval: Duration

    public init(
      duration: Duration = .seconds(15), renewDeadline: Duration = .seconds(10),
      retryInterval: Duration = .seconds(2)
    ) {
      self.duration = duration
      self.renewDeadline = renewDeadline
      self.retryInterval = retryInterval
    }
  }

  public enum Event: Sendable {
    /// Nil: there is no such Lease.
    case read(ReadLease?)
    case written(ReadLease)
    /// Somebody else wrote first.
    case conflict
    case failed
    case timer
    /// We end: whoever else is there may lead at once.
    case leaving
  }

  public enum Action: Hashable, Sendable {
    case read
    case create(LeaseRecord)
    case replace(LeaseRecord, over: ReadLease)
    case wait(Duration)
    /// Nothing more to do.
    case end
  }

  private struct Observation: Sendable {
    var lease: ReadLease
    /// When this version of it was first seen.
    var at: Instant
  }

  public let identity: String
  private let rules: Rules
  private var observation: Observation?
  /// When the last write of ours that worked was begun.
  private var renewedAt: Instant?
  private var writingSince: Instant?
  private var acquired: WallTime?
  private var isLeaving = false

  public init(identity: String, rules: Rules = Rules()) {
    precondition(rules.renewDeadline < rules.duration, "others begin before we stop")
    self.identity = identity
    self.rules = rules
  }

  public var start: Action { .read }

  /// Whether we lead at this moment.
  public func isLeading(at now: Instant) -> Bool {
    guard let renewedAt, !isLeaving else { return false }
    return now.since(renewedAt) < rules.renewDeadline
  }

  public mutating func take(
    _ event: Event, at now: Instant, wall: WallTime, chance: Double
  ) -> Action {
    switch event {
    case .read(let lease): return take(lease, at: now, wall: wall, chance)
    case .written(let lease):
      observation = Observation(lease: lease, at: now)
      if isLeaving { return .end }
      renewedAt = writingSince
      return pause(chance)
    case .conflict, .failed:
      writingSince = nil
      return isLeaving ? .end : pause(chance)
    case .timer: return .read
    case .leaving:
      let led = isLeading(at: now)
      isLeaving = true
      guard led, let observation, observation.lease.holder == identity else { return .end }
      return .replace(record(holder: "", observation.lease, wall), over: observation.lease)
    }
  }

  private mutating func take(
    _ lease: ReadLease?, at now: Instant, wall: WallTime, _ chance: Double
  ) -> Action {
    guard let lease else {
      observation = nil
      writingSince = now
      acquired = wall
      return .create(
        LeaseRecord(
          holder: identity, duration: rules.duration, acquired: wall, renewed: wall, transitions: 0)
      )
    }
    if observation?.lease.resourceVersion != lease.resourceVersion {
      observation = Observation(lease: lease, at: now)
    }
    let isOurs = lease.holder == identity
    if !isOurs {
      renewedAt = nil
      let lasts = lease.duration == .zero ? rules.duration : lease.duration
      let age = now.since(observation?.at ?? now)
      guard lease.holder.isEmpty || age >= lasts else { return pause(chance) }
    }
    if !isOurs || acquired == nil { acquired = wall }
    writingSince = now
    return .replace(record(holder: identity, lease, wall), over: lease)
  }

  private func record(holder: String, _ lease: ReadLease, _ wall: WallTime) -> LeaseRecord {
    let changes = holder != lease.holder && !holder.isEmpty
    return LeaseRecord(
      holder: holder, duration: holder.isEmpty ? .seconds(1) : rules.duration,
      acquired: acquired ?? wall, renewed: wall, transitions: lease.transitions + (changes ? 1 : 0))
  }

  private func pause(_ chance: Double) -> Action {
    .wait(rules.retryInterval * (1 + chance / 5))
  }
}
