extension Model {
  /// What turns this generation into the next one: only what differs, each list ordered by its key.
  public func change(to next: Model) -> ModelChange {
    var change = ModelChange(isFull: false, generation: next.generation)
    change.workloads = next.workloads.values.filter { workloads[$0.uid] != $0 }
      .sorted { $0.uid < $1.uid }
    change.removedWorkloads = workloads.keys.filter { next.workloads[$0] == nil }.sorted()
    change.services = next.services.values.filter { services[$0.key] != $0 }
      .sorted { $0.key < $1.key }
    change.removedServices = services.keys.filter { next.services[$0] == nil }.sorted()
    change.policies = next.policies.values.filter { policies[$0.key] != $0 }
      .sorted { $0.key < $1.key }
    change.removedPolicies = policies.keys.filter { next.policies[$0] == nil }.sorted()
    return change
  }

  /// The change that makes this generation out of whatever was held before.
  public var wholeChange: ModelChange {
    var change = Model().change(to: self)
    change.isFull = true
    return change
  }

  /// The model after a change; a full change forgets everything first.
  public func applying(_ change: ModelChange) -> Model {
    var next = self
    next.apply(change)
    return next
  }

  /// The same in place: the tables grow where they are.
  public mutating func apply(_ change: ModelChange) {
    if change.isFull { self = Model() }
    generation = change.generation
    for uid in change.removedWorkloads { workloads[uid] = nil }
    for key in change.removedServices { services[key] = nil }
    for key in change.removedPolicies { policies[key] = nil }
    for workload in change.workloads { workloads[workload.uid] = workload }
    for service in change.services { services[service.key] = service }
    for policy in change.policies { policies[policy.key] = policy }
  }
}

extension ModelChange {
  /// True when nothing but the generation's number moves.
  public var isEmpty: Bool {
    !isFull && workloads.isEmpty && removedWorkloads.isEmpty && services.isEmpty
      && removedServices.isEmpty && policies.isEmpty && removedPolicies.isEmpty
  }
}
