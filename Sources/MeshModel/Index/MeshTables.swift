/// The lookup tables of one generation.
///
/// Every list is kept sorted, so that the tables depend on what the model holds and never on the
/// order in which it came: two nodes with one model decide alike.
struct MeshTables: Hashable, Sendable {
  /// Who owns an address of a network, the preferred owner first.
  private(set) var owners: [String: [IPAddress: [AddressOwner]]] = [:]
  /// Single virtual addresses by network.
  private(set) var virtualAddresses: [String: [IPAddress: [ServiceKey]]] = [:]
  /// Blocks of virtual addresses by network.
  private(set) var virtualBlocks: [String: BlockTable] = [:]
  private(set) var hostnames: [String: [ServiceKey]] = [:]
  /// The uids of workloads that have a host name of their own.
  private(set) var hostnameWorkloads: [String: [String]] = [:]
  /// The uids of all workloads that list a service.
  private(set) var members: [ServiceKey: [String]] = [:]
  /// The healthy ones among the members.
  private(set) var healthyMembers: [ServiceKey: [String]] = [:]
  /// How many members have a capacity other than 1; services without any are not listed.
  private(set) var unevenMembers: [ServiceKey: Int] = [:]
  /// How many workloads and services refer to a waypoint.
  private(set) var waypointReferences = 0
  private(set) var globalPolicies: [AuthorizationPolicy] = []
  private(set) var namespacePolicies: [String: [AuthorizationPolicy]] = [:]

  struct AddressOwner: Hashable, Sendable, Comparable {
    /// 0 is the most preferred.
    var rank: UInt8
    var uid: String

    init(_ workload: Workload) {
      let isPod = workload.uid.utf8.contains("//Pod/".utf8)
      let isTunnelled = workload.tunnelProtocol == .hbone
      rank = (isPod ? 0 : 2) + (isTunnelled ? 0 : 1)
      uid = workload.uid
    }

    static func < (a: Self, b: Self) -> Bool { (a.rank, a.uid) < (b.rank, b.uid) }
  }
}

// MARK: Workloads

extension MeshTables {
  mutating func insert(_ workload: Workload) {
    if !workload.isHostNetwork {
      let owner = AddressOwner(workload)
      for ip in Set(workload.addresses) {
        owners[workload.network, default: [:]][ip, default: []].insertSorted(owner) { $0 < $1 }
      }
    }
    if !workload.hostname.isEmpty {
      hostnameWorkloads[workload.hostname, default: []].insertSorted(workload.uid) { $0 < $1 }
    }
    for service in workload.services.keys {
      members[service, default: []].insertSorted(workload.uid) { $0 < $1 }
      if workload.health == .healthy {
        healthyMembers[service, default: []].insertSorted(workload.uid) { $0 < $1 }
      }
      if workload.capacity != 1 { unevenMembers[service, default: 0] += 1 }
    }
    if workload.waypoint != nil { waypointReferences += 1 }
  }

  mutating func remove(_ workload: Workload) {
    for ip in workload.addresses {
      owners[workload.network]?.removeFromList(at: ip) { $0.uid == workload.uid }
    }
    if owners[workload.network]?.isEmpty == true { owners[workload.network] = nil }
    if !workload.hostname.isEmpty {
      hostnameWorkloads.removeFromList(at: workload.hostname) { $0 == workload.uid }
    }
    for service in workload.services.keys {
      members.removeFromList(at: service) { $0 == workload.uid }
      healthyMembers.removeFromList(at: service) { $0 == workload.uid }
      if workload.capacity != 1, let count = unevenMembers[service] {
        unevenMembers[service] = count > 1 ? count - 1 : nil
      }
    }
    if workload.waypoint != nil { waypointReferences -= 1 }
  }
}

// MARK: Services

extension MeshTables {
  mutating func insert(_ service: Service) {
    for virtual in Set(service.virtualAddresses) {
      if let ip = virtual.ip {
        virtualAddresses[virtual.network, default: [:]][ip, default: []]
          .insertSorted(service.key) { $0 < $1 }
      } else {
        virtualBlocks[virtual.network, default: BlockTable()].insert(service.key, virtual.block)
      }
    }
    hostnames[service.key.hostname, default: []].insertSorted(service.key) { $0 < $1 }
    if service.hasWaypoint { waypointReferences += 1 }
  }

  mutating func remove(_ service: Service) {
    for virtual in Set(service.virtualAddresses) {
      if let ip = virtual.ip {
        virtualAddresses[virtual.network]?.removeFromList(at: ip) { $0 == service.key }
      } else {
        virtualBlocks[virtual.network]?.remove(service.key, virtual.block)
      }
      if virtualAddresses[virtual.network]?.isEmpty == true {
        virtualAddresses[virtual.network] = nil
      }
      if virtualBlocks[virtual.network]?.isEmpty == true { virtualBlocks[virtual.network] = nil }
    }
    hostnames.removeFromList(at: service.key.hostname) { $0 == service.key }
    if service.hasWaypoint { waypointReferences -= 1 }
  }
}

/// Blocks of addresses, each with the services that own it.
///
/// One look per prefix length in use, at most 33 + 129, however many blocks there are.
struct BlockTable: Hashable, Sendable {
  private var services: [CIDR: [ServiceKey]] = [:]
  /// How many blocks there are of each prefix length.
  private var lengths: [Int: Int] = [:]

  var isEmpty: Bool { services.isEmpty }

  mutating func insert(_ service: ServiceKey, _ block: CIDR) {
    let block = block.canonical
    if services[block] == nil { lengths[block.prefixLength, default: 0] += 1 }
    guard services[block]?.contains(service) != true else { return }
    services[block, default: []].insertSorted(service) { $0 < $1 }
  }

  mutating func remove(_ service: ServiceKey, _ block: CIDR) {
    let block = block.canonical
    guard services[block] != nil else { return }
    services.removeFromList(at: block) { $0 == service }
    guard services[block] == nil, let count = lengths[block.prefixLength] else { return }
    lengths[block.prefixLength] = count > 1 ? count - 1 : nil
  }

  /// The services whose blocks hold the address, the longest prefix first.
  func services(holding ip: IPAddress) -> [ServiceKey] {
    var found: [ServiceKey] = []
    for length in lengths.keys.sorted(by: >) {
      guard let block = CIDR(base: ip, prefixLength: length)?.canonical,
        let keys = services[block]
      else { continue }
      found += keys
    }
    return found
  }
}

// MARK: Policies

extension MeshTables {
  mutating func insert(_ policy: AuthorizationPolicy) {
    func precedes(_ a: AuthorizationPolicy, _ b: AuthorizationPolicy) -> Bool {
      a.key < b.key
    }
    switch policy.scope {
    case .global: globalPolicies.insertSorted(policy, by: precedes)
    case .namespace:
      namespacePolicies[policy.key.namespace, default: []].insertSorted(policy, by: precedes)
    case .workloadSelector: break
    }
  }

  mutating func remove(_ policy: AuthorizationPolicy) {
    switch policy.scope {
    case .global: globalPolicies.removeAll { $0.key == policy.key }
    case .namespace:
      namespacePolicies.removeFromList(at: policy.key.namespace) { $0.key == policy.key }
    case .workloadSelector: break
    }
  }
}

// MARK: Sorted lists

extension Array {
  fileprivate mutating func insertSorted(
    _ element: Element, by precedes: (Element, Element) -> Bool
  ) {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = low + (high - low) / 2
      if precedes(self[middle], element) { low = middle + 1 } else { high = middle }
    }
    insert(element, at: low)
  }
}

extension Dictionary {
  /// Takes elements out of the list at `key`; a list that becomes empty goes too.
  fileprivate mutating func removeFromList<Element>(
    at key: Key, where isRemoved: (Element) -> Bool
  ) where Value == [Element] {
    guard let index = index(forKey: key) else { return }
    values[index].removeAll(where: isRemoved)
    if values[index].isEmpty { remove(at: index) }
  }
}
