import MeshModel

/// Who may be at the other end, once its chain is proven; no OpenSSL here.
enum PeerRule {
  /// URIs shown when there is no identity among them.
  private static let shownURIs = 4

  /// Nil when the peer may go on.
  ///
  /// A client accepts a server that has one of the expected identities, exactly. A server accepts
  /// a client whose name, the first identity, is of its own trust domain, or of one whose bundle
  /// its chain was verified with.
  ///
  /// Identities of another domain than the name's count for nothing: the roots that were asked
  /// speak for one domain.
  /// Source: ambient-protocol.md, 1.1; stricter there where a later identity could speak for the first.
  static func failure(
    identities: [SPIFFEID], uris: [String], role: TLSRole, expected: [SPIFFEID],
    trustDomain: String,
    isOtherDomainKnown: Bool
  ) -> TLSFailure? {
    guard let name = identities.first else {
      return .noIdentity(found: Array(uris.prefix(shownURIs)))
    }
    switch role {
    case .client:
      let proven = identities.filter { $0.trustDomain == name.trustDomain }
      guard proven.contains(where: { expected.contains($0) }) else {
        return .unexpectedIdentity(expected: expected, found: identities)
      }
    case .server: break
    }
    if name.trustDomain == trustDomain || isOtherDomainKnown { return nil }
    return .otherTrustDomain(expected: trustDomain, found: name)
  }
}
