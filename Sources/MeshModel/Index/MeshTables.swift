/// The lookup tables of one generation.
///
/// Every list is kept sorted, so that the tables depend on what the model holds and never on the
/// order in which it came: two nodes with one model decide alike.
struct MeshTables: Hashable, Sendable {
  /// Who owns an address, the preferred owner first.
  private(set) var owners: [IPAddress: [AddressOwner]] = [:]
  private(set) var virtualAddresses: [IPAddress: [ServiceKey]] = [:]
  /// The uids of all workloads that list a service.
  private(set) var members: [ServiceKey: [String]] = [:]
  /// The healthy ones among the members.
  private(set) var healthyMembers: [ServiceKey: [String]] = [:]
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
      for ip in Set(workload.addresses) { owners[ip, default: []].insertSorted(owner) { $0 < $1 } }
    }
    for service in workload.services.keys {
      members[service, default: []].insertSorted(workload.uid) { $0 < $1 }
      if workload.health == .healthy {
        healthyMembers[service, default: []].insertSorted(workload.uid) { $0 < $1 }
      }
    }
  }

  mutating func remove(_ workload: Workload) {
    for ip in workload.addresses { owners.removeFromList(at: ip) { $0.uid == workload.uid } }
    for service in workload.services.keys {
      members.removeFromList(at: service) { $0 == workload.uid }
      healthyMembers.removeFromList(at: service) { $0 == workload.uid }
    }
  }
}

// MARK: Services

extension MeshTables {
  mutating func insert(_ service: Service) {
    for ip in Set(service.virtualAddresses.compactMap(\.ip)) {
      virtualAddresses[ip, default: []].insertSorted(service.key) { $0 < $1 }
    }
  }

  mutating func remove(_ service: Service) {
    for ip in service.virtualAddresses.compactMap(\.ip) {
      virtualAddresses.removeFromList(at: ip) { $0 == service.key }
    }
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
