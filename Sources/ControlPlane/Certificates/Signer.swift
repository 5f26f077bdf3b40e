import CertificateAuthority
import Linux
import MeshModel

/// The owner of the certificate authority.
actor Signer {
  private var authority: CertificateAuthority
  /// Why the authority's files were not taken over; nil while they are good.
  private(set) var problem: String?

  init(directory: String, trustDomain: String) throws(AuthorityError) {
    authority = try CertificateAuthority(
      directory: directory, trustDomain: trustDomain, now: WallClock.now())
  }

  var notAfter: WallTime { authority.notAfter }
  var rootCount: Int { authority.roots.count }

  /// Whether a root, DER, is trusted now.
  func trusts(_ root: [UInt8]) -> Bool { authority.roots.contains(root) }

  /// DER of those whose signatures on revocation lists can be checked.
  var authorities: [[UInt8]] { authority.authorities }

  /// Every trusted root, PEM.
  var rootsText: String { pem(authority.roots) }

  func sign(
    _ request: [UInt8], for identity: SPIFFEID, lifetime: Duration
  ) throws(SigningError) -> IssuedChain {
    try authority.sign(request, for: identity, lifetime: lifetime, now: WallClock.now())
  }

  func servingCertificate(for names: [String]) throws(SigningError) -> ServingCertificate {
    try authority.servingCertificate(
      for: names, lifetime: Limit.servingLifetime, now: WallClock.now())
  }

  /// Takes over changed files; true when there is another authority or other roots now.
  func reload() -> Bool {
    do throws(AuthorityError) {
      let hasChanged = try authority.reloadIfChanged(now: WallClock.now())
      problem = nil
      return hasChanged
    } catch {
      problem = "\(error)"
      return false
    }
  }

  /// The answer to a request, as Istio's clients read it: the roots are its last element.
  static func answer(_ chain: IssuedChain) -> [String] {
    chain.chain.map { pemText(ofCertificate: $0) + "\n" } + [pem(chain.roots)]
  }
}

private func pem(_ certificates: [[UInt8]]) -> String {
  certificates.map { pemText(ofCertificate: $0) + "\n" }.joined()
}
