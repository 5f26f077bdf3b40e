import Crypto
import FoundationEssentials
import Identity
import MeshModel
import SwiftASN1
import Testing
import X509

@testable import CertificateAuthority

private let cart = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "cart")

@Suite struct `A signing request is answered with a leaf for the proven identity` {
  let directory = Directory()
  let now = WallTime(secondsSinceEpoch: WallTime.now.secondsSinceEpoch.rounded(.down) + 0.25)
  let authority: CertificateAuthority
  let key = P256.Signing.PrivateKey()

  init() throws {
    authority = try CertificateAuthority(
      directory: directory.path, trustDomain: "cluster.local", now: .now)
  }

  private func request(_ key: Certificate.PrivateKey, naming uri: String) throws -> [UInt8] {
    let request = try CertificateSigningRequest(
      version: .v1, subject: DistinguishedName(), privateKey: key,
      attributes: .init([
        .init(
          ExtensionRequest(
            extensions: .init {
              Critical(SubjectAlternativeNames([.uniformResourceIdentifier(uri)]))
            }))
      ]))
    var serializer = DER.Serializer()
    try serializer.serialize(request)
    return serializer.serializedBytes
  }

  private func request(naming uri: String = cart.description) throws -> [UInt8] {
    try request(Certificate.PrivateKey(key), naming: uri)
  }

  private func leaf(lifetime: Duration = .seconds(3_600)) throws -> Certificate {
    let issued = try authority.sign(request(), for: cart, lifetime: lifetime, now: now)
    return try Certificate(derEncoded: issued.chain[0])
  }

  private func uris(of leaf: Certificate) throws -> [String] {
    let names = try #require(try leaf.extensions.subjectAlternativeNames)
    return names.map { name in
      if case .uniformResourceIdentifier(let uri) = name { uri } else { "not a URI" }
    }
  }

  @Test func `as Istio's authority would make it`() throws {
    let leaf = try leaf()
    let root = try Certificate(derEncoded: authority.roots[0])
    #expect(leaf.subject.isEmpty)
    #expect(leaf.issuer == root.subject)
    #expect(leaf.isSigned(by: root))
    #expect(leaf.publicKey == Certificate.PublicKey(key.publicKey))
    #expect(leaf.signatureAlgorithm == .ecdsaWithSHA256)
    let names = try #require(leaf.extensions[oid: .X509ExtensionID.subjectAlternativeName])
    #expect(names.critical)
    #expect(try uris(of: leaf) == [cart.description])
    #expect(try leaf.extensions.keyUsage == KeyUsage(digitalSignature: true))
    #expect(
      try leaf.extensions.extendedKeyUsage == ExtendedKeyUsage([.serverAuth, .clientAuth]))
    #expect(try leaf.extensions.basicConstraints == .notCertificateAuthority)
    #expect(
      try leaf.extensions.authorityKeyIdentifier?.keyIdentifier
        == root.extensions.subjectKeyIdentifier?.keyIdentifier)
    #expect(leaf.serialNumber.bytes.count == 16)
  }

  @Test func `nobody of another trust domain is signed for`() throws {
    let stranger = SPIFFEID(trustDomain: "elsewhere", namespace: "shop", serviceAccount: "cart")
    let request = try request()
    #expect(throws: SigningError.otherTrustDomain(own: "cluster.local", stranger)) {
      try authority.sign(request, for: stranger, now: now)
    }
  }

  @Test func `whatever the request asks for`() throws {
    let issued = try authority.sign(
      request(naming: "spiffe://cluster.local/ns/kube-system/sa/admin"), for: cart, now: now)
    let leaf = try Certificate(derEncoded: issued.chain[0])
    #expect(try uris(of: leaf) == [cart.description])
    #expect(issued.facts.identity == cart)
  }

  @Test func `the facts are those of the certificate`() throws {
    let issued = try authority.sign(request(), for: cart, lifetime: .seconds(60), now: now)
    let leaf = try Certificate(derEncoded: issued.chain[0])
    #expect(issued.facts.notBefore == WallTime(leaf.notValidBefore))
    #expect(issued.facts.notAfter == WallTime(leaf.notValidAfter))
    #expect(issued.roots == authority.roots)
  }

  @Test func `serial numbers do not repeat`() throws {
    let numbers = try (0..<50).map { _ in try leaf().serialNumber }
    #expect(Set(numbers).count == 50)
  }

  @Test(arguments: zip([10, 60, 120, 3_600], [10, 60, 120, 120]))
  func `its life is as asked, backdated two minutes or its own length`(
    lifetime: Int, backdating: Int
  ) throws {
    let leaf = try leaf(lifetime: .seconds(lifetime))
    let second = now.secondsSinceEpoch.rounded(.down)
    #expect(leaf.notValidBefore.timeIntervalSince1970 == second - Double(backdating))
    #expect(leaf.notValidAfter.timeIntervalSince1970 == second + 1 + Double(lifetime))
  }

  @Test(arguments: [Duration.seconds(9), .zero, .seconds(-5), .seconds(90 * 86_400 + 1)])
  func `a lifetime out of range is refused, not clamped`(lifetime: Duration) throws {
    let request = try request()
    #expect(throws: SigningError.lifetimeOutOfRange(lifetime)) {
      try authority.sign(request, for: cart, lifetime: lifetime, now: now)
    }
  }

  @Test func `no leaf outlives its authority`() throws {
    let root = try Root("short", to: Date(timeIntervalSinceNow: 100))
    let short = Directory()
    try short.write(root.keyPEM, to: "ca.key")
    try short.write(root.certificatePEM, to: "ca.crt")
    let authority = try CertificateAuthority(
      directory: short.path, trustDomain: "cluster.local", now: now)
    let issued = try authority.sign(request(), for: cart, lifetime: .seconds(3_600), now: now)
    #expect(issued.facts.notAfter == authority.notAfter)
    let later = WallTime(secondsSinceEpoch: now.secondsSinceEpoch + 200)
    let request = try request()
    #expect(throws: SigningError.self) { try authority.sign(request, for: cart, now: later) }
  }

  @Test func `an intermediate is sent along, the root is not`() throws {
    let root = try Root("root")
    let intermediate = try Root("intermediate", under: root)
    let other = Directory()
    try other.write(intermediate.keyPEM, to: "ca.key")
    try other.write(
      intermediate.certificatePEM + "\n" + root.certificatePEM, to: "ca.crt")
    let authority = try CertificateAuthority(
      directory: other.path, trustDomain: "cluster.local", now: now)
    let issued = try authority.sign(request(), for: cart, now: now)
    #expect(try issued.chain.dropFirst() == [intermediate.der])
    #expect(try issued.roots == [root.der])
  }

  @Test func `a request signed with another key is refused`() throws {
    var bytes = try request()
    let stranger = try request(
      Certificate.PrivateKey(P256.Signing.PrivateKey()), naming: cart.description)
    // Same layout, so the last 60 bytes lie inside the signature of both.
    if bytes.count == stranger.count {
      bytes.replaceSubrange(bytes.count - 20..<bytes.count, with: stranger.suffix(20))
    } else {
      bytes[bytes.count - 1] ^= 1
    }
    #expect(throws: SigningError.badSignature) { try authority.sign(bytes, for: cart, now: now) }
  }

  @Test func `only P-256 keys are signed`() throws {
    let request = try request(
      Certificate.PrivateKey(P384.Signing.PrivateKey()), naming: cart.description)
    #expect(throws: SigningError.keyNotP256) { try authority.sign(request, for: cart, now: now) }
  }

  @Test func `noise is refused, cut or mutated anywhere`() throws {
    let good = try request()
    for count in 0..<good.count {
      #expect(throws: SigningError.self) {
        try authority.sign(Array(good.prefix(count)), for: cart, now: now)
      }
    }
    for index in good.indices {
      var bad = good
      bad[index] ^= 0x55
      do {
        // A change that leaves key and signature valid could be signed; none is, for all is signed.
        _ = try authority.sign(bad, for: cart, now: now)
        Issue.record("byte \(index) may be changed")
      } catch {
        continue
      }
    }
    #expect(throws: SigningError.self) {
      try authority.sign([UInt8](repeating: 0x30, count: 20_000), for: cart, now: now)
    }
  }
}
