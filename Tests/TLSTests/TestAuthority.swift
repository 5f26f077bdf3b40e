import COpenSSL
import Crypto
import FoundationEssentials
import Identity
import MeshModel
import SwiftASN1
import TLS
import X509

/// An authority that signs anything it is asked to, also what no decent one would.
struct TestAuthority {
  let key: Certificate.PrivateKey
  let certificate: Certificate

  var der: [UInt8] { get throws { try encoded(certificate) } }

  /// A self-signed root, or an intermediate of `parent`; with a key of its own, or another's again.
  init(
    named name: String, under parent: TestAuthority? = nil, rsa: Bool = false,
    mayIssue: Bool = true, isExpired: Bool = false, reissuing old: TestAuthority? = nil
  ) throws {
    let now = Date()
    let key =
      try old?.key ?? (rsa ? makeRSAKey() : Certificate.PrivateKey(P256.Signing.PrivateKey()))
    let subject = try DistinguishedName { CommonName(name) }
    certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey,
      notValidBefore: now - 3_600, notValidAfter: now + (isExpired ? -60 : 86_400),
      issuer: parent?.certificate.subject ?? subject, subject: subject,
      extensions: try Certificate.Extensions {
        if mayIssue {
          Critical(BasicConstraints.isCertificateAuthority(maxPathLength: nil))
          Critical(KeyUsage(keyCertSign: true))
        }
        SubjectKeyIdentifier(hash: key.publicKey)
      },
      issuerPrivateKey: parent?.key ?? key)
    self.key = key
  }

  /// What a leaf should say; the defaults are those of a good one.
  struct Wish {
    var names: [GeneralName] = []
    var begin: TimeInterval = -60
    var end: TimeInterval = 3_600
    var usages: [ExtendedKeyUsage.Usage]? = [.serverAuth, .clientAuth]
    var issuerName: DistinguishedName?
    var isAuthority = false

    init(_ uris: String...) {
      names = uris.map { .uniformResourceIdentifier($0) }
    }
  }

  func leaf(for publicKey: Certificate.PublicKey, _ wish: Wish) throws -> [UInt8] {
    let now = Date()
    return try encoded(
      Certificate(
        version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
        notValidBefore: now + wish.begin, notValidAfter: now + wish.end,
        issuer: wish.issuerName ?? certificate.subject, subject: DistinguishedName(),
        extensions: try Certificate.Extensions {
          Critical(
            wish.isAuthority
              ? BasicConstraints.isCertificateAuthority(maxPathLength: nil)
              : .notCertificateAuthority)
          Critical(KeyUsage(digitalSignature: true))
          AuthorityKeyIdentifier(
            keyIdentifier: SubjectKeyIdentifier(hash: key.publicKey).keyIdentifier)
          if let usages = wish.usages { try ExtendedKeyUsage(usages) }
          Critical(SubjectAlternativeNames(wish.names))
        },
        issuerPrivateKey: key))
  }

  /// Credentials for `wish`, trusting this authority or `roots`.
  func credentials(
    _ wish: Wish, intermediates: [[UInt8]] = [], roots: [[UInt8]]? = nil,
    verificationTime: WallTime? = nil
  ) throws -> Credentials {
    let key = try PrivateKey()
    let leaf = try leaf(for: publicKey(of: key), wish)
    return try Credentials(
      key: key, chain: [leaf] + intermediates, roots: roots ?? [der],
      verificationTime: verificationTime)
  }

  func credentials(_ uri: String) throws -> Credentials { try credentials(Wish(uri)) }
}

/// The public half, read from a request: the key itself never leaves.
func publicKey(of key: PrivateKey) throws -> Certificate.PublicKey {
  let request = try key.signingRequest(
    for: SPIFFEID(trustDomain: "any", namespace: "any", serviceAccount: "any"))
  return try CertificateSigningRequest(derEncoded: request).publicKey
}

func encoded(_ certificate: Certificate) throws -> [UInt8] {
  var serializer = DER.Serializer()
  try serializer.serialize(certificate)
  return serializer.serializedBytes
}

private func makeRSAKey() throws -> Certificate.PrivateKey {
  let generator = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil)
  defer { unsafe EVP_PKEY_CTX_free(generator) }
  var key: OpaquePointer?
  unsafe EVP_PKEY_keygen_init(generator)
  unsafe EVP_PKEY_CTX_set_rsa_keygen_bits(generator, 2_048)
  unsafe EVP_PKEY_keygen(generator, &key)
  defer { unsafe EVP_PKEY_free(key) }
  let count = unsafe Int(i2d_PrivateKey(key, nil))
  let der = unsafe [UInt8](unsafeUninitializedCapacity: count) { storage, filled in
    var cursor = storage.baseAddress
    filled = unsafe Int(i2d_PrivateKey(key, &cursor))
  }
  return try Certificate.PrivateKey(
    pemDocument: PEMDocument(type: "RSA PRIVATE KEY", derBytes: der))
}

enum Name {
  static let alice = "spiffe://cluster.local/ns/shop/sa/alice"
  static let bob = "spiffe://cluster.local/ns/shop/sa/bob"
  static let mallory = "spiffe://cluster.local/ns/shop/sa/mallory"
  static let stranger = "spiffe://elsewhere/ns/shop/sa/alice"
}

func id(_ uri: String) -> SPIFFEID {
  do {
    return try SPIFFEID(parsing: uri)
  } catch {
    preconditionFailure("a test's own identity does not parse: \(error)")
  }
}
