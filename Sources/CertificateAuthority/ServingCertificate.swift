import Crypto
public import MeshModel
import SwiftASN1
import X509

/// A certificate and key for a TLS port of the mesh's own control plane; PEM.
public struct ServingCertificate: Hashable, Sendable {
  /// The leaf first, then intermediates, never a root.
  public var chain: String
  public var key: String
  public var notBefore: WallTime
  public var notAfter: WallTime
}

extension CertificateAuthority {
  /// Makes a key and a certificate for a server that clients reach under `names`.
  ///
  /// A name is a DNS name or an IP address.
  public func servingCertificate(
    for names: [String], lifetime: Duration, now: WallTime
  ) throws(SigningError) -> ServingCertificate {
    try issuer.servingCertificate(for: names, lifetime: lifetime, now: now)
  }
}

extension Issuer {
  func servingCertificate(
    for names: [String], lifetime: Duration, now: WallTime
  ) throws(SigningError) -> ServingCertificate {
    precondition(!names.isEmpty, "a server has a name")
    guard AuthorityLimit.shortestLeafLifetime <= lifetime,
      lifetime <= AuthorityLimit.longestLeafLifetime
    else { throw .lifetimeOutOfRange(lifetime) }
    guard notBefore <= now, now <= notAfter else {
      throw .authorityNotValid(notBefore: notBefore, notAfter: notAfter)
    }
    let begin = now.moved(by: .zero - AuthorityLimit.leafBackdating).wholeSecond(.down)
    let end = min(now.moved(by: lifetime).wholeSecond(.up), notAfter)
    let own = P256.Signing.PrivateKey()
    do {
      let leaf = try Certificate(
        version: .v3, serialNumber: Certificate.SerialNumber(),
        publicKey: Certificate.PublicKey(own.publicKey), notValidBefore: begin.date,
        notValidAfter: end.date, issuer: certificate.subject, subject: DistinguishedName(),
        extensions: try Certificate.Extensions {
          Critical(BasicConstraints.notCertificateAuthority)
          Critical(KeyUsage(digitalSignature: true))
          try ExtendedKeyUsage([.serverAuth])
          AuthorityKeyIdentifier(keyIdentifier: keyIdentifier)
          Critical(SubjectAlternativeNames(names.map(generalName)))
        },
        issuerPrivateKey: key)
      let chain = try [leaf.der()] + intermediates
      return ServingCertificate(
        chain: chain.map(pemText(ofCertificate:)).joined(separator: "\n"),
        key: own.pemRepresentation, notBefore: begin, notAfter: end)
    } catch {
      throw .library(reason: "\(error)")
    }
  }

  private func generalName(_ name: String) -> GeneralName {
    guard let address = IPAddress(name) else { return .dnsName(name) }
    return .ipAddress(ASN1OctetString(contentBytes: address.bytes[...]))
  }
}

/// A certificate as people and other programs read it.
public func pemText(ofCertificate certificate: [UInt8]) -> String {
  PEMDocument(type: "CERTIFICATE", derBytes: certificate).pemString
}

/// The one signing request that a PEM text holds, in DER; what it asks for is not looked at.
public func signingRequest(inPEM text: String) throws(SigningError) -> [UInt8] {
  guard text.utf8.count <= 2 * AuthorityLimit.bytesPerRequest else {
    throw .notRequest(reason: "\(text.utf8.count) bytes of PEM")
  }
  let documents: [PEMDocument]
  do {
    documents = try PEMDocument.parseMultiple(pemString: text)
  } catch {
    throw .notRequest(reason: "\(error)")
  }
  guard documents.count == 1,
    ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"].contains(documents[0].discriminator)
  else { throw .notRequest(reason: "expected one CERTIFICATE REQUEST in PEM") }
  return documents[0].derBytes
}
