import Crypto
import FoundationEssentials
import MeshModel
import SwiftASN1
import X509

extension Certificate {
  /// The longest way from an issuing certificate up to its root.
  private static let longestPath = 8

  func der() throws -> [UInt8] {
    var serializer = DER.Serializer()
    try serializer.serialize(self)
    return serializer.serializedBytes
  }

  var isSelfSigned: Bool { issuer == subject && isSigned(by: self) }

  func isSigned(by other: Certificate) -> Bool {
    other.publicKey.isValidSignature(signature, for: self)
  }

  /// Whether others will accept certificates signed by this one.
  var mayIssue: Bool {
    do {
      guard case .isCertificateAuthority = try extensions.basicConstraints else { return false }
      guard let usage = try extensions.keyUsage else { return true }
      return usage.keyCertSign
    } catch {
      // An extension that cannot be read is one that others will refuse too.
      return false
    }
  }

  /// The identifier others name this key by: what the certificate says, else its usual hash.
  var ownKeyIdentifier: ArraySlice<UInt8> {
    do {
      if let own = try extensions.subjectKeyIdentifier { return own.keyIdentifier }
    } catch {
      // Unreadable is as good as absent: the hash below is what RFC 5280 4.2.1.2 suggests.
    }
    return SubjectKeyIdentifier(hash: publicKey).keyIdentifier
  }

  /// Whether signatures lead from here to one of `roots`, by way of `others`.
  func leads(to roots: [Certificate], through others: [Certificate]) -> Bool {
    var current = self
    for _ in 0..<Self.longestPath {
      if roots.contains(where: { $0 == current || current.issued(by: $0) }) { return true }
      guard let next = others.first(where: { current != $0 && current.issued(by: $0) }) else {
        return false
      }
      current = next
    }
    return false
  }

  private func issued(by other: Certificate) -> Bool {
    issuer == other.subject && isSigned(by: other)
  }
}

extension [Certificate] {
  /// In the order they have, each once, and `first` not at all.
  func withoutRepeats(of first: Certificate) -> Self {
    var found: Self = []
    for certificate in self where certificate != first && !found.contains(certificate) {
      found.append(certificate)
    }
    return found
  }
}

extension Certificate.PublicKey {
  /// Whether peers accept what this key signs: ztunnel and Envoy know ECDSA on P-256 and P-384,
  /// and RSA; swift-crypto reads no RSA key below 2 048 bits.
  var isForAuthorities: Bool {
    P521.Signing.PublicKey(self) == nil && Curve25519.Signing.PublicKey(self) == nil
  }
}

extension WallTime {
  init(_ date: Date) {
    self.init(secondsSinceEpoch: date.timeIntervalSince1970)
  }

  var date: Date { Date(timeIntervalSince1970: secondsSinceEpoch) }

  func moved(by duration: Duration) -> Self {
    let (seconds, attoseconds) = duration.components
    return Self(
      secondsSinceEpoch: secondsSinceEpoch + Double(seconds) + Double(attoseconds) / 1e18)
  }

  /// Certificates have whole seconds only.
  func wholeSecond(_ rule: FloatingPointRoundingRule) -> Self {
    Self(secondsSinceEpoch: secondsSinceEpoch.rounded(rule))
  }
}
