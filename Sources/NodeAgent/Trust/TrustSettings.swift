import CertificateAuthority

/// Which files say whom to trust beside the roots of our own authority.
struct TrustSettings: Sendable, Equatable {
  /// Revocation lists; nil when nobody asked for any.
  var revocationFile: String?
  /// Files of other trust domains' roots, by domain.
  var bundles: [String: String] = [:]

  var isEmpty: Bool { revocationFile == nil && bundles.isEmpty }

  /// Every file once.
  var files: [String] { Set([revocationFile].compactMap(\.self) + bundles.values).sorted() }
}
