import Identity
import MeshModel
import Testing

private let who = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "cart")
private let other = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "ads")

private func time(_ seconds: Double) -> WallTime { WallTime(secondsSinceEpoch: seconds) }

private func certificate(_ begin: Double, _ end: Double, of who: SPIFFEID = who) -> CertificateFacts
{
  CertificateFacts(
    identity: who, serialNumber: "1f", notBefore: time(begin), notAfter: time(end))
}

/// A machine and a shorthand for its events, with the jitter in the middle.
private struct Script {
  var machine = IdentityState(identity: who)

  mutating func on(_ event: IdentityState.Event, at now: Double) -> IdentityState.Action {
    machine.on(event, at: time(now), jitter: 0.5)
  }

  /// A machine that got a 100-second certificate at 1000.
  static var valid: Script {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    _ = script.on(.issued(certificate(980, 1_100)), at: 1_000)
    return script
  }
}

@Suite struct `An identity gets its certificate and keeps one` {
  @Test func `the first need asks at once`() {
    var script = Script()
    #expect(script.on(.wake, at: 1_000) == .request(answerBy: time(1_045)))
    #expect(script.machine.state == .requested(since: time(1_000), failures: 0))
    #expect(script.machine.usableCertificate(at: time(1_000)) == nil)
  }

  @Test func `a second need meanwhile waits for the same answer`() {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    #expect(script.on(.wake, at: 1_004) == .wait(until: time(1_045)))
  }

  @Test func `the answer is valid until it expires and renewed at half of that`() {
    let script = Script.valid
    #expect(script.machine.state == .valid(until: time(1_100), renewal: time(1_050)))
    #expect(script.machine.usableCertificate(at: time(1_100)) == certificate(980, 1_100))
    #expect(script.machine.summary == "valid")
  }

  @Test func `the same certificate with other roots is renewed when it was to be`() {
    var script = Script.valid
    for now in [1_010.0, 1_020, 1_040] {
      #expect(script.on(.issued(certificate(980, 1_100)), at: now) == .wait(until: time(1_050)))
    }
    #expect(script.machine.state == .valid(until: time(1_100), renewal: time(1_050)))
    _ = script.on(.wake, at: 1_050)
    #expect(script.on(.issued(certificate(980, 1_100)), at: 1_051) == .wait(until: time(1_095)))
    guard case .wait(let retry) = script.on(.refused(reason: "busy"), at: 1_052) else {
      Issue.record("a refusal waits")
      return
    }
    #expect(script.on(.issued(certificate(980, 1_100)), at: 1_052) == .wait(until: retry))
  }

  @Test func `renewal asks again and keeps the old one in use`() {
    var script = Script.valid
    #expect(script.on(.wake, at: 1_049) == .wait(until: time(1_050)))
    #expect(script.on(.wake, at: 1_050) == .request(answerBy: time(1_095)))
    #expect(script.machine.usableCertificate(at: time(1_055)) == certificate(980, 1_100))
    _ = script.on(.issued(certificate(1_030, 1_150)), at: 1_051)
    #expect(script.machine.usableCertificate(at: time(1_055)) == certificate(1_030, 1_150))
  }

  @Test func `failing to renew never drops a valid certificate, and expired is expired`() {
    var script = Script.valid
    _ = script.on(.wake, at: 1_050)
    #expect(script.on(.refused(reason: "no"), at: 1_050) == .wait(until: time(1_050.5)))
    var now = 1_050.5
    for _ in 0..<7 {
      #expect(script.on(.wake, at: now) == .request(answerBy: time(now + 45)))
      guard case .wait(let until) = script.on(.refused(reason: "no"), at: now) else {
        Issue.record("a refusal is followed by a wait")
        return
      }
      #expect(script.machine.usableCertificate(at: time(now)) != nil || now > 1_100)
      now = until.secondsSinceEpoch
    }
    #expect(script.machine.usableCertificate(at: time(1_100)) != nil)
    #expect(script.machine.usableCertificate(at: time(1_100.1)) == nil)
    #expect(script.machine.summary == "no")
  }

  @Test func `the last retry comes no later than the expiry`() {
    var script = Script.valid
    _ = script.on(.wake, at: 1_099)
    for _ in 0..<8 {
      guard case .wait(let until) = script.on(.refused(reason: "no"), at: 1_099) else { return }
      #expect(until <= time(1_100))
      _ = script.on(.wake, at: until.secondsSinceEpoch)
    }
  }

  @Test func `silence counts as a refusal`() {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    #expect(script.on(.wake, at: 1_045) == .wait(until: time(1_045.5)))
    guard case .failing(_, _, failures: 1) = script.machine.state else {
      Issue.record("\(script.machine.state)")
      return
    }
    #expect(script.on(.wake, at: 1_045.5) == .request(answerBy: time(1_090.5)))
    #expect(script.machine.state == .requested(since: time(1_045.5), failures: 1))
  }

  @Test func `an answer after all is taken`() {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    _ = script.on(.wake, at: 1_045)
    #expect(script.on(.issued(certificate(980, 1_100)), at: 1_050) == .wait(until: time(1_075)))
  }

  @Test func `success forgets earlier failures`() {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    for now in [1_000.0, 1_001, 1_003] {
      _ = script.on(.refused(reason: "no"), at: now)
      _ = script.on(.wake, at: now + 3)
    }
    _ = script.on(.issued(certificate(980, 1_100)), at: 1_010)
    _ = script.on(.wake, at: 1_090)
    #expect(script.on(.refused(reason: "no"), at: 1_090) == .wait(until: time(1_090.5)))
  }

  @Test func `when the agent goes away the request is due at once again`() {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    #expect(script.on(.authorityLost, at: 1_002) == .none)
    #expect(script.on(.wake, at: 1_003) == .request(answerBy: time(1_048)))
  }

  @Test func `when the agent goes away a valid certificate keeps its renewal`() {
    var script = Script.valid
    #expect(script.on(.authorityLost, at: 1_002) == .wait(until: time(1_050)))
  }

  @Test func `new roots come as the same certificate and change nothing else`() {
    var script = Script.valid
    #expect(script.on(.issued(certificate(980, 1_100)), at: 1_020) == .wait(until: time(1_050)))
  }

  @Test func `a certificate of another identity is refused`() {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    _ = script.on(.issued(certificate(980, 1_100, of: other)), at: 1_001)
    #expect(script.machine.certificate == nil)
    #expect(script.machine.summary == "the certificate is for \(other)")
  }

  @Test func `a certificate that is over when it comes is refused`() {
    var script = Script()
    _ = script.on(.wake, at: 1_000)
    _ = script.on(.issued(certificate(900, 999)), at: 1_001)
    #expect(script.machine.certificate == nil)
    guard case .failing = script.machine.state else {
      Issue.record("\(script.machine.state)")
      return
    }
  }

  @Test func `released, it holds nothing and ignores late answers`() {
    var script = Script.valid
    #expect(script.on(.released, at: 1_010) == .none)
    #expect(script.on(.issued(certificate(980, 1_100)), at: 1_011) == .none)
    #expect(script.on(.refused(reason: "no"), at: 1_011) == .none)
    #expect(script.on(.authorityLost, at: 1_011) == .none)
    #expect(script.machine.certificate == nil)
    #expect(script.machine.state == .none)
  }

  @Test func `ten-second leaves rotate every five seconds`() {
    var script = Script()
    var now = 1_000.0
    for _ in 0..<100 {
      #expect(script.on(.wake, at: now) == .request(answerBy: time(now + 45)))
      let wait = script.on(.issued(certificate(now - 10, now + 10)), at: now)
      #expect(wait == .wait(until: time(now + 5)))
      now += 5
    }
  }
}

@Suite struct `A calendar set back hangs nothing` {
  @Test func `a wait longer than any backoff is over`() {
    var script = Script()
    _ = script.on(.wake, at: 100_000)
    _ = script.on(.refused(reason: "no"), at: 100_000)
    #expect(script.on(.wake, at: 1_000) == .request(answerBy: time(1_045)))
  }

  @Test func `a certificate that is not valid yet is renewed`() {
    var script = Script.valid
    #expect(script.on(.wake, at: 500) == .request(answerBy: time(545)))
  }

  @Test func `an outstanding request counts from the new time`() {
    var script = Script()
    _ = script.on(.wake, at: 100_000)
    #expect(script.on(.wake, at: 1_000) == .wait(until: time(1_045)))
    guard case .wait = script.on(.wake, at: 1_045) else { return }
    guard case .failing = script.machine.state else {
      Issue.record("\(script.machine.state)")
      return
    }
  }
}
