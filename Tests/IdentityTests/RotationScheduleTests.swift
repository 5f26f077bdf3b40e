import Identity
import MeshModel
import Testing

private let who = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "cart")

private func time(_ seconds: Double) -> WallTime { WallTime(secondsSinceEpoch: seconds) }

private func certificate(from begin: Double, to end: Double) -> CertificateFacts {
  CertificateFacts(
    identity: who, serialNumber: "1f", notBefore: time(begin), notAfter: time(end))
}

@Suite struct `A certificate is renewed at half of the life it had left` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var begin: Double
    var end: Double
    var received: Double
    var jitter: Double
    var renewal: Double
    var testDescription: String { says }
  }

  @Test(arguments: [
    Row(says: "a day", begin: 880, end: 87_400, received: 1_000, jitter: 0.5, renewal: 44_200),
    Row(says: "a day, early", begin: 880, end: 87_400, received: 1_000, jitter: 0, renewal: 39_880),
    Row(says: "a day, late", begin: 880, end: 87_400, received: 1_000, jitter: 1, renewal: 48_520),
    Row(says: "ten seconds", begin: 990, end: 1_010, received: 1_000, jitter: 0.5, renewal: 1_005),
    Row(
      says: "ten seconds, backdated by minutes", begin: 880, end: 1_010, received: 1_000,
      jitter: 0.5, renewal: 1_005),
    Row(
      says: "delivered late", begin: 880, end: 1_010, received: 1_006, jitter: 0.5, renewal: 1_008),
    Row(
      says: "nearly over: never in a hot loop", begin: 880, end: 1_010, received: 1_009.9,
      jitter: 0.5, renewal: 1_010.9),
    Row(
      says: "a jitter out of range counts as its end", begin: 0, end: 2_000, received: 1_000,
      jitter: 7, renewal: 1_550),
  ])
  func `renewal`(row: Row) {
    let renewal = RotationSchedule.renewal(
      of: certificate(from: row.begin, to: row.end), received: time(row.received),
      jitter: row.jitter)
    #expect(abs(renewal.secondsSinceEpoch - row.renewal) < 0.001)
  }
}

@Suite struct `A failure is followed by longer and longer waits` {
  @Test(arguments: zip(1...12, [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150]))
  func `without a certificate`(failures: Int, wait: Double) {
    let retry = RotationSchedule.retry(
      afterFailure: failures, at: time(1_000), expiry: nil, jitter: 0.5)
    #expect(abs(retry.secondsSinceEpoch - 1_000 - wait) < 0.001)
  }

  @Test func `spread by a fifth to either side`() {
    let early = RotationSchedule.retry(afterFailure: 5, at: time(0), expiry: nil, jitter: 0)
    let late = RotationSchedule.retry(afterFailure: 5, at: time(0), expiry: nil, jitter: 1)
    #expect(abs(early.secondsSinceEpoch - 6.4) < 0.001)
    #expect(abs(late.secondsSinceEpoch - 9.6) < 0.001)
  }

  @Test func `never past the expiry of a certificate still valid`() {
    let retry = RotationSchedule.retry(
      afterFailure: 9, at: time(1_000), expiry: time(1_030), jitter: 0.5)
    #expect(retry == time(1_030))
  }

  @Test func `nor in a hot loop just before it`() {
    let retry = RotationSchedule.retry(
      afterFailure: 9, at: time(1_000), expiry: time(1_000.001), jitter: 0.5)
    #expect(retry == time(1_000.5))
  }

  @Test func `an expiry in the past caps nothing`() {
    let retry = RotationSchedule.retry(
      afterFailure: 9, at: time(1_000), expiry: time(900), jitter: 0.5)
    #expect(retry == time(1_128))
  }

  @Test func `even after a million failures`() {
    let retry = RotationSchedule.retry(
      afterFailure: 1_000_000, at: time(0), expiry: nil, jitter: 0.5)
    #expect(retry == time(150))
  }
}

@Suite struct `A certificate's dates include both ends` {
  @Test(arguments: zip([9.9, 10, 15, 20, 20.1], [false, true, true, true, false]))
  func `valid`(now: Double, isValid: Bool) {
    #expect(certificate(from: 10, to: 20).isValid(at: time(now)) == isValid)
  }
}
