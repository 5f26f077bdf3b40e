public import MeshModel

/// What is to be done about a query.
public enum Decision: Hashable, Sendable {
  case answer(Answer)
  /// The mesh has nothing to say: the resolver that the application addressed shall answer.
  case forward
}

/// Decides what the mesh says to a query.
///
/// Source: ambient-protocol.md, section 8; pod names, single-address blocks and SRV go beyond it.
public struct Resolver: Hashable, Sendable {
  /// Below `svc.` and `pod.` of this are Kubernetes' own names.
  public var clusterDomain: String
  /// Whose services come before those of other foreign namespaces with the same host name.
  public var preferredNamespace: String?

  public init(clusterDomain: String = "cluster.local", preferredNamespace: String? = nil) {
    self.clusterDomain = clusterDomain
    self.preferredNamespace = preferredNamespace
  }

  /// `random` decides the order of several addresses, and which are left out of very many.
  public func decide(
    _ query: Query, from client: Workload, in mesh: MeshIndex, random: UInt64
  ) -> Decision {
    guard query.isPlain, let host = query.host else { return .forward }
    var lookup = Lookup(self, client, mesh, random: random)
    switch query.type {
    case .ipv4, .ipv6: return lookup.addresses(of: host, isIPv4: query.type == .ipv4)
    case .service: return lookup.services(of: host)
    default: return .forward
    }
  }
}

/// One query's way through the model.
struct Lookup {
  let resolver: Resolver
  let client: Workload
  let mesh: MeshIndex
  private var chance: Chance

  init(_ resolver: Resolver, _ client: Workload, _ mesh: MeshIndex, random: UInt64) {
    self.resolver = resolver
    self.client = client
    self.mesh = mesh
    chance = Chance(random)
  }

  /// A and AAAA: the first alias that means something answers, though it may have no such address.
  ///
  /// A wildcard answers on the asked name, as it has no other.
  mutating func addresses(of host: String, isIPv4: Bool) -> Decision {
    let expansion = expansion(of: host)
    for alias in expansion {
      if let service = service(alias.host) {
        let addresses = shuffled(addresses(of: service, isIPv4: isIPv4))
        return .answer(Answer(canonicalLabels: alias.canonicalLabels, addresses: addresses))
      }
      if let pod = pod(alias.host) {
        let addresses = pod.addresses.filter { $0.isIPv4 == isIPv4 }
        return .answer(Answer(canonicalLabels: alias.canonicalLabels, addresses: addresses))
      }
    }
    for wildcard in expansion.wildcards {
      guard let service = service(wildcard) else { continue }
      return .answer(Answer(addresses: shuffled(addresses(of: service, isIPv4: isIPv4))))
    }
    return .forward
  }

  func expansion(of host: String) -> NameExpansion {
    NameExpansion(
      host, clientNamespace: client.namespace, clusterDomain: resolver.clusterDomain)
  }

  /// The service a host name means to the client, when the mesh knows addresses for it.
  func service(_ host: String) -> Service? {
    let candidates = mesh.services(
      host: host, for: client.namespace, preferring: resolver.preferredNamespace)
    return candidates.first { !$0.virtualAddresses.isEmpty || isKubernetes($0) }
  }

  /// Below `svc.<cluster domain>`: without virtual addresses it is headless, not unresolved.
  func isKubernetes(_ service: Service) -> Bool {
    let host = service.key.hostname.utf8
    let tail = resolver.clusterDomain.utf8
    return host.count > tail.count + 5 && host.suffix(tail.count).elementsEqual(tail)
      && host.dropLast(tail.count).suffix(5).elementsEqual(".svc.".utf8)
  }

  /// Virtual addresses on the client's network, or the endpoints' own for a headless service.
  func addresses(of service: Service, isIPv4: Bool) -> [IPAddress] {
    guard service.addressFamilies.contain(isIPv4: isIPv4) else { return [] }
    guard service.virtualAddresses.isEmpty else {
      return service.virtualAddresses.filter { $0.network == client.network }.compactMap(\.ip)
        .filter { $0.isIPv4 == isIPv4 }
    }
    return endpoints(of: service).compactMap { endpoint in
      endpoint.addresses.first { $0.isIPv4 == isIPv4 }
    }
  }

  /// The members a client of this network may dial.
  func endpoints(of service: Service) -> [Workload] {
    mesh.members(of: service.key).filter { isEndpoint($0, of: service) }
  }

  func isEndpoint(_ workload: Workload, of service: Service) -> Bool {
    workload.network == client.network
      && (workload.health == .healthy || service.healthPolicy == .allowAll)
  }

  /// In an order of chance, and no more than an answer may have.
  mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    chance.shuffled(elements, keeping: Limit.addresses)
  }
}

/// A row of random numbers that follows from its first.
///
/// SplitMix64. Source: Steele, Lea and Flood, 2014.
struct Chance {
  private var state: UInt64

  init(_ random: UInt64) { state = random }

  /// The first `count` elements of an order of chance.
  mutating func shuffled<Element>(_ elements: [Element], keeping count: Int) -> [Element] {
    guard elements.count > 1 else { return elements }
    var elements = elements
    let count = min(elements.count, count)
    for index in 0..<count {
      elements.swapAt(index, index + Int(next() % UInt64(elements.count - index)))
    }
    elements.removeLast(elements.count - count)
    return elements
  }

  private mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var bits = state
    bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
    return bits ^ bits >> 31
  }
}

extension Service.AddressFamilies {
  func contain(isIPv4: Bool) -> Bool {
    switch self {
    case .automatic, .both: true
    case .ipv4: isIPv4
    case .ipv6: !isIPv4
    }
  }
}
