/// One generation of the mesh, arranged for questions: who owns an address, what applies to whom.
///
/// Immutable, and one reference wide, so that every thread holds its own copy for free.
public struct MeshIndex: Sendable {
  private let storage: Storage

  public init(_ model: Model) {
    var tables = MeshTables()
    for workload in model.workloads.values { tables.insert(workload) }
    for service in model.services.values { tables.insert(service) }
    for policy in model.policies.values { tables.insert(policy) }
    storage = Storage(model: model, tables: tables)
  }

  private init(model: Model, tables: MeshTables) {
    storage = Storage(model: model, tables: tables)
  }

  public var model: Model { storage.model }

  var tables: MeshTables { storage.tables }

  private final class Storage: Sendable {
    let model: Model
    let tables: MeshTables

    init(model: Model, tables: MeshTables) {
      self.model = model
      self.tables = tables
    }
  }
}

// MARK: Questions

extension MeshIndex {
  public func workload(uid: String) -> Workload? { model.workloads[uid] }

  /// The workload that owns an address of a network; one on the host's network owns none.
  ///
  /// When two claim it, a pod served over HBONE comes first, then a pod, then HBONE, then any.
  /// Source: ambient-protocol.md, section 3.4.
  public func workload(at ip: IPAddress, on network: String = "") -> Workload? {
    tables.owners[network]?[ip]?.first.flatMap { model.workloads[$0.uid] }
  }

  /// The first workload, by uid, with this host name of its own.
  public func workload(hostname: String) -> Workload? {
    tables.hostnameWorkloads[hostname]?.first.flatMap { model.workloads[$0] }
  }

  /// The workloads that list the service, ordered by uid.
  public func members(of service: ServiceKey) -> [Workload] {
    (tables.members[service] ?? []).compactMap { model.workloads[$0] }
  }

  /// The policies in force for a workload, and those it lists that have not arrived.
  ///
  /// Global ones first, then those of its namespace, then the listed ones in its own order.
  public func policies(
    for workload: Workload
  ) -> (policies: [AuthorizationPolicy], missing: [PolicyKey]) {
    var policies = tables.globalPolicies
    if let local = tables.namespacePolicies[workload.namespace] { policies += local }
    var missing: [PolicyKey] = []
    for key in workload.authorizationPolicies {
      guard let policy = model.policies[key] else {
        missing.append(key)
        continue
      }
      // Listing a policy that applies anyway changes nothing.
      if !policy.appliesUnlisted(in: workload.namespace) { policies.append(policy) }
    }
    for policy in policies where policy.isUnreadable { missing.append(policy.key) }
    return (policies, missing)
  }
}

// MARK: The next generation

extension MeshIndex {
  /// The index of the next generation; equal to one made afresh from the changed model.
  public func applying(_ change: ModelChange) -> MeshIndex {
    let next = model.applying(change)
    guard !change.isFull else { return MeshIndex(next) }
    var tables = tables
    for uid in Set(change.removedWorkloads).union(change.workloads.lazy.map(\.uid)) {
      if let old = model.workloads[uid] { tables.remove(old) }
      if let new = next.workloads[uid] { tables.insert(new) }
    }
    for key in Set(change.removedServices).union(change.services.lazy.map(\.key)) {
      if let old = model.services[key] { tables.remove(old) }
      if let new = next.services[key] { tables.insert(new) }
    }
    for key in Set(change.removedPolicies).union(change.policies.lazy.map(\.key)) {
      if let old = model.policies[key] { tables.remove(old) }
      if let new = next.policies[key] { tables.insert(new) }
    }
    return MeshIndex(model: next, tables: tables)
  }
}
