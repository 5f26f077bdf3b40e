import ControlAPI
import MeshModel

/// A verified client certificate names a node (`spiffe://<trust domain>/node/<name>`).
///
/// A workload's is no proof: with a stolen one anybody could renew it for ever, revoked or not.
struct PeerCertificates: Authenticator {
  let trustDomain: String

  func caller(of peer: Peer, at now: WallTime) throws(AuthenticationFailure) -> Caller? {
    // A token that is shown counts alone: a wrong one is not made good by a certificate.
    guard peer.bearerToken == nil, !peer.certificateURIs.isEmpty else { return nil }
    for uri in peer.certificateURIs {
      if let role = role(uri) { return Caller(role: role, proof: .certificate) }
    }
    throw .unusableCertificate(uris: peer.certificateURIs)
  }

  private func role(_ uri: String) -> Caller.Role? {
    let prefix = "spiffe://\(trustDomain)/node/"
    if uri.hasPrefix(prefix) {
      let name = String(uri.dropFirst(prefix.count))
      return isNodeName(name) ? .node(name) : nil
    }
    // Another URI of the certificate may be one of ours.
    return nil
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
