public import IstioAPI
public import MeshModel
internal import SwiftProtobuf

/// A node's end of a discovery stream, over any number of streams.
///
/// Eats responses, returns changes and replies; keeps what is good while nobody answers. A
/// resource that does not parse changes nothing: its last good version stays, and the server is
/// told why. Source: ambient-protocol.md, sections 3.1 to 3.3.
public struct DiscoveryClient: Sendable {
  /// What a new stream tells the server of the client's knowledge.
  public enum Claim: Sendable {
    /// The versions that fit into one request.
    case known
    /// Nothing, so that everything is sent again: for after `ResourceExhausted`, which is how a
    /// server refuses a request that is too large for it.
    case nothing
  }

  public let node: NodeDescription
  /// Addresses are asked for one by one instead of all together.
  ///
  /// Policies always come all together.
  public let isOnDemand: Bool
  /// All that is known and good; its generation counts the changes since the start.
  public internal(set) var model: Model
  var addresses = Holding()
  var policies = Holding()
  /// Names asked for one by one, and of those the ones not answered yet.
  var asked: Set<String> = []
  var unanswered: Set<String> = []
  /// What the names asked for take in a request.
  private var askedBytes = 0

  public init(node: NodeDescription, onDemand: Bool = false) {
    self.node = node
    isOnDemand = onDemand
    model = Model()
  }

  /// The first answer about every type that comes whole was seen, to its end, on this stream or an
  /// earlier one.
  public var isComplete: Bool {
    policies.isAnswered && (isOnDemand || addresses.isAnswered)
  }

  /// The resources whose newest version was not taken: at most `Limit.rememberedRejections` a type.
  public var rejectedResources: [RejectedResource] {
    addresses.rejected.map { RejectedResource(type: .address, name: $0.key, reason: $0.value) }
      + policies.rejected.map {
        RejectedResource(type: .authorization, name: $0.key, reason: $0.value)
      }
  }

  func holding(_ type: ResourceType) -> Holding {
    switch type {
    case .address: addresses
    case .authorization: policies
    }
  }

  mutating func withHolding<Result>(
    _ type: ResourceType, _ body: (inout Holding) -> Result
  ) -> Result {
    switch type {
    case .address: body(&addresses)
    case .authorization: body(&policies)
    }
  }
}

// MARK: Streams

extension DiscoveryClient {
  /// The first requests of a new stream; all that is known stays known.
  public mutating func connect(claiming claim: Claim = .known) -> [DeltaDiscoveryRequest] {
    let limit =
      switch claim {
      case .known: Limit.claimBytes
      case .nothing: 0
      }
    var first = request(
      .address, claims: addresses.claims(within: max(0, limit - askedBytes)))
    if isOnDemand {
      first.resourceNamesSubscribe = [wildcard] + asked.sorted()
      first.resourceNamesUnsubscribe = [wildcard]
    }
    return [first, request(.authorization, claims: policies.claims(within: limit))]
  }

  private func request(_ type: ResourceType, claims: [String: String]) -> DeltaDiscoveryRequest {
    .with {
      $0.node = node.message
      $0.typeURL = type.typeURL
      $0.initialResourceVersions = claims
    }
  }

  /// Asks for addresses by name: a uid, `<namespace>/<hostname>` or `<network>/<ip>`.
  ///
  /// Nil when there is nothing to send: all were asked for already, or too many are. Without a
  /// stream the request can be dropped: the next `connect` repeats it.
  public mutating func ask(for names: some Sequence<String>) -> DeltaDiscoveryRequest? {
    var new: [String] = []
    for name in names where asked.count < Limit.subscriptions {
      guard !name.isEmpty, name.utf8.count <= Limit.nameBytes, name != wildcard else { continue }
      // A tag and a length of two bytes.
      let bytes = name.utf8.count + 3
      guard askedBytes + bytes <= Limit.askedBytes else { continue }
      if asked.insert(name).inserted {
        askedBytes += bytes
        unanswered.insert(name)
        new.append(name)
      }
    }
    guard isOnDemand, !new.isEmpty else { return nil }
    return .with {
      $0.typeURL = ResourceType.address.typeURL
      $0.resourceNamesSubscribe = new
    }
  }

  /// How many resources are known from an earlier stream without the server knowing that.
  ///
  /// Not zero only after a `connect` that could not claim everything. What the server does not send
  /// again is gone, but no message says so: when none has come for a while, drop the rest.
  public var unconfirmedCount: Int { addresses.unconfirmed.count + policies.unconfirmed.count }

  /// Drops what the new stream did not confirm.
  ///
  /// Call it when the stream is complete and has been silent for long enough, 30 s say.
  public mutating func dropUnconfirmed() -> DiscoveryUpdate {
    var update = DiscoveryUpdate(generation: model.generation)
    for type in ResourceType.allCases {
      for name in holding(type).unconfirmed { remove(name, type, &update.change) }
    }
    commit(&update.change)
    return update
  }
}

// MARK: Changes

extension DiscoveryClient {
  /// Forgets a resource; a name that is not known changes nothing.
  mutating func remove(_ name: String, _ type: ResourceType, _ change: inout ModelChange) {
    guard let entry = withHolding(type, { $0.forget(name) }) else { return }
    retract(name, entry.kind, &change)
  }

  func retract(_ name: String, _ kind: Holding.Kind, _ change: inout ModelChange) {
    switch kind {
    case .workload: change.removedWorkloads.append(name)
    case .service:
      if let key = ServiceKey(resourceName: name) { change.removedServices.append(key) }
    case .policy:
      if let key = PolicyKey(resourceName: name) { change.removedPolicies.append(key) }
    }
  }

  /// Makes the change part of the model, as a generation of its own.
  mutating func commit(_ change: inout ModelChange) {
    guard !change.isEmpty else { return }
    change.generation = model.generation + 1
    model.apply(change)
  }
}
