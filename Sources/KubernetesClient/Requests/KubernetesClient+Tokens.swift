import MeshCompiler

/// Whose token it is, after the API server looked at it.
public struct TokenReview: Hashable, Sendable {
  /// Such as `system:serviceaccount:shop:web`.
  public var username: String
  public var uid: String
  public var groups: [String]
  /// Which of the audiences asked for the token is for.
  public var audiences: [String]
  public var extra: [String: [String]]

  public init(
    username: String, uid: String = "", groups: [String] = [], audiences: [String],
    extra: [String: [String]] = [:]
  ) {
    self.username = username
    self.uid = uid
    self.groups = groups
    self.audiences = audiences
    self.extra = extra
  }

  /// The namespace and name of a service account; nil for any other user.
  public var account: (namespace: String, name: String)? {
    let parts = username.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "system", parts[1] == "serviceaccount" else { return nil }
    return (String(parts[2]), String(parts[3]))
  }

  /// The name and uid of the pod the token is bound to; nil when it is bound to none.
  public var pod: (name: String, uid: String)? {
    guard let name = single("pod-name"), let uid = single("pod-uid") else { return nil }
    return (name, uid)
  }

  /// The node's name, from a cluster of 1.32 or later.
  public var node: String? { single("node-name") }

  private func single(_ key: String) -> String? {
    let values = extra["authentication.kubernetes.io/\(key)"] ?? []
    return values.count == 1 ? values[0] : nil
  }
}

extension KubernetesClient {
  /// What the API server says of a token; nil when it is no good, or for none of `audiences`.
  public func review(
    token: String, audiences: [String]
  ) async throws(KubernetesError) -> TokenReview? {
    let reviews = Resource(
      group: "authentication.k8s.io", plural: "tokenreviews", kind: "TokenReview")
    let answer = try await create(
      reviews,
      ["spec": ["token": .text(token), "audiences": .list(audiences.map { .text($0) })]])
    guard let status = answer["status"],
      status["authenticated"]?.content == .boolean(true), let user = status["user"],
      let username = user["username"]?.text
    else { return nil }
    let granted = status["audiences"]?.items.compactMap(\.text) ?? []
    // A server that knows no audiences answers with none: its word would be for any token at all.
    guard granted.contains(where: audiences.contains) else { return nil }
    return TokenReview(
      username: username, uid: user["uid"]?.text ?? "",
      groups: user["groups"]?.items.compactMap(\.text) ?? [], audiences: granted,
      extra: texts(user["extra"]))
  }

  private func texts(_ value: ManifestValue?) -> [String: [String]] {
    guard case .mapping(let entries) = value?.content else { return [:] }
    return Dictionary(
      entries.map { ($0.key, $0.value.items.compactMap(\.text)) },
      uniquingKeysWith: { first, _ in first })
  }
}
