import COpenSSL
import MeshModel

/// What holds for every peer beside the roots of one's own certificate.
///
/// A peer of our own trust domain is verified with the roots that came with our certificate, one of
/// another domain with that domain's bundle and nothing else: no root speaks for two domains unless
/// it stands in both bundles.
public final class Trust: Sendable {
  public enum Revocations: Sendable {
    /// Nobody asked for any.
    case off
    /// Asked for, and none could be read: nobody is let in.
    case unknown(reason: String)
    case lists(RevocationLists)
  }

  public let revocations: Revocations
  let bundles: [String: TrustBundle]

  /// Bundles by trust domain; one of our own domain is not looked at.
  public init(_ revocations: Revocations = .off, bundles: [String: TrustBundle] = [:]) {
    self.revocations = revocations
    self.bundles = bundles
  }

  /// No revocations, no other domain.
  public static let own = Trust()
}

/// The roots of one other trust domain.
///
/// Safe because nothing changes the list after init, and OpenSSL counts the owners of certificates.
@safe public final class TrustBundle: Sendable {
  public let rootCount: Int
  nonisolated(unsafe) let certificates: OpaquePointer

  /// Roots in DER; an unreadable one is an error, not a gap.
  public init(roots: [[UInt8]]) throws(CredentialsError) {
    guard !roots.isEmpty else { throw .noRoots }
    guard roots.count <= TLSLimit.rootsPerBundle else { throw .tooManyRoots(roots.count) }
    guard Library.isReady, let list = unsafe copenssl_certificates_new() else {
      throw .library(reason: Library.takeReason())
    }
    rootCount = roots.count
    unsafe certificates = unsafe list
    for (index, bytes) in roots.enumerated() {
      guard let root = ParsedCertificate(der: bytes) else { throw .unreadableRoot(index: index) }
      guard unsafe copenssl_certificates_add(list, root.pointer) == 1 else {
        throw .library(reason: Library.takeReason())
      }
    }
  }

  deinit { unsafe copenssl_certificates_free(certificates) }

  /// Puts every root into a store, which shares them.
  func fill(_ store: OpaquePointer) -> Bool {
    for index in 0..<(unsafe copenssl_certificates_count(certificates)) {
      guard let root = unsafe copenssl_certificates_at(certificates, index),
        unsafe X509_STORE_add_cert(store, root) == 1
      else { return false }
    }
    return true
  }

  func contains(_ certificate: OpaquePointer) -> Bool {
    for index in 0..<(unsafe copenssl_certificates_count(certificates)) {
      guard let root = unsafe copenssl_certificates_at(certificates, index) else { continue }
      if unsafe X509_cmp(root, certificate) == 0 { return true }
    }
    return false
  }
}

extension Trust {
  /// What revocations say against a proven chain, leaf first and root last.
  func failure(ofChain chain: OpaquePointer?) -> TLSFailure? {
    switch revocations {
    case .off: return nil
    case .unknown(let reason): return .revocationsUnknown(reason: reason)
    case .lists(let lists):
      guard let place = unsafe lists.revokedPlace(in: chain),
        let pointer = unsafe copenssl_certificates_at(chain, CInt(place)),
        let leaf = unsafe copenssl_certificates_at(chain, 0)
      else { return nil }
      return .certificateRevoked(
        unsafe ParsedCertificate(sharing: leaf).identities.first,
        serialNumber: unsafe ParsedCertificate(sharing: pointer).serialNumber, place: place)
    }
  }
}

extension TLSSession {
  /// What a trust, or roots of our own, that came later have against the peer; nil when it would be
  /// let in again.
  ///
  /// Nil before the handshake is done: ask again then.
  ///
  /// - current: the credentials of now of whom this session began with; nil when they are not known.
  public func objection(under trust: Trust, roots current: Credentials? = nil) -> TLSFailure? {
    guard isEstablished, let peer = peerIdentity else { return nil }
    let chain = unsafe verifiedChain
    if trust !== self.trust, let failure = unsafe trust.failure(ofChain: chain) { return failure }
    let own = credentials.identity.trustDomain
    guard peer.trustDomain != own else {
      guard let current, current !== credentials, unsafe !current.trusts(chain) else { return nil }
      return .unknownRoot(peer)
    }
    guard trust !== self.trust else { return nil }
    guard let bundle = trust.bundles[peer.trustDomain] else {
      return .otherTrustDomain(expected: own, found: peer)
    }
    let count = unsafe copenssl_certificates_count(chain)
    guard count > 0, let root = unsafe copenssl_certificates_at(chain, count - 1),
      unsafe bundle.contains(root)
    else { return .unknownRoot(peer) }
    return nil
  }
}
