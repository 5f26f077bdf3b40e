public import IstioAPI
internal import MeshModel
internal import SwiftProtobuf

extension DiscoveryClient {
  /// Takes what is good of a response, in part if need be; the reply says what was not.
  public mutating func receive(_ response: DeltaDiscoveryResponse) -> DiscoveryUpdate {
    var update = DiscoveryUpdate(generation: model.generation)
    var reply = DeltaDiscoveryRequest()
    reply.typeURL = response.typeURL
    reply.responseNonce = response.nonce
    guard let type = ResourceType(typeURL: response.typeURL) else {
      update.isOfUnknownType = true
      update.reply = reply
      return update
    }
    update.isPartial = response.systemVersionInfo.hasSuffix(moreFollows)
    if !update.isPartial { withHolding(type) { $0.isAnswered = true } }
    let (resources, duplicates) = distinct(response.resources)
    for name in response.removedResources {
      answer(name, &update)
      if resources[name] == nil { remove(name, type, &update.change) }
    }
    for (name, resource) in resources {
      answer(name, &update)
      for alias in resource.aliases { answer(alias, &update) }
      do throws(Rejection) {
        if duplicates.contains(name) { throw .duplicateName }
        try take(resource, as: type, &update.change)
      } catch {
        standIn(for: resource, as: type, &update.change)
        reject(name, type, error, &update)
      }
    }
    commit(&update.change)
    if update.rejectedCount > 0 { reply.errorDetail = DiscoveryClient.refusal(of: update) }
    update.reply = reply
    return update
  }

  private mutating func take(
    _ resource: DiscoveryResource, as type: ResourceType, _ change: inout ModelChange
  ) throws(Rejection) {
    let content = try MeshResource(resource, as: type)
    let bytes = resource.resource.value.count
    guard holding(type).hasRoom(for: resource.name, bytes: bytes) else { throw .tooMany }
    let kind = content.kind
    if let old = holding(type).known[resource.name], old.kind != kind {
      retract(resource.name, old.kind, &change)
    }
    let entry = Holding.Known(kind: kind, version: resource.version, bytes: bytes)
    withHolding(type) { $0.hold(resource.name, entry) }
    switch content {
    case .workload(let workload):
      if model.workloads[workload.uid] != workload { change.workloads.append(workload) }
    case .service(let service):
      if model.services[service.key] != service { change.services.append(service) }
    case .policy(let policy):
      if model.policies[policy.key] != policy { change.policies.append(policy) }
    }
  }

  /// Puts a policy that denies where one applies that says what we cannot read.
  ///
  /// An earlier version that was good stays instead. What does not even say whom it is for applies
  /// to the workloads that list it, which are denied while it is missing.
  private mutating func standIn(
    for resource: DiscoveryResource, as type: ResourceType, _ change: inout ModelChange
  ) {
    guard type == .authorization, let unreadable = AuthorizationPolicy(unreadable: resource) else {
      return
    }
    if policies.known[resource.name] != nil {
      guard model.policies[unreadable.key]?.isUnreadable == true else { return }
    }
    let bytes = resource.resource.value.count
    guard policies.hasRoom(for: resource.name, bytes: bytes) else { return }
    // Without a version the server sends it again on the next stream.
    policies.hold(resource.name, Holding.Known(kind: .policy, version: "", bytes: bytes))
    if model.policies[unreadable.key] != unreadable { change.policies.append(unreadable) }
  }

  private mutating func reject(
    _ name: String, _ type: ResourceType, _ reason: Rejection, _ update: inout DiscoveryUpdate
  ) {
    let rejected = RejectedResource(type: type, name: name, reason: reason)
    withHolding(type) { $0.reject(rejected.name, reason) }
    update.rejectedCount += 1
    if update.rejected.count < Limit.rememberedRejections { update.rejected.append(rejected) }
  }

  private mutating func answer(_ name: String, _ update: inout DiscoveryUpdate) {
    if unanswered.remove(name) != nil { update.answered.append(name) }
  }

  /// The resources by name, and the names that stand for different ones.
  private func distinct(
    _ resources: [DiscoveryResource]
  ) -> (byName: [String: DiscoveryResource], duplicates: Set<String>) {
    var byName: [String: DiscoveryResource] = [:]
    byName.reserveCapacity(resources.count)
    var duplicates: Set<String> = []
    for resource in resources {
      if let old = byName.updateValue(resource, forKey: resource.name), old != resource {
        duplicates.insert(resource.name)
      }
    }
    return (byName, duplicates)
  }

  private static func refusal(of update: DiscoveryUpdate) -> Google_Rpc_Status {
    let reasons = update.rejected.map(\.description).joined(separator: "; ")
    let more = update.rejectedCount - update.rejected.count
    return .with {
      // INVALID_ARGUMENT.
      $0.code = 3
      $0.message = clipped(reasons, toBytes: Limit.refusalTextBytes)
      if more > 0 { $0.message += "; and \(more) more" }
    }
  }
}

extension MeshResource {
  var kind: Holding.Kind {
    switch self {
    case .workload: .workload
    case .service: .service
    case .policy: .policy
    }
  }
}
