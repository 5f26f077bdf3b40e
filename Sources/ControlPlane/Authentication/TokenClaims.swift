import MeshModel

/// What a signed token says, as far as we look.
///
/// Source: RFC 7519, section 4.1; Kubernetes, "Managing Service Accounts", bound tokens.
struct TokenClaims: Hashable, Sendable {
  struct ObjectReference: Hashable, Sendable, Codable {
    var name: String
    var uid: String?
  }

  struct Kubernetes: Hashable, Sendable, Codable {
    var namespace: String
    var serviceaccount: ObjectReference?
    var pod: ObjectReference?
    var node: ObjectReference?
  }

  var issuer: String
  var subject: String
  var audiences: [String]
  var expires: WallTime
  var notBefore: WallTime?
  var kubernetes: Kubernetes?
}

/// What tokens must be like, and whose they may be.
struct TokenRules: Hashable, Sendable {
  /// Clocks of the issuer and ours may differ by this much.
  static let clockSkew = Duration.seconds(10)

  var issuer: String
  var audience: String
  var trustDomain: String
  /// The accounts of node agents, `namespace/name`; any other account is a workload.
  var nodeAccounts: Set<String>
  /// How subjects begin that name nodes and are no service accounts; the rest is the name.
  var nodePrefix: String

  func check(_ claims: TokenClaims, at now: WallTime) throws(AuthenticationFailure) {
    let skew = Double(Self.clockSkew.components.seconds)
    guard claims.issuer == issuer else { throw .wrongIssuer(claims.issuer) }
    guard claims.audiences.contains(audience) else { throw .wrongAudience(claims.audiences) }
    guard now.secondsSinceEpoch < claims.expires.secondsSinceEpoch + skew else {
      throw .expired(at: claims.expires)
    }
    if let begin = claims.notBefore, begin.secondsSinceEpoch > now.secondsSinceEpoch + skew {
      throw .notYetValid(from: begin)
    }
  }

  /// Whose token it is.
  ///
  /// A node agent's account is tied to a node by the token's own claim, else by the pod it is bound
  /// to. Without either it could speak for any node, so it speaks for none.
  func role(
    of claims: TokenClaims, nodeOfPod: (PodReference) -> String?
  ) throws(AuthenticationFailure) -> Caller.Role {
    guard let account = account(of: claims) else { return try node(of: claims.subject) }
    guard nodeAccounts.contains("\(account.namespace)/\(account.name)") else {
      return .workload(
        SPIFFEID(
          trustDomain: trustDomain, namespace: account.namespace, serviceAccount: account.name))
    }
    if let node = claims.kubernetes?.node?.name, isNodeName(node) { return .node(node) }
    if let pod = claims.kubernetes?.pod,
      let node = nodeOfPod(
        PodReference(namespace: account.namespace, name: pod.name, uid: pod.uid)),
      isNodeName(node)
    {
      return .node(node)
    }
    throw .nodeUnknown(subject: claims.subject)
  }

  private func account(of claims: TokenClaims) -> (namespace: String, name: String)? {
    if let kubernetes = claims.kubernetes, let account = kubernetes.serviceaccount {
      return (kubernetes.namespace, account.name)
    }
    let parts = claims.subject.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount" else { return nil }
    return (String(parts[2]), String(parts[3]))
  }

  /// Outside Kubernetes the subject itself is the node: `system:node:node-a`.
  ///
  /// An issuer may have many other subjects, people among them, who are no nodes by being named so.
  private func node(of subject: String) throws(AuthenticationFailure) -> Caller.Role {
    let name = String(subject.dropFirst(nodePrefix.count))
    guard subject.hasPrefix(nodePrefix), isNodeName(name) else { throw .notNode(subject: subject) }
    return .node(name)
  }
}

/// A pod as a token names it.
struct PodReference: Hashable, Sendable {
  var namespace: String
  var name: String
  var uid: String?
}
