import ControlAPI
import Linux
import MeshModel

/// Tokens that an OpenID Connect issuer signed, such as a Kubernetes cluster.
struct SignedTokens: Authenticator {
  let rules: TokenRules
  let keys: KeySource
  /// Where a pod runs, as the mesh has it now.
  let nodeOfPod: @Sendable (PodReference) -> String?

  func caller(of peer: Peer, at now: WallTime) async throws(AuthenticationFailure) -> Caller? {
    guard let token = peer.bearerToken else { return nil }
    let claims = try await claims(in: token)
    try rules.check(claims, at: now)
    return Caller(
      role: try rules.role(of: claims, nodeOfPod: nodeOfPod), proof: .oidc,
      validUntil: claims.expires)
  }

  /// An unknown key may be a new one: its caller alone waits for word of the issuer.
  private func claims(in token: String) async throws(AuthenticationFailure) -> TokenClaims {
    let set = try await keys.current(at: MonotonicClock.now())
    do throws(AuthenticationFailure) {
      return try await set.claims(in: token)
    } catch .unknownKey(let identifier) {
      guard let renewed = await keys.renewed(at: MonotonicClock.now()) else {
        throw .unknownKey(identifier)
      }
      return try await renewed.claims(in: token)
    }
  }
}
