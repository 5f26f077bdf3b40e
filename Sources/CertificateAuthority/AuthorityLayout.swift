/// Where an authority's directory keeps what: in files of our names, or of Istio's.
///
///     ca.crt       ca-cert.pem      the issuing certificate
///                  cert-chain.pem   those above it; may be absent
///     ca.key       ca-key.pem       its key
///     roots/*.crt  root-cert.pem    what to trust; in our layout beside the roots in ca.crt
///
/// Source of the second: the `cacerts` secret of Istio's "Plug in CA certificates" task.
struct AuthorityLayout: Hashable, Sendable {
  var certificate: String
  var key: String
  /// Certificates above the issuing one, in a file of their own; nil when `certificate` holds them.
  var chain: String?
  /// The file that holds all roots; nil when those of `certificate` are trusted as well.
  var roots: String?
  /// A directory of more roots, one file each.
  var moreRoots: String
  /// Whether missing files may be made: never among Istio's, which somebody else puts there.
  var isOurs: Bool { roots == nil }

  static func own(_ directory: String) -> Self {
    Self(
      certificate: "\(directory)/ca.crt", key: "\(directory)/ca.key", chain: nil, roots: nil,
      moreRoots: "\(directory)/roots")
  }

  static func istio(_ directory: String) -> Self {
    Self(
      certificate: "\(directory)/ca-cert.pem", key: "\(directory)/ca-key.pem",
      chain: "\(directory)/cert-chain.pem", roots: "\(directory)/root-cert.pem",
      moreRoots: "\(directory)/roots")
  }

  /// The layout that is there, ours when none is.
  ///
  /// Two at once are refused: which of two keys signs must not hang on a name.
  static func find(
    in directory: String, _ isFile: (String) -> Bool
  ) throws(AuthorityError) -> Self {
    let (own, istio) = (own(directory), istio(directory))
    let hasOwn = isFile(own.certificate) || isFile(own.key)
    guard isFile(istio.certificate) || isFile(istio.key) else { return own }
    guard !hasOwn else { throw .twoLayouts(directory: directory) }
    return istio
  }
}
