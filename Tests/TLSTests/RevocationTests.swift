import Identity
import MeshModel
import Testing
import X509

@testable import TLS

/// Credentials with the leaf's bytes, which a list must be able to name.
private struct Member {
  let credentials: Credentials
  let leaf: [UInt8]

  init(
    _ uri: String, _ authority: TestAuthority, intermediates: [[UInt8]] = [],
    roots: [[UInt8]]? = nil
  ) throws {
    let key = try PrivateKey()
    leaf = try authority.leaf(for: publicKey(of: key), .init(uri))
    credentials = try Credentials(
      key: key, chain: [leaf] + intermediates, roots: roots ?? [authority.der])
  }
}

extension Pair {
  /// Alice dials Bob; each goes by a trust of its own.
  fileprivate init(
    _ alice: Member, _ bob: Member, alices: Trust = .own, bobs: Trust = .own,
    expecting: String = Name.bob
  ) throws {
    self.init(
      End(
        try TLSSession(
          client: alice.credentials, expecting: [id(expecting)], trust: alices)),
      End(try TLSSession(server: bob.credentials, trust: bobs)))
    connect()
  }
}

@Suite struct `A certificate that was taken back lets nobody in` {
  let root: TestAuthority
  private let alice: Member
  private let bob: Member

  init() throws {
    root = try TestAuthority(named: "root")
    alice = try Member(Name.alice, root)
    bob = try Member(Name.bob, root)
  }

  private func trust(_ lists: [[UInt8]]) throws -> Trust {
    Trust(.lists(try RevocationLists(lists)))
  }

  @Test func `a client, which hears why when it reads`() throws {
    let pair = try Pair(alice, bob, bobs: trust([root.revocationList(of: [alice.leaf])]))
    #expect(
      pair.server.failure
        == .certificateRevoked(
          id(Name.alice), serialNumber: alice.credentials.facts.serialNumber, place: 0))
    #expect(pair.client.handshake == .done)
    let failure = TLSFailure.alert(TLSAlert(number: 44))
    #expect(pair.client.read() == .failed(failure))
    #expect(failure.description.contains("has been revoked"))
  }

  @Test func `a server`() throws {
    let pair = try Pair(alice, bob, alices: trust([root.revocationList(of: [bob.leaf])]))
    #expect(pair.client.failure?.label == "revoked")
    #expect(pair.server.failure == .alert(TLSAlert(number: 44)))
  }

  @Test func `who is not named stays, also when others are or the list is empty`() throws {
    let carol = try Member(Name.mallory, root)
    for named in [[], [carol.leaf]] {
      let trust = try trust([root.revocationList(of: named)])
      let pair = try Pair(alice, bob, alices: trust, bobs: trust)
      #expect(pair.server.handshake == .done)
    }
    let nothing = try Pair(alice, bob, bobs: trust([]))
    #expect(nothing.server.handshake == .done)
  }

  @Test func `with the intermediate above it`() throws {
    let middle = try TestAuthority(named: "middle", under: root)
    let (roots, above) = try ([root.der], [middle.der])
    let carol = try Member(Name.alice, middle, intermediates: above, roots: roots)
    let trust = try trust([root.revocationList(of: above)])
    let pair = try Pair(carol, bob, bobs: trust)
    guard case .certificateRevoked(_, _, place: 1)? = pair.server.failure else {
      Issue.record("\(String(describing: pair.server.failure))")
      return
    }
    #expect(pair.server.failure?.description.contains("authority 1 above") == true)
    // The root's own members are none the worse for it.
    #expect(try Pair(alice, bob, bobs: trust).server.handshake == .done)
  }

  @Test func `a list of the intermediate speaks of its own leaves`() throws {
    let middle = try TestAuthority(named: "middle", under: root)
    let (roots, above) = try ([root.der], [middle.der])
    let carol = try Member(Name.alice, middle, intermediates: above, roots: roots)
    let trust = try trust([
      root.revocationList(of: []), middle.revocationList(of: [carol.leaf]),
    ])
    #expect(try Pair(carol, bob, bobs: trust).server.failure?.label == "revoked")
  }

  @Test func `not by the list of another authority, even of the same name`() throws {
    for name in ["other", "root"] {
      let other = try TestAuthority(named: name)
      let trust = try trust([other.revocationList(of: [alice.leaf])])
      #expect(try Pair(alice, bob, bobs: trust).server.handshake == .done, "\(name)")
    }
    let list = try root.revocationList(of: [alice.leaf], .foreignSignature(namesKey: false))
    #expect(try Pair(alice, bob, bobs: trust([list])).server.handshake == .done)
  }

  @Test func `though the list was damaged after its authority named its key in it`() throws {
    let list = try root.revocationList(of: [alice.leaf], .foreignSignature(namesKey: true))
    #expect(try Pair(alice, bob, bobs: trust([list])).server.failure?.label == "revoked")
  }

  @Test func `though the list is past its next update`() throws {
    let trust = try trust([root.revocationList(of: [alice.leaf], .outdated)])
    #expect(try Pair(alice, bob, bobs: trust).server.failure?.label == "revoked")
    #expect(try Pair(bob, bob, bobs: trust).server.handshake == .done)
  }

  @Test func `and nobody comes in while there is no list to go by`() throws {
    let trust = Trust(.unknown(reason: "crl.pem: no such file"))
    let pair = try Pair(alice, bob, bobs: trust)
    #expect(pair.server.failure == .revocationsUnknown(reason: "crl.pem: no such file"))
    #expect(pair.client.read() == .failed(.alert(TLSAlert(number: 80))))
    #expect(try Pair(alice, bob, alices: trust).client.failure?.label == "revocations_unknown")
  }

  @Test func `what is no list, or one we cannot follow, is an error`() throws {
    let good = try root.revocationList(of: [alice.leaf])
    #expect(throws: RevocationError.unreadable(index: 0)) { try RevocationLists([[1, 2, 3]]) }
    #expect(throws: RevocationError.unreadable(index: 1)) {
      try RevocationLists([good, good + [0]])
    }
    #expect(throws: RevocationError.unreadable(index: 0)) { try RevocationLists([[]]) }
    #expect(throws: RevocationError.unreadable(index: 0)) {
      try RevocationLists([root.der])
    }
    #expect(throws: RevocationError.tooMany(65)) {
      try RevocationLists([[UInt8]](repeating: good, count: 65))
    }
    let delta = try root.revocationList(of: [], .delta)
    guard case .unknownExtension(index: 0, let name)? = fault(in: [delta])
    else {
      Issue.record("expected the delta list to be refused")
      return
    }
    #expect(name.contains("Delta"))
    #expect(try RevocationLists([good, good]).entryCount == 2)
  }

  private func fault(in lists: [[UInt8]]) -> RevocationError? {
    do throws(RevocationError) {
      _ = try RevocationLists(lists)
      return nil
    } catch {
      return error
    }
  }

  // MARK: Live sessions

  @Test func `a live session is judged again by a list that came later`() throws {
    let pair = try Pair(alice, bob)
    #expect(pair.server.session.objection(under: .own) == nil)
    let trust = try trust([root.revocationList(of: [alice.leaf])])
    #expect(pair.server.session.objection(under: trust)?.label == "revoked")
    #expect(pair.client.session.objection(under: trust) == nil, "Bob is not named")
    let unknown = Trust(.unknown(reason: "no file"))
    #expect(pair.client.session.objection(under: unknown)?.label == "revocations_unknown")
  }

  @Test func `our own certificate is found in a list too`() throws {
    let trust = try trust([root.revocationList(of: [alice.leaf])])
    #expect(alice.credentials.objection(under: trust)?.label == "revoked")
    #expect(bob.credentials.objection(under: trust) == nil)
  }
}

@Suite struct `A trust domain is vouched for by its own roots` {
  static let stranger = Name.stranger
  let here: TestAuthority
  let elsewhere: TestAuthority
  private let alice: Member
  private let bob: Member
  private let eve: Member

  init() throws {
    here = try TestAuthority(named: "here")
    elsewhere = try TestAuthority(named: "elsewhere")
    alice = try Member(Name.alice, here)
    bob = try Member(Name.bob, here)
    eve = try Member(Name.stranger, elsewhere)
  }

  private func knowing(_ domain: String, _ roots: TestAuthority...) throws -> Trust {
    Trust(bundles: [domain: try TrustBundle(roots: roots.map { try $0.der })])
  }

  @Test func `two domains that know each other's bundle let each other in`() throws {
    let pair = try Pair(
      eve, bob, alices: knowing("cluster.local", here), bobs: knowing("elsewhere", elsewhere))
    #expect(pair.server.handshake == .done)
    #expect(pair.server.peerIdentity == id(Name.stranger))
    #expect(pair.client.peerIdentity == id(Name.bob))
  }

  @Test func `one that is not known is refused, on both sides`() throws {
    #expect(
      try Pair(eve, bob, alices: knowing("cluster.local", here)).server.failure?.label
        == "unknown_root")
    #expect(
      try Pair(eve, bob, bobs: knowing("elsewhere", elsewhere)).client.failure?.label
        == "unknown_root")
  }

  @Test func `our own roots speak for nobody of another domain, known or not`() throws {
    let impostor = try Member(Name.stranger, here)
    let ours = try knowing("cluster.local", here)
    #expect(
      try Pair(impostor, bob, alices: ours, bobs: knowing("elsewhere", elsewhere))
        .server.failure?.label == "unknown_root")
    #expect(
      try Pair(impostor, bob, alices: ours).server.failure?.label == "other_trust_domain")
    let dial = try Pair(alice, impostor, expecting: Name.stranger)
    #expect(dial.client.failure?.label == "other_trust_domain")
  }

  @Test func `the roots of another domain speak for nobody of ours`() throws {
    let impostor = try Member(Name.alice, elsewhere, roots: [here.der])
    let trust = try knowing("elsewhere", elsewhere)
    #expect(try Pair(impostor, bob, bobs: trust).server.failure?.label == "unknown_root")
    #expect(
      try Pair(bob, impostor, alices: trust, expecting: Name.alice).client.failure?.label
        == "unknown_root")
  }

  @Test func `nor for a third domain`() throws {
    let third = try TestAuthority(named: "third")
    let impostor = try Member("spiffe://third/ns/shop/sa/alice", elsewhere)
    let trust = Trust(bundles: [
      "elsewhere": try TrustBundle(roots: [elsewhere.der]),
      "third": try TrustBundle(roots: [third.der]),
    ])
    let ours = try knowing("cluster.local", here)
    #expect(
      try Pair(impostor, bob, alices: ours, bobs: trust).server.failure?.label == "unknown_root")
  }

  @Test func `a second name of our domain behind a foreign one counts for nothing`() throws {
    let key = try PrivateKey()
    let leaf = try elsewhere.leaf(for: publicKey(of: key), .init(Name.stranger, Name.bob))
    let both = try End(
      TLSSession(
        server: Credentials(key: key, chain: [leaf], roots: [elsewhere.der]),
        trust: knowing("cluster.local", here)))
    let pair = Pair(
      End(
        try TLSSession(
          client: alice.credentials, expecting: [id(Name.bob)],
          trust: knowing("elsewhere", elsewhere))), both)
    pair.connect()
    #expect(pair.client.failure?.label == "unexpected_identity")
  }

  @Test func `one root in two bundles speaks for both`() throws {
    let guest = try Member(Name.stranger, here, roots: [here.der])
    let pair = try Pair(
      guest, bob, alices: knowing("cluster.local", here), bobs: knowing("elsewhere", here))
    #expect(pair.server.handshake == .done)
  }

  @Test func `a live session ends with its domain's bundle, or with the root in it`() throws {
    let known = try knowing("elsewhere", elsewhere)
    let pair = try Pair(eve, bob, alices: knowing("cluster.local", here), bobs: known)
    #expect(pair.server.session.objection(under: .own)?.label == "other_trust_domain")
    #expect(
      try pair.server.session.objection(under: knowing("elsewhere", here))?.label
        == "unknown_root")
    #expect(
      try pair.server.session.objection(under: knowing("elsewhere", here, elsewhere)) == nil)
  }

  @Test func `revocations hold across domains`() throws {
    let list = try RevocationLists([elsewhere.revocationList(of: [eve.leaf])])
    let bundle = try TrustBundle(roots: [elsewhere.der])
    let pair = try Pair(
      eve, bob, alices: knowing("cluster.local", here),
      bobs: Trust(.lists(list), bundles: ["elsewhere": bundle]))
    #expect(pair.server.failure?.label == "revoked")
  }

  @Test func `a live session ends with the root of our own that it rests on`() throws {
    let root = try TestAuthority(named: "root")
    let other = try TestAuthority(named: "other")
    let again = try TestAuthority(named: "root", reissuing: root)
    let middle = try TestAuthority(named: "middle", under: root)
    let (alice, bob) = ("spiffe://here/ns/a/sa/alice", "spiffe://here/ns/b/sa/bob")
    let bobs = try middle.credentials(
      .init(bob), intermediates: [middle.der], roots: [root.der])
    let pair = try Pair(
      client: root.credentials(alice), expecting: [bob], server: bobs)
    pair.connect()
    func objection(_ roots: TestAuthority...) throws -> String? {
      let now = try root.credentials(.init(alice), roots: roots.map { try $0.der })
      return pair.client.session.objection(under: .own, roots: now)?.label
    }
    #expect(try objection(root) == nil)
    #expect(try objection(other, root) == nil)
    #expect(try objection(other) == "unknown_root")
    #expect(try objection(again) == nil, "the same key")
    #expect(pair.client.session.objection(under: .own) == nil, "nothing is known of now")
  }

  @Test func `a bundle is put together from roots that can be read`() throws {
    #expect(throws: CredentialsError.noRoots) { try TrustBundle(roots: []) }
    #expect(throws: CredentialsError.unreadableRoot(index: 1)) {
      try TrustBundle(roots: [here.der, [1]])
    }
    let root = try here.der
    #expect(throws: CredentialsError.tooManyRoots(65)) {
      try TrustBundle(roots: [[UInt8]](repeating: root, count: 65))
    }
  }
}
