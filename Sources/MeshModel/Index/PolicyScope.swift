/// Which live connections a new generation may judge differently.
public struct PolicyScope: Hashable, Sendable {
  /// Workloads whose own connections, as destination, are to be judged again.
  public var destinations: Set<String>
  /// Workloads that are no longer who they were, or are gone, as source of a connection.
  public var sources: Set<String>

  public init(destinations: Set<String> = [], sources: Set<String> = []) {
    self.destinations = destinations
    self.sources = sources
  }

  public var isEmpty: Bool { destinations.isEmpty && sources.isEmpty }

  /// Whether a connection between these two is to be judged again; nil for an unknown source.
  public func includes(destination uid: String, source sourceUID: String?) -> Bool {
    destinations.contains(uid) || sourceUID.map(sources.contains) ?? false
  }
}

extension MeshIndex {
  /// The workloads whose connections must be judged again after `old` was replaced by this.
  ///
  /// A workload counts as destination when an enforced policy that applies to it came, went or
  /// changed, or when what policy asks of its record changed; as source when its identity or its
  /// addresses changed. Health, services and labels for telemetry move no verdict.
  public func changedPolicyScope(from old: MeshIndex) -> PolicyScope {
    var scope = PolicyScope()
    for (uid, workload) in model.workloads {
      guard let before = old.model.workloads[uid] else {
        scope.destinations.insert(uid)
        scope.sources.insert(uid)
        continue
      }
      if workload.identity != before.identity || workload.addresses != before.addresses {
        scope.destinations.insert(uid)
        scope.sources.insert(uid)
      } else if workload.authorizationPolicies != before.authorizationPolicies {
        scope.destinations.insert(uid)
      }
    }
    for uid in old.model.workloads.keys where model.workloads[uid] == nil {
      scope.destinations.insert(uid)
      scope.sources.insert(uid)
    }
    let reach = changedReach(from: old)
    guard !reach.isEmpty else { return scope }
    for (uid, workload) in model.workloads where reach.includes(workload) {
      scope.destinations.insert(uid)
    }
    return scope
  }

  /// Where the policies that changed apply, before or after.
  private func changedReach(from old: MeshIndex) -> PolicyReach {
    var reach = PolicyReach()
    for (key, policy) in model.policies {
      let before = old.model.policies[key]
      guard policy != before else { continue }
      // A dry run that stays one enforces nothing before or after.
      if let before, before.isDryRun, policy.isDryRun, before.scope == policy.scope { continue }
      reach.insert(policy)
      if let before { reach.insert(before) }
    }
    for (key, before) in old.model.policies where model.policies[key] == nil {
      reach.insert(before)
    }
    return reach
  }
}

/// The workloads a set of policies applies to.
private struct PolicyReach {
  var isEverywhere = false
  var namespaces: Set<String> = []
  /// Of any scope: a workload that lists a key is denied while that policy is away.
  var keys: Set<PolicyKey> = []

  var isEmpty: Bool { keys.isEmpty }

  mutating func insert(_ policy: AuthorizationPolicy) {
    keys.insert(policy.key)
    switch policy.scope {
    case .global: isEverywhere = true
    case .namespace: namespaces.insert(policy.key.namespace)
    case .workloadSelector: break
    }
  }

  func includes(_ workload: Workload) -> Bool {
    isEverywhere || namespaces.contains(workload.namespace)
      || workload.authorizationPolicies.contains { keys.contains($0) }
  }
}
