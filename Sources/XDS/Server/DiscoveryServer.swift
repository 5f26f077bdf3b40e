public import IstioAPI
internal import MeshModel

/// A control plane's end of one discovery stream.
///
/// Eats requests and generations, returns responses. Of each type at most one response is on its
/// way; what changes meanwhile is looked up when it is acknowledged, so a slow client costs
/// nothing and is sent the newest state only. Source: ambient-protocol.md, section 3.1.
public struct DiscoveryServer: Sendable {
  /// Who asks, as it says itself; nil before the first request.
  public private(set) var node: NodeDescription?
  private var resources: ResourceSet
  private var watches: [ResourceType: Watch] = [:]
  /// Requests for types that are not served; they are not answered.
  public private(set) var unknownTypeRequests: UInt64 = 0
  /// Of responses; only tests ask for another.
  let responseBytes: Int

  public init(_ resources: ResourceSet) {
    self.init(resources, responseBytes: Limit.responseBytes)
  }

  init(_ resources: ResourceSet, responseBytes: Int) {
    self.resources = resources
    self.responseBytes = responseBytes
  }

  /// What happened with a type; nil when it was never asked for.
  public func statistics(_ type: ResourceType) -> WatchStatistics? { watches[type]?.statistics }

  /// Whether the client asked for names instead of everything.
  public func isOnDemand(_ type: ResourceType) -> Bool {
    watches[type].map { !$0.isWildcard } ?? false
  }

  /// A response of this type waits to be acknowledged.
  public func isWaiting(_ type: ResourceType) -> Bool { watches[type]?.outstanding != nil }

  /// Takes a request; the stream is over when it throws.
  public mutating func receive(
    _ request: DeltaDiscoveryRequest
  ) throws(StreamRefusal) -> [DeltaDiscoveryResponse] {
    if node == nil {
      guard request.hasNode else { throw .missingNode }
      node = try NodeDescription(request.node)
    }
    guard let type = ResourceType(typeURL: request.typeURL) else {
      unknownTypeRequests += 1
      return []
    }
    let isFirst = watches[type] == nil
    var watch = watches[type] ?? Watch(sequence: resources.sequence)
    if !request.responseNonce.isEmpty { watch.acknowledge(request) }
    if isFirst {
      try watch.open(request, resources.table(type), node: node?.nodeName ?? "")
    } else {
      try watch.subscribe(request, resources.table(type))
    }
    defer { watches[type] = watch }
    return try next(type, &watch).map { [$0] } ?? []
  }

  /// Takes the next generation; the stream is over when it throws.
  public mutating func update(
    to resources: ResourceSet
  ) throws(StreamRefusal) -> [DeltaDiscoveryResponse] {
    guard resources.origin === self.resources.origin else { throw .behind }
    self.resources = resources
    var responses: [DeltaDiscoveryResponse] = []
    for type in ResourceType.allCases {
      guard var watch = watches[type] else { continue }
      if let response = try next(type, &watch) { responses.append(response) }
      watches[type] = watch
    }
    return responses
  }

  /// The next response of a type, unless one is on its way or there is nothing to say.
  private func next(
    _ type: ResourceType, _ watch: inout Watch
  ) throws(StreamRefusal) -> DeltaDiscoveryResponse? {
    guard watch.outstanding == nil else { return nil }
    let table = resources.table(type)
    try watch.catchUp(to: resources, table, node: node?.nodeName ?? "")
    guard !watch.waiting.isEmpty || watch.owesAnswer else {
      watch.statistics.generation = resources.generation
      return nil
    }
    var response = watch.takeResponse(from: table, within: responseBytes)
    response.typeURL = type.typeURL
    response.systemVersionInfo =
      "\(resources.generation)" + (watch.waiting.isEmpty ? "" : moreFollows)
    response.nonce = "\(watch.nextNonce)"
    watch.nextNonce += 1
    watch.owesAnswer = false
    watch.outstanding = (response.nonce, watch.waiting.isEmpty ? resources.generation : nil)
    watch.statistics.responses += 1
    watch.statistics.resources += UInt64(response.resources.count)
    watch.statistics.removals += UInt64(response.removedResources.count)
    return response
  }
}
