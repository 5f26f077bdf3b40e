public import MeshModel

/// One identity's way to a certificate and on to the next one.
///
/// Eats events with the time, returns what to do. The certificate in force stands beside the
/// state: asking for the next one, and failing to get it, never takes a valid one away.
public struct IdentityState: Hashable, Sendable {
  public enum State: Hashable, Sendable {
    /// Not needed, or needed but not asked for yet. Next: requested.
    case none
    /// Asked `since`, after so many failures in a row. Next: valid, failing.
    case requested(since: WallTime, failures: Int)
    /// The next request goes out at `renewal`. Next: requested.
    case valid(until: WallTime, renewal: WallTime)
    /// Next: requested at `retryAt`.
    case failing(reason: String, retryAt: WallTime, failures: Int)
  }

  public enum Event: Hashable, Sendable {
    /// Somebody needs this identity, or the time to look again has come.
    case wake
    case issued(CertificateFacts)
    case refused(reason: String)
    /// Whoever was asked is gone; an outstanding request will never be answered.
    case authorityLost
    /// No pod needs it any more.
    case released
  }

  public enum Action: Hashable, Sendable {
    /// Make a key and send a request now, then wake at the time given if nothing comes.
    case request(answerBy: WallTime)
    /// Wake at this time.
    case wait(until: WallTime)
    /// Nothing to do and nothing to wait for.
    case none
  }

  public let identity: SPIFFEID
  public private(set) var state = State.none
  /// The newest certificate that arrived; it may have expired since.
  public private(set) var certificate: CertificateFacts?

  public init(identity: SPIFFEID) {
    self.identity = identity
  }

  /// The certificate to show to peers: expired is expired.
  public func usableCertificate(at now: WallTime) -> CertificateFacts? {
    guard let certificate, !certificate.isExpired(at: now) else { return nil }
    return certificate
  }

  /// Takes in what happened and says what to do; `jitter` is 0 to 1, drawn anew for each event.
  public mutating func on(_ event: Event, at now: WallTime, jitter: Double) -> Action {
    switch event {
    case .wake: wake(at: now, jitter: jitter)
    case .issued(let facts): issued(facts, at: now, jitter: jitter)
    case .refused(let reason): refused(reason, at: now, jitter: jitter)
    case .authorityLost: authorityLost(at: now)
    case .released: released()
    }
  }

  private mutating func wake(at now: WallTime, jitter: Double) -> Action {
    switch state {
    case .none:
      return request(after: 0, at: now)
    case .requested(let since, _):
      let deadline = since + IdentityLimit.answer
      if now < since { return rearm(at: now) }
      if now < deadline { return .wait(until: deadline) }
      return fail("no answer within \(IdentityLimit.answer)", at: now, jitter: jitter)
    case .valid(_, let renewal):
      guard renewal <= now || isTimeBehind(now) else { return .wait(until: renewal) }
      return request(after: 0, at: now)
    case .failing(_, let retryAt, let failures):
      // A wait longer than any backoff means that the calendar was set back meanwhile.
      let longest = IdentityLimit.longestRetry * (1 + IdentityLimit.retrySpread)
      guard retryAt <= now || longest < retryAt.since(now) else { return .wait(until: retryAt) }
      return request(after: failures, at: now)
    }
  }

  private mutating func issued(
    _ facts: CertificateFacts, at now: WallTime, jitter: Double
  ) -> Action {
    if state == .none { return .none }
    guard facts.identity == identity else {
      return fail("the certificate is for \(facts.identity)", at: now, jitter: jitter)
    }
    guard !facts.isExpired(at: now) else {
      return fail("the certificate had expired when it came", at: now, jitter: jitter)
    }
    // The one in force came again, with other roots: it does not get younger by that.
    if facts == certificate, let wait = waitUnderWay { return .wait(until: wait) }
    certificate = facts
    let renewal = RotationSchedule.renewal(of: facts, received: now, jitter: jitter)
    state = .valid(until: facts.notAfter, renewal: renewal)
    return .wait(until: renewal)
  }

  private var waitUnderWay: WallTime? {
    switch state {
    case .none: nil
    case .requested(let since, _): since + IdentityLimit.answer
    case .valid(_, let renewal): renewal
    case .failing(_, let retryAt, _): retryAt
    }
  }

  private mutating func refused(_ reason: String, at now: WallTime, jitter: Double) -> Action {
    switch state {
    case .requested: return fail(reason, at: now, jitter: jitter)
    case .none: return .none
    case .valid(_, let renewal): return .wait(until: renewal)
    case .failing(_, let retryAt, _): return .wait(until: retryAt)
    }
  }

  /// What is due then waits for the next wake, which the caller sends when somebody can answer.
  private mutating func authorityLost(at now: WallTime) -> Action {
    switch state {
    case .requested(_, let failures):
      state = .failing(
        reason: "the node agent went away before it answered", retryAt: now, failures: failures)
      return .none
    case .none: return .none
    case .valid(_, let renewal): return .wait(until: renewal)
    case .failing(_, let retryAt, _): return .wait(until: retryAt)
    }
  }

  private mutating func released() -> Action {
    state = .none
    certificate = nil
    return .none
  }

  private mutating func request(after failures: Int, at now: WallTime) -> Action {
    state = .requested(since: now, failures: failures)
    return .request(answerBy: now + IdentityLimit.answer)
  }

  /// The calendar was set back during a request: count the wait from now on.
  private mutating func rearm(at now: WallTime) -> Action {
    if case .requested(_, let failures) = state {
      state = .requested(since: now, failures: failures)
    }
    return .wait(until: now + IdentityLimit.answer)
  }

  private mutating func fail(_ reason: String, at now: WallTime, jitter: Double) -> Action {
    let before =
      switch state {
      case .requested(_, let failures), .failing(_, _, let failures): failures
      case .none, .valid: 0
      }
    let expiry = usableCertificate(at: now)?.notAfter
    let retryAt = RotationSchedule.retry(
      afterFailure: before + 1, at: now, expiry: expiry, jitter: jitter)
    state = .failing(reason: reason, retryAt: retryAt, failures: before + 1)
    return .wait(until: retryAt)
  }

  /// The calendar was set back so far that peers would call our certificate not yet valid.
  private func isTimeBehind(_ now: WallTime) -> Bool {
    certificate.map { now < $0.notBefore } ?? false
  }
}

extension IdentityState {
  /// One word or the reason, for `status`.
  public var summary: String {
    switch state {
    case .none: "not requested"
    case .requested: "requested"
    case .valid: "valid"
    case .failing(let reason, _, _): reason
    }
  }
}
