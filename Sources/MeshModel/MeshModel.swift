// The mesh as plain values, and the decisions over them.
//
// In go addresses, identities, workloads, services and policies of one generation; out come
// verdicts (`ConnectionFacts.verdict`), routes (`MeshIndex.plan`) and the difference between two
// generations (`Model.change`, `MeshIndex.changedPolicyScope`).
// Never here: a clock, randomness, a file, a socket, a lock.

/// Everything a node knows of the mesh, as one generation.
///
/// A value: a new generation replaces the old one whole, so no reader sees half a change.
public struct Model: Hashable, Sendable {
  public var generation: UInt64
  public var workloads: [String: Workload]
  public var services: [ServiceKey: Service]
  public var policies: [PolicyKey: AuthorizationPolicy]

  public init(
    generation: UInt64 = 0, workloads: [String: Workload] = [:],
    services: [ServiceKey: Service] = [:], policies: [PolicyKey: AuthorizationPolicy] = [:]
  ) {
    self.generation = generation
    self.workloads = workloads
    self.services = services
    self.policies = policies
  }
}

/// What turns one generation into the next.
///
/// Removals come first, then upserts.
public struct ModelChange: Hashable, Sendable {
  /// True: forget everything held before.
  public var isFull: Bool
  public var generation: UInt64
  public var workloads: [Workload] = []
  public var removedWorkloads: [String] = []
  public var services: [Service] = []
  public var removedServices: [ServiceKey] = []
  public var policies: [AuthorizationPolicy] = []
  public var removedPolicies: [PolicyKey] = []

  public init(isFull: Bool, generation: UInt64) {
    self.isFull = isFull
    self.generation = generation
  }
}
