import MeshModel

/// The PeerAuthentications of the mesh, and what they mean for one workload.
///
/// A workload's own beats its namespace's, which beats the mesh's; of several on one level the
/// oldest counts. Mutual TLS required is a DENY policy for connections without an identity.
/// Source: istiod's conversion for ambient, as section 4.4 of our notes records it.
struct PeerAuthentications {
  private let rootNamespace: String
  private var mesh: PeerAuthenticationManifest?
  private var byNamespace: [String: PeerAuthenticationManifest] = [:]
  /// Those with a selector, by namespace, the winning order first.
  private var selective: [String: [PeerAuthenticationManifest]] = [:]
  /// Those that lose to an older one on their level, with the winner.
  private(set) var overruled: [(loser: Origin, winner: Origin)] = []
  /// Those of the root namespace that would let plaintext in to some of its pods alone.
  private(set) var powerless: [Origin] = []
  private let isEmpty: Bool

  init(_ manifests: [PeerAuthenticationManifest], rootNamespace: String) {
    self.rootNamespace = rootNamespace
    isEmpty = manifests.isEmpty
    for manifest in manifests.sorted(by: { $0.precedes($1) }) {
      let namespace = manifest.metadata.namespace
      if !manifest.selector.isEmpty {
        let kept = namespace == rootNamespace ? manifest.withoutWeakening : manifest
        if kept.weakens != manifest.weakens { powerless.append(manifest.origin) }
        selective[namespace, default: []].append(kept)
      } else if namespace == rootNamespace {
        if let mesh { overruled.append((manifest.origin, mesh.origin)) }
        mesh = mesh ?? manifest
      } else {
        if let first = byNamespace[namespace] { overruled.append((manifest.origin, first.origin)) }
        byNamespace[namespace] = byNamespace[namespace] ?? manifest
      }
    }
  }

  /// The policies to attach to a workload.
  func policies(namespace: String, labels: [String: String]) -> [PolicyKey] {
    let inherited = inheritsStrict(in: namespace)
    let own = selective[namespace]?.first { selects($0.selector, labels) }
    guard let own else { return inherited ? [strictKey] : [] }
    let isStrict = own.isStrict(inherited: inherited)
    if own.needsPolicyOfItsOwn(inherited: inherited) { return [Self.convertedKey(own)] }
    return isStrict ? [strictKey] : []
  }

  /// Every policy that `policies(namespace:labels:)` may name.
  var converted: [AuthorizationPolicy] {
    if isEmpty { return [] }
    var policies = [
      AuthorizationPolicy(
        key: strictKey, scope: .workloadSelector, action: .deny,
        rules: [.init(clauses: [.init(matches: [.withoutIdentity])])])
    ]
    for manifest in selective.values.joined() {
      let inherited = inheritsStrict(in: manifest.metadata.namespace)
      guard manifest.needsPolicyOfItsOwn(inherited: inherited) else { continue }
      policies.append(
        AuthorizationPolicy(
          key: Self.convertedKey(manifest), scope: .workloadSelector, action: .deny,
          rules: manifest.rules(isStrict: manifest.isStrict(inherited: inherited))))
    }
    return policies
  }

  private var strictKey: PolicyKey {
    PolicyKey(namespace: rootNamespace, name: "istio_converted_static_strict")
  }

  private static func convertedKey(_ manifest: PeerAuthenticationManifest) -> PolicyKey {
    PolicyKey(
      namespace: manifest.metadata.namespace,
      name: "converted_peer_authentication_\(manifest.metadata.name)")
  }

  private func inheritsStrict(in namespace: String) -> Bool {
    let meshWide = mesh?.isStrict(inherited: false) ?? false
    return byNamespace[namespace]?.isStrict(inherited: meshWide) ?? meshWide
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
