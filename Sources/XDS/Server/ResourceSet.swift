public import MeshModel

/// One generation of the mesh as a control plane sends it, shared by all streams.
///
/// Made once from a model and from then on from its predecessor, so that a change costs what it
/// changes. Streams that are given sets of different origins start again.
public struct ResourceSet: Sendable {
  /// Of the model it was made from.
  public private(set) var generation: UInt64
  private var addresses = ResourceTable()
  private var policies = ResourceTable()
  /// Counts the sets since the first.
  private(set) var sequence = ResourceSet.firstSequence
  /// No stream is older than the first set, so what came with it is never looked up as a change.
  static let firstSequence: UInt64 = 1
  let origin = Origin()

  /// Tells sets apart that were not made from one another.
  final class Origin: Sendable {}

  public init(_ model: Model) {
    generation = model.generation
    for service in model.services.values { addresses.upsert(.service(service), at: sequence) }
    for workload in model.workloads.values { addresses.upsert(.workload(workload), at: sequence) }
    for policy in model.policies.values { policies.upsert(.policy(policy), at: sequence) }
  }

  /// The set after a change; only what the change names is encoded again.
  ///
  /// A full change removes what it does not name.
  public func updated(with change: ModelChange) -> ResourceSet {
    var next = self
    next.generation = change.generation
    next.sequence += 1
    next.apply(change)
    return next
  }

  private mutating func apply(_ change: ModelChange) {
    let sequence = sequence
    if change.isFull {
      let kept = Set(change.workloads.map(\.uid)).union(change.services.map { "\($0.key)" })
      for name in Array(addresses.entries.keys) where !kept.contains(name) {
        addresses.remove(name, at: sequence)
      }
      let keptPolicies = Set(change.policies.map { "\($0.key)" })
      for name in Array(policies.entries.keys) where !keptPolicies.contains(name) {
        policies.remove(name, at: sequence)
      }
    }
    for uid in change.removedWorkloads { addresses.remove(uid, at: sequence) }
    for key in change.removedServices { addresses.remove("\(key)", at: sequence) }
    for key in change.removedPolicies { policies.remove("\(key)", at: sequence) }
    for service in change.services { addresses.upsert(.service(service), at: sequence) }
    for workload in change.workloads { addresses.upsert(.workload(workload), at: sequence) }
    for policy in change.policies { policies.upsert(.policy(policy), at: sequence) }
  }

  func table(_ type: ResourceType) -> ResourceTable {
    switch type {
    case .address: addresses
    case .authorization: policies
    }
  }

  /// How many resources of a type it holds.
  public func count(_ type: ResourceType) -> Int { table(type).entries.count }

  /// Bytes of all resources of a type, as they are sent.
  public func bytes(_ type: ResourceType) -> Int { table(type).bytes }

  /// What is in the model and cannot be sent.
  public var omitted: [RejectedResource] {
    ResourceType.allCases.flatMap { type in
      table(type).omitted.map { RejectedResource(type: type, name: $0.key, reason: $0.value) }
    }
  }
}
