public import MeshModel

/// Why the authority's directory cannot be used; the last good content stays in force.
public enum AuthorityError: Error, Hashable, Sendable {
  case directoryUnusable(path: String, reason: String)
  case unreadable(path: String, reason: String)
  case unwritable(path: String, reason: String)
  case tooLarge(path: String, bytes: Int)
  /// Others than the owner may read or write the key.
  case keyTooOpen(path: String, mode: Int)
  /// The same in a volume of Kubernetes, where the mode is set elsewhere.
  case volumeKeyTooOpen(path: String, mode: Int)
  /// Files of our layout and of Istio's side by side.
  case twoLayouts(directory: String)
  case certificateWithoutKey(certificate: String, key: String)
  case notCertificates(path: String, reason: String)
  case notKey(path: String, reason: String)
  case notOneKeyPair(certificate: String, key: String)
  /// The issuing certificate may not sign others.
  case notAuthority(path: String)
  case expired(path: String, notAfter: WallTime)
  case notRoot(path: String)
  /// The issuing certificate leads to none of the roots at hand.
  case noRoot(certificate: String, roots: String)
  case tooManyRoots(path: String, count: Int)
  /// More certificates above the issuing one than peers accept.
  case chainTooLong(path: String, count: Int)
  case library(reason: String)
}

extension AuthorityError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .directoryUnusable(let path, let reason):
      "\(path): expected a directory to keep the certificate authority in: \(reason)"
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .unwritable(let path, let reason): "\(path): cannot be written: \(reason)"
    case .tooLarge(let path, let bytes):
      "\(path): \(bytes) bytes, expected at most \(AuthorityLimit.bytesPerFile)"
    case .keyTooOpen(let path, let mode):
      "\(path): mode \(octal(mode)) lets others at the key, expected 0600: chmod 600 \(path)"
    case .volumeKeyTooOpen(let path, let mode):
      "\(path): mode \(octal(mode)) lets others at the key, expected 0400 or 0440: "
        + "set defaultMode: 0400 where the secret is mounted"
    case .twoLayouts(let directory):
      "\(directory): holds ca.crt or ca.key and ca-cert.pem or ca-key.pem; keep one pair"
    case .certificateWithoutKey(let certificate, let key):
      "\(key): is missing while \(certificate) is there; "
        + "put the key back, or move the certificate to roots/ to begin a new root"
    case .notCertificates(let path, let reason):
      "\(path): expected PEM certificates (-----BEGIN CERTIFICATE-----): \(reason)"
    case .notKey(let path, let reason):
      "\(path): expected one PEM private key, P-256, P-384 or RSA of 2048 bits or more: \(reason)"
    case .notOneKeyPair(let certificate, let key):
      "\(certificate): its first certificate is not for the key in \(key); replace both together"
    case .notAuthority(let path):
      "\(path): expected a certificate that may sign others (basicConstraints CA, keyCertSign)"
    case .expired(let path, let notAfter):
      "\(path): expired at \(Int64(notAfter.secondsSinceEpoch)) (Unix time)"
    case .notRoot(let path): "\(path): expected self-signed certificates only"
    case .noRoot(let certificate, let roots):
      "\(certificate): no root signs it; add its root to the file or to \(roots)"
    case .tooManyRoots(let path, let count):
      "\(path): \(count) roots, expected at most \(AuthorityLimit.roots)"
    case .chainTooLong(let path, let count):
      "\(path): \(count) certificates below the root, "
        + "expected at most \(AuthorityLimit.intermediates)"
    case .library(let reason): "the certificate library failed: \(reason)"
    }
  }

  private func octal(_ mode: Int) -> String { "0" + String(mode, radix: 8) }
}

/// Why a request was not signed.
public enum SigningError: Error, Hashable, Sendable {
  case notRequest(reason: String)
  /// The request is not signed with the key it names.
  case badSignature
  case keyNotP256
  /// The authority speaks for its own trust domain only.
  case otherTrustDomain(own: String, SPIFFEID)
  case lifetimeOutOfRange(Duration)
  /// The issuing certificate itself is not valid at this time.
  case authorityNotValid(notBefore: WallTime, notAfter: WallTime)
  case library(reason: String)
}

extension SigningError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notRequest(let reason): "expected a PKCS #10 request in DER: \(reason)"
    case .badSignature: "the request is not signed with its own key"
    case .keyNotP256: "expected a P-256 key in the request"
    case .otherTrustDomain(let own, let identity):
      "\(identity) is of another trust domain than this authority's, \(own)"
    case .lifetimeOutOfRange(let lifetime):
      "expected a lifetime of \(AuthorityLimit.shortestLeafLifetime) to "
        + "\(AuthorityLimit.longestLeafLifetime), not \(lifetime)"
    case .authorityNotValid(let notBefore, let notAfter):
      "the authority's own certificate is valid from \(Int64(notBefore.secondsSinceEpoch)) to "
        + "\(Int64(notAfter.secondsSinceEpoch)) (Unix time) only"
    case .library(let reason): "the certificate library failed: \(reason)"
    }
  }
}
