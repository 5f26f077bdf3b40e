import FoundationEssentials
import Identity
import Linux
import MeshModel
import Testing
import X509

@testable import TLS

@Suite struct `Two members of a mesh shake hands` {
  let authority: TestAuthority

  init() throws { authority = try TestAuthority(named: "root") }

  @Test func `both learn who the other is`() throws {
    let pair = try Pair(authority)
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.handshake == .done)
    #expect(pair.client.peerIdentity == id(Name.bob))
    #expect(pair.server.peerIdentity == id(Name.alice))
    #expect(pair.server.session.peer == pair.client.session.credentials.facts)
  }

  @Test(arguments: [1, 7, 100]) func `in pieces of any size`(piece: Int) throws {
    let pair = try Pair(authority, piece: piece)
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.handshake == .done)
  }

  @Test func `the server may have any one of the expected identities`() throws {
    let pair = try Pair(
      client: authority.credentials(Name.alice), expecting: [Name.mallory, Name.bob],
      server: authority.credentials(Name.bob))
    pair.connect()
    #expect(pair.client.handshake == .done)
  }

  @Test func `a second identity of the server matches too, but its name is the first`() throws {
    let pair = try Pair(
      client: authority.credentials(Name.alice), expecting: [Name.bob],
      server: authority.credentials(.init("https://example.org/", Name.mallory, Name.bob)))
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.client.peerIdentity == id(Name.mallory))
  }

  @Test func `through an intermediate that is sent along`() throws {
    let intermediate = try TestAuthority(named: "intermediate", under: authority)
    let roots = [try authority.der]
    let between = [try intermediate.der]
    let pair = try Pair(
      client: intermediate.credentials(.init(Name.alice), intermediates: between, roots: roots),
      expecting: [Name.bob],
      server: intermediate.credentials(.init(Name.bob), intermediates: between, roots: roots))
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.handshake == .done)
  }

  @Test func `under an RSA root`() throws {
    let pair = try Pair(TestAuthority(named: "rsa", rsa: true))
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.handshake == .done)
  }

  @Test func `during a root change each has a leaf of another root and trusts both`() throws {
    let next = try TestAuthority(named: "next root")
    let roots = [try authority.der, try next.der]
    let pair = try Pair(
      client: authority.credentials(.init(Name.alice), roots: roots), expecting: [Name.bob],
      server: next.credentials(.init(Name.bob), roots: roots))
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.handshake == .done)
  }

  @Test func `two roots of the same name are told apart by their keys`() throws {
    let twin = try TestAuthority(named: "root")
    let roots = [try twin.der, try authority.der]
    let pair = try Pair(
      client: authority.credentials(.init(Name.alice), roots: roots), expecting: [Name.bob],
      server: authority.credentials(.init(Name.bob), roots: roots))
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.handshake == .done)
  }

  @Test func `the first choice is AES-128 with X25519, without tickets`() throws {
    let pair = try Pair(authority)
    pair.connect()
    #expect(pair.client.session.cipherSuite == "TLS_AES_128_GCM_SHA256")
    // A ticket would lie in the server's answer to the client's last flight.
    #expect(pair.server.pendingBytes == 0)
  }

  @Test func `a session keeps the credentials it began with`() throws {
    let old = try authority.credentials(Name.bob)
    let pair = try Pair(
      client: authority.credentials(Name.alice), expecting: [Name.bob], server: old)
    pair.connect()
    let new = try authority.credentials(Name.bob)
    #expect(new.facts.serialNumber != old.facts.serialNumber)
    #expect(pair.server.session.credentials === old)
    #expect(pair.client.write([1, 2, 3]) == .written(3))
    pair.carryAll(pair.client, to: pair.server)
    #expect(pair.server.read() == .bytes(3))
  }

  @Test func `sessions of many threads share their credentials`() async throws {
    let alice = try authority.credentials(Name.alice)
    let bob = try authority.credentials(Name.bob)
    let done = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try (0..<20).count { _ in
            let pair = try Pair(client: alice, expecting: [Name.bob], server: bob)
            pair.connect()
            return pair.client.handshake == .done && pair.server.handshake == .done
          }
        }
      }
      return try await group.reduce(0, +)
    }
    #expect(done == 160)
  }

  @Test func `time stands still where a test says so`() throws {
    let later = WallTime(secondsSinceEpoch: Date().timeIntervalSince1970 + 7_200)
    let pair = try Pair(
      client: authority.credentials(.init(Name.alice), verificationTime: later),
      expecting: [Name.bob], server: authority.credentials(Name.bob))
    pair.connect()
    #expect(pair.client.failure?.label == "expired")
  }
}
