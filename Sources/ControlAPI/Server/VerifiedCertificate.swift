import FoundationEssentials
public import MeshModel
import SwiftASN1
import X509

/// The certificate a client showed, and the way from it to a root that was trusted then.
public struct VerifiedCertificate: Hashable, Sendable {
  /// The URIs that the leaf names.
  public var uris: [String]
  /// DER, from the leaf to the root.
  public var chain: [[UInt8]]
  /// When the first of the chain expires.
  public var notAfter: WallTime

  public init(uris: [String], chain: [[UInt8]], notAfter: WallTime) {
    self.uris = uris
    self.chain = chain
    self.notAfter = notAfter
  }
}

/// Judges the certificates that clients show: signed by whom, for what, until when.
///
/// The TLS library would do the same and keep the way to the root to itself, and that is what
/// revocations are about.
struct ClientVerification: Sendable {
  private let roots: CertificateStore

  /// - roots: DER each.
  init(roots: [[UInt8]]) throws {
    self.roots = CertificateStore(try roots.map { try Certificate(derEncoded: $0) })
  }

  /// Nil: nobody here vouches for it.
  func verified(_ shown: [[UInt8]]) async -> VerifiedCertificate? {
    guard let first = shown.first, shown.count <= ControlLimit.clientCertificates else {
      return nil
    }
    do {
      let leaf = try Certificate(derEncoded: first)
      let others = try shown.dropFirst().map { try Certificate(derEncoded: $0) }
      var verifier = Verifier(rootCertificates: roots) {
        RFC5280Policy()
        ClientPolicy()
      }
      guard
        case .validCertificate(let found) = await verifier.validate(
          leaf: leaf, intermediates: CertificateStore(others)),
        let notAfter = found.map(\.notValidAfter).min()
      else { return nil }
      return VerifiedCertificate(
        uris: try leaf.uris, chain: try found.map { try $0.der() },
        notAfter: WallTime(secondsSinceEpoch: notAfter.timeIntervalSince1970))
    } catch {
      // What cannot be read proves nothing.
      return nil
    }
  }
}

/// What a chain must be beside valid: for clients, and signed with nothing that is broken.
private struct ClientPolicy: VerifierPolicy {
  /// Names are critical where the subject is empty; who they are is asked later.
  let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
    .X509ExtensionID.subjectAlternativeName, .X509ExtensionID.extendedKeyUsage,
  ]

  func chainMeetsPolicyRequirements(
    chain: UnverifiedCertificateChain
  ) -> PolicyEvaluationResult {
    do {
      guard try chain.leaf.isForClients else {
        return .failsToMeetPolicy(reason: "not for clients")
      }
      guard chain.allSatisfy({ $0.signatureAlgorithm != .sha1WithRSAEncryption }) else {
        return .failsToMeetPolicy(reason: "signed with SHA-1")
      }
      return .meetsPolicy
    } catch {
      return .failsToMeetPolicy(reason: "an extension cannot be read")
    }
  }
}

extension Certificate {
  fileprivate var uris: [String] {
    get throws {
      try extensions.subjectAlternativeNames?.compactMap { name in
        guard case .uniformResourceIdentifier(let uri) = name else { return nil }
        return uri
      } ?? []
    }
  }

  /// Without the extension it is for everything.
  ///
  /// Source: RFC 5280, section 4.2.1.12.
  fileprivate var isForClients: Bool {
    get throws {
      guard let usage = try extensions.extendedKeyUsage else { return true }
      return usage.contains(.clientAuth) || usage.contains(.any)
    }
  }

  fileprivate func der() throws -> [UInt8] {
    var serializer = DER.Serializer()
    try serializer.serialize(self)
    return serializer.serializedBytes
  }
}
