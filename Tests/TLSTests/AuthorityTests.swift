import CertificateAuthority
import FoundationEssentials
import Identity
import MeshModel
import Testing

@testable import TLS

/// The real authority in a directory of its own, gone with the value.
private final class Office {
  let path = "\(FileManager.default.temporaryDirectory.path)/skein-tls-\(UUID().uuidString)"
  private(set) var authority: CertificateAuthority

  static var now: WallTime { WallTime(secondsSinceEpoch: Date().timeIntervalSince1970) }

  init() throws {
    authority = try CertificateAuthority(
      directory: path, trustDomain: "cluster.local", now: Self.now)
  }

  deinit {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      Issue.record("the authority's directory stays behind: \(error)")
    }
  }

  /// Key, request, certificate and credentials, as ztunnel and the node agent do it together.
  func credentials(_ uri: String, lifetime: Duration = .seconds(3_600)) throws -> Credentials {
    let key = try PrivateKey()
    let issued = try authority.sign(
      key.signingRequest(for: id(uri)), for: id(uri), lifetime: lifetime, now: Self.now)
    let credentials = try Credentials(key: key, chain: issued.chain, roots: issued.roots)
    #expect(credentials.facts == issued.facts)
    return credentials
  }

  func trust(_ other: Office) throws {
    let roots = "\(path)/roots"
    try FileManager.default.createDirectory(atPath: roots, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: "\(other.path)/ca.crt", toPath: "\(roots)/\(UUID().uuidString).crt")
    #expect(try authority.reloadIfChanged(now: Self.now))
  }
}

@Suite struct `What the authority signs serves a session` {
  @Test func `for two workloads of one mesh`() throws {
    let office = try Office()
    let pair = try Pair(
      client: office.credentials(Name.alice), expecting: [Name.bob],
      server: office.credentials(Name.bob))
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.peerIdentity == id(Name.alice))
  }

  @Test func `for ten-second leaves, from the first moment`() throws {
    let office = try Office()
    let pair = try Pair(
      client: office.credentials(Name.alice, lifetime: .seconds(10)), expecting: [Name.bob],
      server: office.credentials(Name.bob, lifetime: .seconds(10)))
    pair.connect()
    #expect(pair.client.handshake == .done)
    #expect(pair.server.handshake == .done)
  }

  @Test func `not between two meshes, until each trusts the other's root`() throws {
    let here = try Office()
    let there = try Office()
    let before = try Pair(
      client: here.credentials(Name.alice), expecting: [Name.bob],
      server: there.credentials(Name.bob))
    before.connect()
    #expect(before.client.failure == .unknownRoot(id(Name.bob)))

    try here.trust(there)
    try there.trust(here)
    let after = try Pair(
      client: here.credentials(Name.alice), expecting: [Name.bob],
      server: there.credentials(Name.bob))
    after.connect()
    #expect(after.client.handshake == .done)
    #expect(after.server.handshake == .done)
  }
}
