import AgentProtocol
import Linux
import MeshModel
import TLS
import Testing

@testable import ZTunnel

@Suite struct `The keeper of identities` {
  private static let identity = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "client")

  @Test func `takes new roots for the certificate in use while the next one is on its way`() throws
  {
    let authority = try TestAuthority()
    let other = try TestAuthority()
    var keeper = IdentityKeeper()
    #expect(keeper.setIdentity(Self.identity, ofPod: "pod").isEmpty)
    let now = WallClock.now()
    let requests = keeper.dueRequests(at: now) { 0 }
    var current = try authority.sign(try #require(requests.first))
    let held = keeper.received(current, at: now, jitter: 0)
    // Past the half of its one day.
    let renewal = WallTime(secondsSinceEpoch: now.secondsSinceEpoch + 80_000)
    let renewals = keeper.dueRequests(at: renewal) { 0 }

    current.roots.append(other.root)
    let renewed = keeper.received(current, at: renewal, jitter: 0)
    #expect(renewed?.facts == held?.facts)
    #expect(renewed?.rootCount == 2)
    #expect(keeper.records(at: renewal, under: .own).map(\.state) == ["requested"])

    let answer = try authority.sign(try #require(renewals.first))
    let next = keeper.received(answer, at: renewal, jitter: 0)
    #expect(next != nil && next?.facts != held?.facts)
    #expect(keeper.records(at: renewal, under: .own).map(\.state) == ["valid"])
  }

  /// A keeper that holds a good certificate, and the request for the next.
  private func renewing(_ authority: TestAuthority) throws -> (
    keeper: IdentityKeeper, held: CertificateRecord, request: SigningRequest, now: WallTime
  ) {
    var keeper = IdentityKeeper()
    _ = keeper.setIdentity(Self.identity, ofPod: "pod")
    let now = WallClock.now()
    let requests = keeper.dueRequests(at: now) { 0 }
    let first = try #require(requests.first)
    _ = keeper.received(try authority.sign(first), at: now, jitter: 0)
    let held = try #require(keeper.records(at: now, under: .own).first)
    let later = WallTime(secondsSinceEpoch: now.secondsSinceEpoch + 50_000)
    let renewals = keeper.dueRequests(at: later) { 0 }
    let request = try #require(renewals.first)
    return (keeper, held, request, later)
  }

  struct Broken: CustomTestStringConvertible, Sendable {
    var says: String
    var mentions: String
    var answer:
      @Sendable (TestAuthority, SigningRequest, SigningRequest) throws -> IssuedCertificate
    var testDescription: String { says }
  }

  private static let stranger = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "stranger")

  private static func unsigned() throws -> SigningRequest {
    SigningRequest(
      identity: identity, request: try PrivateKey().signingRequest(for: identity))
  }

  @Test(arguments: [
    Broken(says: "of another identity", mentions: "is for") { authority, request, _ in
      try authority.sign(request, as: stranger)
    },
    Broken(says: "expired", mentions: "expired") { authority, request, _ in
      try authority.sign(request, days: -1)
    },
    Broken(says: "of an authority with a weak key", mentions: "key too weak") { _, request, _ in
      try TestAuthority(key: "rsa:1024").sign(request)
    },
    Broken(says: "for a key that is not ours", mentions: "not for the key") { authority, _, other in
      try authority.sign(other)
    },
    Broken(says: "that leads to no root", mentions: "peers would refuse") { authority, request, _ in
      var answer = try authority.sign(request)
      answer.roots = [try TestAuthority().root]
      return answer
    },
    Broken(says: "that may sign others", mentions: "CA:TRUE") { authority, request, _ in
      try authority.sign(request, isAuthority: true)
    },
    Broken(says: "without extended key usage", mentions: "lacks") { authority, request, _ in
      try authority.sign(request, usage: "subjectKeyIdentifier=hash")
    },
    Broken(says: "for one end only", mentions: "lacks") { authority, request, _ in
      try authority.sign(request, usage: "extendedKeyUsage=serverAuth")
    },
    Broken(says: "without roots", mentions: "no root") { authority, request, _ in
      var answer = try authority.sign(request)
      answer.roots = []
      return answer
    },
    Broken(says: "of noise", mentions: "not one DER") { authority, request, _ in
      var answer = try authority.sign(request)
      answer.chain = [[1, 2, 3]]
      return answer
    },
  ])
  func `refuses an answer, says why, and keeps what it has`(row: Broken) throws {
    let authority = try TestAuthority()
    var (keeper, held, request, now) = try renewing(authority)
    let answer = try row.answer(authority, request, Self.unsigned())
    // The expired one is judged by today's clock, which is behind the renewal's.
    #expect(keeper.received(answer, at: now, jitter: 0) == nil)
    let record = try #require(keeper.records(at: now, under: .own).first)
    #expect(record.state.contains(row.mentions), "\(record.state)")
    #expect(record.serialNumber == held.serialNumber)
    #expect(now < record.renewal, "asks again")
  }

  @Test func `says when its own certificate is taken back`() throws {
    let authority = try TestAuthority()
    let (keeper, held, _, now) = try renewing(authority)
    let list = try RevocationLists([authority.revocationList(of: [held.serialNumber])])
    let record = keeper.records(at: now, under: Trust(.lists(list))).first
    #expect(
      record?.state
        == "revoked (serial \(held.serialNumber)): peers with the same list refuse it")
  }
}
