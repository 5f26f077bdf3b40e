import Identity
import MeshModel
import Testing
import X509

@testable import TLS

@Suite struct `A peer that is not who it must be is refused` {
  let authority: TestAuthority
  let alice: Credentials
  let bob: Credentials

  init() throws {
    authority = try TestAuthority(named: "root")
    alice = try authority.credentials(Name.alice)
    bob = try authority.credentials(Name.bob)
  }

  /// Both ends after Alice dialled a server with `wish`.
  private func dial(_ wish: TestAuthority.Wish) throws -> Pair {
    let pair = try Pair(
      client: alice, expecting: [Name.bob], server: authority.credentials(wish))
    pair.connect()
    return pair
  }

  /// Both ends after a client with `wish` dialled Bob, whose domain it knows.
  private func answer(_ wish: TestAuthority.Wish) throws -> Pair {
    let known = Trust(bundles: ["cluster.local": try TrustBundle(roots: [authority.der])])
    let pair = Pair(
      End(
        try TLSSession(
          client: authority.credentials(wish), expecting: [id(Name.bob)], trust: known)),
      try End(server: bob))
    pair.connect()
    return pair
  }

  @Test func `a server of another identity`() throws {
    let pair = try dial(.init(Name.mallory))
    #expect(
      pair.client.handshake
        == .failed(.unexpectedIdentity(expected: [id(Name.bob)], found: [id(Name.mallory)])))
    #expect(pair.server.handshake == .failed(.alert(TLSAlert(number: 42))))
    #expect(pair.client.peerIdentity == nil)
    #expect(pair.server.peerIdentity == nil)
  }

  @Test func `a client of another trust domain, which hears of it when it reads`() throws {
    let pair = try answer(.init(Name.stranger))
    #expect(
      pair.server.handshake
        == .failed(.otherTrustDomain(expected: "cluster.local", found: id(Name.stranger))))
    #expect(pair.client.handshake == .done)
    #expect(pair.client.read() == .failed(.alert(TLSAlert(number: 42))))
  }

  @Test func `a client whose name is of another trust domain, whatever names follow`() throws {
    let pair = try answer(.init(Name.stranger, Name.alice))
    #expect(pair.server.failure?.label == "other_trust_domain")
  }

  @Test func `an expired server`() throws {
    var wish = TestAuthority.Wish(Name.bob)
    (wish.begin, wish.end) = (-7_200, -3_600)
    let pair = try dial(wish)
    let facts = pair.server.session.credentials.facts
    #expect(
      pair.client.failure == .certificateExpired(id(Name.bob), notAfter: facts.notAfter))
    #expect(pair.server.handshake == .failed(.alert(TLSAlert(number: 45))))
  }

  @Test func `an expired client`() throws {
    var wish = TestAuthority.Wish(Name.alice)
    (wish.begin, wish.end) = (-7_200, -3_600)
    #expect(try answer(wish).server.failure?.label == "expired")
  }

  @Test func `a server whose certificate is not valid yet`() throws {
    var wish = TestAuthority.Wish(Name.bob)
    (wish.begin, wish.end) = (3_600, 7_200)
    let pair = try dial(wish)
    let facts = pair.server.session.credentials.facts
    #expect(
      pair.client.failure == .certificateNotYetValid(id(Name.bob), notBefore: facts.notBefore))
  }

  @Test func `a server under an unknown root of the same name`() throws {
    let impostor = try TestAuthority(named: "root")
    let pair = try Pair(
      client: alice, expecting: [Name.bob], server: impostor.credentials(Name.bob))
    pair.connect()
    #expect(pair.client.failure == .unknownRoot(id(Name.bob)))
    #expect(pair.server.handshake == .failed(.alert(TLSAlert(number: 48))))
  }

  @Test func `a client under an unknown root, though it sends that root along`() throws {
    let impostor = try TestAuthority(named: "impostor")
    let pair = try Pair(
      client: impostor.credentials(
        .init(Name.alice), intermediates: [impostor.der], roots: [authority.der]),
      expecting: [Name.bob], server: bob)
    pair.connect()
    #expect(pair.server.failure == .unknownRoot(id(Name.alice)))
  }

  @Test func `a chain with a hole`() throws {
    let intermediate = try TestAuthority(named: "intermediate", under: authority)
    let pair = try Pair(
      client: alice, expecting: [Name.bob],
      server: intermediate.credentials(.init(Name.bob), roots: [authority.der]))
    pair.connect()
    #expect(pair.client.failure == .unknownRoot(id(Name.bob)))
  }

  @Test func `an intermediate in our bundle is no anchor without its root`() throws {
    let intermediate = try TestAuthority(named: "intermediate", under: authority)
    let pair = try Pair(
      client: intermediate.credentials(.init(Name.alice)), expecting: [Name.bob],
      server: intermediate.credentials(.init(Name.bob)))
    pair.connect()
    #expect(pair.client.failure == .unknownRoot(id(Name.bob)))
  }

  @Test func `a good leaf under an expired intermediate`() throws {
    let expired = try TestAuthority(named: "intermediate", under: authority, isExpired: true)
    let pair = try Pair(
      client: alice, expecting: [Name.bob],
      server: expired.credentials(
        .init(Name.bob), intermediates: [expired.der], roots: [authority.der]))
    pair.connect()
    #expect(
      pair.client.failure
        == .invalidChain(reason: "certificate 1 above the leaf: certificate has expired"))
  }

  @Test func `a leaf that a leaf has signed`() throws {
    let falseAuthority = try TestAuthority(named: "leaf", under: authority, mayIssue: false)
    let pair = try Pair(
      client: alice, expecting: [Name.bob],
      server: falseAuthority.credentials(
        .init(Name.bob), intermediates: [falseAuthority.der], roots: [authority.der]))
    pair.connect()
    #expect(pair.client.failure?.label == "invalid_chain")
  }

  @Test func `a chain longer than any real one`() throws {
    var chain = [authority]
    for depth in 1...6 {
      chain.append(try TestAuthority(named: "intermediate \(depth)", under: chain[depth - 1]))
    }
    // One intermediate lies in the peer's bundle, so that no single side sends too many.
    let sent = try chain[3...6].reversed().map { try $0.der }
    let trusted = [try authority.der, try chain[1].der, try chain[2].der]
    let pair = try Pair(
      client: authority.credentials(.init(Name.alice), roots: trusted), expecting: [Name.bob],
      server: chain[6].credentials(.init(Name.bob), intermediates: sent, roots: trusted))
    pair.connect()
    #expect(pair.client.failure?.label == "invalid_chain")
  }

  @Test func `a client certificate used as a server's`() throws {
    var wish = TestAuthority.Wish(Name.bob)
    wish.usages = [.clientAuth]
    #expect(try dial(wish).client.failure == .unsuitableCertificate(id(Name.bob), role: .server))
  }

  @Test func `a server certificate used as a client's`() throws {
    var wish = TestAuthority.Wish(Name.alice)
    wish.usages = [.serverAuth]
    #expect(
      try answer(wish).server.failure == .unsuitableCertificate(id(Name.alice), role: .client))
  }

  @Test func `a certificate whose name is not in a URI`() throws {
    let key = try PrivateKey()
    var wish = TestAuthority.Wish()
    wish.names = [.dnsName("bob.shop.svc")]
    let leaf = try authority.leaf(for: publicKey(of: key), wish)
    #expect(throws: CredentialsError.noIdentity(found: [])) {
      try Credentials(key: key, chain: [leaf], roots: [authority.der])
    }
  }

  @Test(arguments: [
    "\(Name.bob)\0", "\(Name.bob)\0.evil.example", "\0\(Name.bob)",
    "spiffe://cluster.local/ns/shop\0/sa/bob", "spiffe://cluster.local\0.evil/ns/shop/sa/bob",
  ])
  func `a NUL in a name never matches what stands before it`(uri: String) throws {
    let pair = try dial(.init(uri, Name.mallory))
    #expect(
      pair.client.failure
        == .unexpectedIdentity(expected: [id(Name.bob)], found: [id(Name.mallory)]))
  }

  @Test(arguments: [
    "spiffe://cluster.local/ns/shop/sa/bob/", "spiffe://cluster.local/ns/shop/sa",
    "SPIFFE://cluster.local/ns/shop/sa/bob", "spiffe://cluster.local/NS/shop/sa/bob",
    "spiffe://cluster.local/ns/shop/sa/bob ", "https://cluster.local/ns/shop/sa/bob",
    "spiffe://cluster.local/ns/shop/sa/", "spiffe://cluster.local/ns/shop/sa/Bob",
  ])
  func `a name that is only like the expected one does not match`(uri: String) throws {
    let pair = try dial(.init(uri, Name.mallory))
    #expect(pair.client.failure?.label == "unexpected_identity")
  }

  @Test func `a client that expects nobody accepts nobody`() throws {
    let pair = try Pair(client: alice, expecting: [], server: bob)
    pair.connect()
    #expect(pair.client.failure == .unexpectedIdentity(expected: [], found: [id(Name.bob)]))
  }

  @Test func `after a failure every call repeats it and nothing is sealed`() throws {
    let pair = try dial(.init(Name.mallory))
    let failure = try #require(pair.client.failure)
    _ = pair.client.takeOutgoing()
    pair.client.shake()
    #expect(pair.client.handshake == .failed(failure))
    #expect(pair.client.read() == .failed(failure))
    #expect(pair.client.write([1]) == .failed(failure))
    pair.client.closeNotify()
    #expect(pair.client.takeOutgoing().isEmpty)
  }
}
