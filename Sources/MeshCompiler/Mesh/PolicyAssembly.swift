import MeshModel

/// Attaches policies to workloads.
struct PolicyAssembly {
  private let catalog: Catalog
  private let labels: [String: [String: String]]
  private let uidsByNamespace: [String: [String]]
  private(set) var workloads: [String: Workload]
  private(set) var policies: [PolicyKey: AuthorizationPolicy] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  init(_ catalog: Catalog, _ pods: PodAssembly, _ workloads: [String: Workload]) {
    self.catalog = catalog
    labels = pods.manifests.mapValues(\.metadata.labels)
    self.workloads = workloads
    uidsByNamespace = Dictionary(grouping: pods.manifests.keys) { uid in
      pods.manifests[uid]?.metadata.namespace ?? ""
    }
    for manifest in catalog.policies { add(manifest) }
    addPeerAuthentications()
    for uid in Array(workloads.keys) {
      self.workloads[uid]?.authorizationPolicies.sort {
        ($0.namespace, $0.name) < ($1.namespace, $1.name)
      }
    }
  }

  private mutating func add(_ manifest: PolicyManifest) {
    guard let policy = manifest.policy else { return }
    policies[policy.key] = policy
    let candidates =
      policy.key.namespace == catalog.options.rootNamespace
      ? Array(labels.keys) : uidsByNamespace[policy.key.namespace] ?? []
    let selected = candidates.filter { isSelected($0, by: manifest, policy) }
    if policy.scope == .workloadSelector {
      for uid in selected { workloads[uid]?.authorizationPolicies.append(policy.key) }
    }
    reportReach(of: manifest.origin, selected, isSelective: policy.scope == .workloadSelector)
  }

  private func isSelected(
    _ uid: String, by manifest: PolicyManifest, _ policy: AuthorizationPolicy
  ) -> Bool {
    if manifest.targetServices.isEmpty { return selects(manifest.selector, labels[uid] ?? [:]) }
    let namespace = policy.key.namespace
    let memberships = workloads[uid]?.services ?? [:]
    return manifest.targetServices.contains { target in
      let hostname = "\(target.value).\(namespace).svc.\(catalog.options.clusterDomain)"
      return memberships[ServiceKey(namespace: namespace, hostname: hostname)] != nil
    }
  }

  private mutating func addPeerAuthentications() {
    let authentications = PeerAuthentications(
      catalog.peerAuthentications, rootNamespace: catalog.options.rootNamespace)
    for policy in authentications.converted { policies[policy.key] = policy }
    for (uid, labels) in labels {
      guard let namespace = workloads[uid]?.namespace else { continue }
      let keys = authentications.policies(namespace: namespace, labels: labels)
      workloads[uid]?.authorizationPolicies += keys
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
    for manifest in catalog.peerAuthentications where !manifest.selector.isEmpty {
      let selected = (uidsByNamespace[manifest.metadata.namespace] ?? []).filter { uid in
        selects(manifest.selector, labels[uid] ?? [:])
      }
      reportReach(of: manifest.origin, selected, isSelective: true)
    }
  }

  /// Says when a policy reaches no workload, or none whose connections the mesh sees.
  private mutating func reportReach(of origin: Origin, _ selected: [String], isSelective: Bool) {
    if selected.isEmpty {
      let what = isSelective ? "no pod has the labels it selects" : "no pod is in its scope"
      diagnostics.append(
        origin.diagnostic(
          .warning, .selectsNothing, field: isSelective ? "spec.selector" : "",
          "applies to nothing: \(what)"))
    } else if selected.allSatisfy({ workloads[$0]?.tunnelProtocol != .hbone }) {
      diagnostics.append(
        origin.diagnostic(
          .warning, .notCovered, "enforced nowhere: no pod it applies to is enrolled"))
    }
  }
}
