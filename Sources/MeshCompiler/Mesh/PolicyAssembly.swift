import MeshModel

/// Attaches policies to the workloads of a namespace.
struct PolicyAssembly {
  /// How far a policy reaches.
  enum Reach: Int, Comparable {
    case nobody
    /// Only pods whose connections the mesh does not see.
    case uncovered
    case covered

    static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  }

  private let scope: Scope
  private let pods: [String: Shared<PodManifest>]
  private(set) var workloads: [String: Workload]
  private(set) var policies: [PolicyKey: AuthorizationPolicy] = [:]
  /// How far the policies of the root namespace reach in this one, by name.
  private(set) var rootReach: [String: Reach] = [:]
  private(set) var diagnostics: [Diagnostic] = []
  /// The policies each workload lists.
  private var attached: [String: [PolicyKey]] = [:]

  init(_ members: Members, _ workloads: [String: Workload], _ mesh: MeshWide) {
    scope = members.scope
    pods = members.pods
    self.workloads = workloads
    for (name, manifest) in mesh.policies {
      rootReach[name] = attach(manifest.value)
    }
    if scope.objects.name == scope.options.rootNamespace {
      for manifest in mesh.policies.values { keep(manifest.value) }
    } else {
      for manifest in scope.objects.policies.values.map(\.value) {
        keep(manifest)
        guard let reach = attach(manifest), let finding = manifest.finding(reach) else { continue }
        diagnostics.append(finding)
      }
    }
    addPeerAuthentications(mesh.peerAuthentication?.value)
    for (uid, keys) in attached { self.workloads[uid]?.authorizationPolicies = keys.sorted() }
  }

  private mutating func keep(_ manifest: PolicyManifest) {
    if let policy = manifest.policy { policies[policy.key] = policy }
  }

  /// Has the workloads it selects list it; nil when there is nothing to enforce.
  private mutating func attach(_ manifest: PolicyManifest) -> Reach? {
    guard let policy = manifest.policy else { return nil }
    var reach = Reach.nobody
    let targets = manifest.targetServices.map { target in
      ServiceKey(
        namespace: policy.key.namespace,
        hostname: scope.hostname(target.value, policy.key.namespace))
    }
    for (uid, pod) in pods {
      let isSelected =
        targets.isEmpty
        ? selects(manifest.selector, pod.value.metadata.labels)
        : targets.contains { workloads[uid]?.services[$0] != nil }
      guard isSelected else { continue }
      reach = max(reach, self.reach(of: uid))
      if policy.scope == .workloadSelector {
        attached[uid, default: []].append(policy.key)
      }
    }
    return reach
  }

  private func reach(of uid: String) -> Reach {
    workloads[uid]?.tunnelProtocol == .hbone ? .covered : .uncovered
  }

  private mutating func addPeerAuthentications(_ meshWide: PeerAuthenticationManifest?) {
    let own = scope.objects.peerAuthentications.values.map(\.value)
    let authentications = PeerAuthentications(
      own, meshWide: meshWide, rootNamespace: scope.options.rootNamespace)
    for policy in authentications.converted { policies[policy.key] = policy }
    for (uid, pod) in pods {
      let keys = authentications.policies(labels: pod.value.metadata.labels)
      if !keys.isEmpty { attached[uid, default: []] += keys }
    }
    for (loser, winner) in authentications.overruled {
      diagnostics.append(
        loser.diagnostic(
          .warning, .ignored,
          "without effect: \(winner.object?.description ?? "another") at \(winner.place) is older, "
            + "or equally old and first by name"))
    }
    for origin in authentications.powerless {
      diagnostics.append(
        origin.diagnostic(
          .warning, .ignored, field: "spec.selector",
          "lets no plaintext in: with a selector, what the root namespace permits counts for "
            + "nothing, as in Istio; permit it without a selector, or in another namespace"))
    }
    for manifest in own where !manifest.selector.isEmpty {
      var reach = Reach.nobody
      for (uid, pod) in pods where selects(manifest.selector, pod.value.metadata.labels) {
        reach = max(reach, self.reach(of: uid))
      }
      if let finding = reach.finding(about: manifest.origin, isSelective: true) {
        diagnostics.append(finding)
      }
    }
  }
}

extension PolicyAssembly.Reach {
  /// Says when a policy reaches no workload, or none whose connections the mesh sees.
  func finding(about origin: Origin, isSelective: Bool) -> Diagnostic? {
    switch self {
    case .nobody:
      let what = isSelective ? "no pod has the labels it selects" : "no pod is in its scope"
      return origin.diagnostic(
        .warning, .selectsNothing, field: isSelective ? "spec.selector" : "",
        "applies to nothing: \(what)")
    case .uncovered:
      return origin.diagnostic(
        .warning, .notCovered, "enforced nowhere: no pod it applies to is enrolled")
    case .covered: return nil
    }
  }
}

extension PolicyManifest {
  func finding(_ reach: PolicyAssembly.Reach) -> Diagnostic? {
    reach.finding(about: origin, isSelective: policy?.scope == .workloadSelector)
  }
}
