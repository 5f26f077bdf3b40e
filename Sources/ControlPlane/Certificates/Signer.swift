import CertificateAuthority
import Linux
import MeshModel

/// The owner of the certificate authority.
actor Signer {
  private var authority: CertificateAuthority
  /// What somebody else keeps, to be taken over with the next `reload`.
  private var offered: AuthorityTexts?
  /// Why nothing better is offered.
  private var lack: AuthoritySecretError?
  /// Why the authority's files were not taken over; nil while they are good.
  private(set) var problem: String?

  init(directory: String, trustDomain: String) throws(AuthorityError) {
    authority = try CertificateAuthority(
      directory: directory, trustDomain: trustDomain, now: WallClock.now())
  }

  init(_ texts: AuthorityTexts, trustDomain: String) throws(AuthorityError) {
    authority = try CertificateAuthority(texts, trustDomain: trustDomain, now: WallClock.now())
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

  /// Hears what the Secret says now that holds the authority.
  func offer(_ next: Result<AuthorityTexts, AuthoritySecretError>) {
    switch next {
    case .success(let texts): (offered, lack) = (texts, nil)
    case .failure(let error): lack = error
    }
  }

  /// Takes over changed files, or what was offered; true when there is another authority or other
  /// roots now.
  func reload() -> Bool {
    do throws(AuthorityError) {
      let now = WallClock.now()
      let hasChanged =
        if let offered {
          try authority.replace(with: offered, now: now)
        } else {
          try authority.reloadIfChanged(now: now)
        }
      problem = lack.map { "\($0)" }
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
