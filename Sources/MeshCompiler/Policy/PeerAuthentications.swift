import MeshModel

/// The PeerAuthentications that hold in a namespace, and what they mean for one workload.
///
/// A workload's own beats its namespace's, which beats the mesh's; of several on one level the
/// oldest counts. Mutual TLS required is a DENY policy for connections without an identity.
/// Source: istiod's conversion for ambient, as section 4.4 of our notes records it.
struct PeerAuthentications {
  private let rootNamespace: String
  /// Whether what holds without a selector asks for mutual TLS.
  private let isStrict: Bool
  /// Those with a selector, the winning order first.
  private var selective: [PeerAuthenticationManifest] = []
  /// Those that lose to an older one, with the winner.
  private(set) var overruled: [(loser: Origin, winner: Origin)] = []
  /// Those of the root namespace that would let plaintext in to some of its pods alone.
  private(set) var powerless: [Origin] = []

  /// - own: those of the namespace.
  /// - meshWide: the one that holds where no other does.
  init(
    _ own: some Sequence<PeerAuthenticationManifest>, meshWide: PeerAuthenticationManifest?,
    rootNamespace: String
  ) {
    self.rootNamespace = rootNamespace
    var wide: PeerAuthenticationManifest?
    for manifest in own.sorted(by: { $0.precedes($1) }) {
      if !manifest.selector.isEmpty {
        let isRoot = manifest.metadata.namespace == rootNamespace
        let kept = isRoot ? manifest.withoutWeakening : manifest
        if kept.weakens != manifest.weakens { powerless.append(manifest.origin) }
        selective.append(kept)
      } else {
        if let wide { overruled.append((manifest.origin, wide.origin)) }
        wide = wide ?? manifest
      }
    }
    let isMeshStrict = meshWide?.isStrict(inherited: false) ?? false
    isStrict = wide?.isStrict(inherited: isMeshStrict) ?? isMeshStrict
  }

  /// The policies to attach to a workload with these labels.
  func policies(labels: [String: String]) -> [PolicyKey] {
    let own = selective.first { selects($0.selector, labels) }
    guard let own else { return isStrict ? [strictKey] : [] }
    if own.needsPolicyOfItsOwn(inherited: isStrict) { return [Self.convertedKey(own)] }
    return own.isStrict(inherited: isStrict) ? [strictKey] : []
  }

  /// The policies that `policies(labels:)` may name, but for the one of the whole mesh.
  var converted: [AuthorizationPolicy] {
    selective.compactMap { manifest in
      guard manifest.needsPolicyOfItsOwn(inherited: isStrict) else { return nil }
      return AuthorizationPolicy(
        key: Self.convertedKey(manifest), scope: .workloadSelector, action: .deny,
        rules: manifest.rules(isStrict: manifest.isStrict(inherited: isStrict)))
    }
  }

  /// Refuses plaintext, wherever it is named.
  static func strictPolicy(rootNamespace: String) -> AuthorizationPolicy {
    AuthorizationPolicy(
      key: strictKey(rootNamespace), scope: .workloadSelector, action: .deny,
      rules: [.init(clauses: [.init(matches: [.withoutIdentity])])])
  }

  private static func strictKey(_ rootNamespace: String) -> PolicyKey {
    PolicyKey(namespace: rootNamespace, name: "istio_converted_static_strict")
  }

  private var strictKey: PolicyKey { Self.strictKey(rootNamespace) }

  private static func convertedKey(_ manifest: PeerAuthenticationManifest) -> PolicyKey {
    PolicyKey(
      namespace: manifest.metadata.namespace,
      name: "converted_peer_authentication_\(manifest.metadata.name)")
  }
}

extension PeerAuthenticationManifest {
  fileprivate func isStrict(inherited: Bool) -> Bool {
    switch mode {
    case .unset: inherited
    case .strict: true
    case .permissive, .disable: false
    }
  }

  /// Whether it lets plaintext in where it might otherwise be refused.
  fileprivate var weakens: Bool {
    ([mode] + portModes.values).contains { $0 == .permissive || $0 == .disable }
  }

  /// Only what asks for mutual TLS: Istio passes over one with a selector in the root namespace.
  fileprivate var withoutWeakening: Self {
    var stricter = self
    if mode != .strict { stricter.mode = .unset }
    stricter.portModes = portModes.filter { $0.value == .strict }
    return stricter
  }

  /// True when some port differs from the rest of the workload.
  fileprivate func needsPolicyOfItsOwn(inherited: Bool) -> Bool {
    let isStrict = isStrict(inherited: inherited)
    return portModes.values.contains { mode in
      switch mode {
      case .unset: false
      case .strict: !isStrict
      case .permissive, .disable: isStrict
      }
    }
  }

  /// One rule per strict port, and one for all ports but the permissive ones when the rest is strict.
  fileprivate func rules(isStrict: Bool) -> [AuthorizationPolicy.Rule] {
    let ports = portModes.sorted { $0.key < $1.key }
    var rules: [AuthorizationPolicy.Rule] = ports.filter { $0.value == .strict }.map { port, _ in
      var match = AuthorizationPolicy.Match.withoutIdentity
      match.destinationPorts = [port]
      return .init(clauses: [.init(matches: [match])])
    }
    if isStrict {
      var others = AuthorizationPolicy.Match()
      others.notDestinationPorts = ports.filter { $0.value == .permissive || $0.value == .disable }
        .map(\.key)
      rules.append(
        .init(clauses: [.init(matches: [.withoutIdentity]), .init(matches: [others])]))
    }
    return rules
  }
}

extension AuthorizationPolicy.Match {
  /// Plaintext: no principal at all.
  fileprivate static var withoutIdentity: Self {
    var match = Self()
    match.notPrincipals = [.presence]
    return match
  }
}

/// Whether labels carry all that a selector asks for.
func selects(_ selector: [String: String], _ labels: [String: String]) -> Bool {
  selector.allSatisfy { labels[$0.key] == $0.value }
}
