import ControlAPI
import MeshModel

/// A verified client certificate names a node (`spiffe://<trust domain>/node/<name>`).
///
/// A workload's is no proof: with a stolen one anybody could renew it for ever, revoked or not.
struct PeerCertificates: Authenticator {
  let trustDomain: String
  /// Whose roots count now: a connection may be older than the last change.
  let signer: Signer
  /// Nil: nobody asked for revocations.
  let revocations: RevocationFile?

  func caller(of peer: Peer, at now: WallTime) async throws(AuthenticationFailure) -> Caller? {
    // A token that is shown counts alone: a wrong one is not made good by a certificate.
    guard peer.bearerToken == nil, let certificate = peer.certificate else { return nil }
    guard let role = certificate.uris.lazy.compactMap(role).first else {
      throw .unusableCertificate(uris: certificate.uris)
    }
    guard now < certificate.notAfter else { throw .expired(at: certificate.notAfter) }
    guard let root = certificate.chain.last, await signer.trusts(root) else { throw .unknownRoot }
    try revocations?.check(certificate.chain)
    return Caller(role: role, proof: .certificate, validUntil: certificate.notAfter)
  }

  /// Nil for a URI that names none of our nodes; another one of the certificate may.
  private func role(_ uri: String) -> Caller.Role? {
    let prefix = "spiffe://\(trustDomain)/node/"
    guard uri.hasPrefix(prefix) else { return nil }
    let name = String(uri.dropFirst(prefix.count))
    return isNodeName(name) ? .node(name) : nil
  }
}

/// What Kubernetes takes for the name of a node: letters, digits, `-` and `.`, 253 bytes at most.
func isNodeName(_ name: some StringProtocol) -> Bool {
  !name.isEmpty && name.utf8.count <= 253
    && name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
}
