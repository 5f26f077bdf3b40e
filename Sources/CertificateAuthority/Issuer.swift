import Crypto
import FoundationEssentials
import Identity
import MeshModel
import SwiftASN1
import X509

/// A key and the certificates above it, read and found to belong together.
struct Issuer: Sendable {
  let roots: [[UInt8]]
  let notBefore: WallTime
  let notAfter: WallTime
  let key: Certificate.PrivateKey
  let certificate: Certificate
  let keyIdentifier: ArraySlice<UInt8>
  /// What a leaf is sent with: the issuing certificate and those above it, but no root.
  let intermediates: [[UInt8]]

  init(_ files: AuthorityFiles, now: WallTime) throws(AuthorityError) {
    let path = files.certificate.path
    let key = try AuthorityFiles.privateKey(in: files.key)
    let own = try AuthorityFiles.certificates(in: files.certificate)
    let certificate = own[0]
    guard certificate.publicKey == key.publicKey else {
      throw .notOneKeyPair(certificate: path, key: files.key.path)
    }
    guard certificate.mayIssue else { throw .notAuthority(path: path) }
    var above = Array(own.dropFirst())
    if let chain = files.chain { above += try AuthorityFiles.certificates(in: chain) }
    above = above.withoutRepeats(of: certificate)

    let trusted = try Self.roots(files, beside: [certificate] + above)
    guard certificate.leads(to: trusted, through: above) else {
      throw .noRoot(
        certificate: path, roots: files.layout.roots ?? files.layout.moreRoots)
    }
    let sent = ([certificate] + above).filter { !$0.isSelfSigned }
    guard sent.count <= AuthorityLimit.intermediates else {
      throw .chainTooLong(path: files.layout.chain ?? path, count: sent.count)
    }
    notBefore = WallTime(certificate.notValidBefore)
    notAfter = WallTime(certificate.notValidAfter)
    guard now <= notAfter else { throw .expired(path: path, notAfter: notAfter) }
    self.key = key
    self.certificate = certificate
    keyIdentifier = certificate.ownKeyIdentifier
    do {
      intermediates = try sent.map { try $0.der() }
      roots = try trusted.map { try $0.der() }
    } catch {
      throw .library(reason: "\(error)")
    }
  }

  /// What the files say to trust; in our layout the roots among `certificates` as well.
  private static func roots(
    _ files: AuthorityFiles, beside certificates: [Certificate]
  ) throws(AuthorityError) -> [Certificate] {
    var trusted = files.layout.isOurs ? certificates.filter(\.isSelfSigned) : []
    for file in files.roots {
      let found = try AuthorityFiles.certificates(in: file)
      guard found.allSatisfy(\.isSelfSigned) else { throw .notRoot(path: file.path) }
      trusted += found.filter { !trusted.contains($0) }
    }
    guard trusted.count <= AuthorityLimit.roots else {
      throw .tooManyRoots(
        path: files.layout.roots ?? files.layout.moreRoots, count: trusted.count)
    }
    return trusted
  }

  func sign(
    _ request: [UInt8], for identity: SPIFFEID, lifetime: Duration, now: WallTime
  ) throws(SigningError) -> IssuedChain {
    guard
      AuthorityLimit.shortestLeafLifetime <= lifetime,
      lifetime <= AuthorityLimit.longestLeafLifetime
    else { throw .lifetimeOutOfRange(lifetime) }
    guard notBefore <= now, now <= notAfter else {
      throw .authorityNotValid(notBefore: notBefore, notAfter: notAfter)
    }
    let publicKey = try provenKey(in: request)
    // Short leaves are backdated less, so that they do not begin long before their authority's day.
    let backdating = min(AuthorityLimit.leafBackdating, lifetime)
    let begin = now.moved(by: .zero - backdating).wholeSecond(.down)
    let end = min(now.moved(by: lifetime).wholeSecond(.up), notAfter)
    let serialNumber = randomSerialNumber()
    do {
      let leaf = try Certificate(
        version: .v3, serialNumber: serialNumber, publicKey: Certificate.PublicKey(publicKey),
        notValidBefore: begin.date, notValidAfter: end.date, issuer: certificate.subject,
        subject: DistinguishedName(), extensions: try leafExtensions(for: identity),
        issuerPrivateKey: key)
      let facts = CertificateFacts(
        identity: identity, serialNumber: hexadecimal(serialNumber.bytes), notBefore: begin,
        notAfter: end)
      return IssuedChain(chain: [try leaf.der()] + intermediates, roots: roots, facts: facts)
    } catch {
      throw .library(reason: "\(error)")
    }
  }

  /// The request's key, once its signature shows that the asker holds the other half.
  private func provenKey(in request: [UInt8]) throws(SigningError) -> P256.Signing.PublicKey {
    guard request.count <= AuthorityLimit.bytesPerRequest else {
      throw .notRequest(
        reason: "\(request.count) bytes, at most \(AuthorityLimit.bytesPerRequest) are expected")
    }
    let parsed: CertificateSigningRequest
    do {
      parsed = try CertificateSigningRequest(derEncoded: request)
    } catch {
      throw .notRequest(reason: "\(error)")
    }
    guard let key = P256.Signing.PublicKey(parsed.publicKey) else { throw .keyNotP256 }
    guard parsed.publicKey.isValidSignature(parsed.signature, for: parsed) else {
      throw .badSignature
    }
    return key
  }

  /// An empty subject makes the name critical; RFC 5280, section 4.2.1.6.
  private func leafExtensions(for identity: SPIFFEID) throws -> Certificate.Extensions {
    try Certificate.Extensions {
      Critical(BasicConstraints.notCertificateAuthority)
      Critical(KeyUsage(digitalSignature: true))
      try ExtendedKeyUsage([.serverAuth, .clientAuth])
      AuthorityKeyIdentifier(keyIdentifier: keyIdentifier)
      Critical(SubjectAlternativeNames([.uniformResourceIdentifier(identity.description)]))
    }
  }

  /// A root for `key`, valid for ten years.
  ///
  /// Its name holds part of its serial number: two roots of one mesh must not have the same name.
  static func selfSigned(
    _ key: Certificate.PrivateKey, trustDomain: String, now: WallTime
  ) throws(AuthorityError) -> Certificate {
    let serialNumber = randomSerialNumber()
    do {
      let name = try DistinguishedName {
        OrganizationName(trustDomain)
        CommonName("Skein root \(hexadecimal(serialNumber.bytes.suffix(4)))")
      }
      let hash = SubjectKeyIdentifier(hash: key.publicKey)
      return try Certificate(
        version: .v3, serialNumber: serialNumber, publicKey: key.publicKey,
        notValidBefore: now.moved(by: .zero - AuthorityLimit.rootBackdating).date,
        notValidAfter: now.moved(by: AuthorityLimit.rootLifetime).date, issuer: name, subject: name,
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
          Critical(KeyUsage(keyCertSign: true, cRLSign: true))
          hash
          AuthorityKeyIdentifier(keyIdentifier: hash.keyIdentifier)
        },
        issuerPrivateKey: key)
    } catch {
      throw .library(reason: "\(error)")
    }
  }
}

/// Positive, of 16 bytes, 126 of its bits random; RFC 5280, section 4.1.2.2 asks for 20 at most.
private func randomSerialNumber() -> Certificate.SerialNumber {
  var source = SystemRandomNumberGenerator()
  var bytes = (0..<AuthorityLimit.serialNumberBytes).map { _ in
    UInt8.random(in: 0...255, using: &source)
  }
  bytes[0] = bytes[0] & 0x3f | 0x40
  return Certificate.SerialNumber(bytes: bytes)
}

/// Lower case, without leading zeros.
private func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
  let text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  return String(text.drop { $0 == "0" })
}
