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
  /// changed, when what policy asks of its record changed, or when the waypoints in front of it
  /// did; as source when its identity or its addresses changed. Health and labels for telemetry
  /// move no verdict.
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
      } else if workload.authorizationPolicies != before.authorizationPolicies
        || workload.applicationTunnel != before.applicationTunnel
      {
        scope.destinations.insert(uid)
      }
    }
    for uid in old.model.workloads.keys where model.workloads[uid] == nil {
      scope.destinations.insert(uid)
      scope.sources.insert(uid)
    }
    let reach = changedReach(from: old)
    if !reach.isEmpty {
      for (uid, workload) in model.workloads where reach.includes(workload) {
        scope.destinations.insert(uid)
      }
    }
    scope.destinations.formUnion(workloadsWithOtherWaypoints(than: old))
    return scope
  }

  /// Workloads in front of which other waypoints stand now, or the same with other identities.
  private func workloadsWithOtherWaypoints(than old: MeshIndex) -> Set<String> {
    guard tables.waypointReferences > 0 || old.tables.waypointReferences > 0 else { return [] }
    var moved: [GatewayAddress: Bool] = [:]
    func hasMoved(_ waypoint: GatewayAddress) -> Bool {
      if let known = moved[waypoint] { return known }
      let isOther =
        entryUIDs(of: waypoint) != old.entryUIDs(of: waypoint)
        || identities(of: waypoint) != old.identities(of: waypoint)
      moved[waypoint] = isOther
      return isOther
    }
    var services: Set<ServiceKey> = []
    for (key, service) in model.services {
      let before = old.model.services[key]
      let isOther = service.waypoints != before?.waypoints ?? [] || service.ports != before?.ports
      if isOther || service.waypoints.contains(where: hasMoved) { services.insert(key) }
    }
    for key in old.model.services.keys where model.services[key] == nil { services.insert(key) }
    var uids: Set<String> = []
    for (uid, workload) in model.workloads {
      let before = old.model.workloads[uid]
      if workload.waypoint != before?.waypoint || workload.services != before?.services ?? [:]
        || workload.waypoint.map(hasMoved) == true
        || workload.services.keys.contains(where: services.contains)
      {
        uids.insert(uid)
      }
    }
    return uids
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
