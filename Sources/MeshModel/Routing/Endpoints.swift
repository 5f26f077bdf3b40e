// Which endpoints of a service a connection tries, and in which order.
//
// Source: ambient-protocol.md, section 3.4.

/// What may become of one endpoint.
enum EndpointUse<Found> {
  case found([Found])
  case unusable
  case unreachable
}

extension MeshIndex {
  /// What to try for one connection, the endpoint whose turn it is first.
  ///
  /// Endpoints of equal weight take turns; others are met in proportion to their capacity. Behind
  /// the first come the others of its locality rank, then those of the next rank, so that a dial
  /// that fails moves on; `use` says what an endpoint is good for.
  func candidates<Found>(
    of service: Service, from source: Workload, turn: UInt64,
    _ use: (Workload) -> EndpointUse<Found>
  ) -> (found: [Found], tally: EndpointTally) {
    let members = tables.members[service.key] ?? []
    let eligible =
      service.healthPolicy == .allowAll ? members : tables.healthyMembers[service.key] ?? []
    var tally = EndpointTally(total: members.count, unhealthy: members.count - eligible.count)
    var found: [Found] = []
    let isEven = tables.unevenMembers[service.key] == nil
    let groups: [EndpointGroup] =
      switch service.loadBalancing.mode {
      case .any, .passthrough:
        [isEven ? EndpointGroup(uids: eligible, weights: []) : group(eligible)]
      case .strict, .failover:
        localGroups(of: service, eligible, near: source, &tally)
      }
    for group in groups {
      let start = group.start(turn: turn)
      for offset in group.uids.indices {
        let left = RoutePlan.Limit.candidatesPerConnection - found.count
        guard left > 0 else { return (found, tally) }
        let uid = group.uids[(start + offset) % group.uids.count]
        guard let workload = model.workloads[uid] else { continue }
        switch use(workload) {
        case .found(let more): found += more.prefix(left)
        case .unusable: tally.unusable += 1
        case .unreachable: tally.unreachable += 1
        }
      }
    }
    return (found, tally)
  }

  private func group(_ uids: [String]) -> EndpointGroup {
    EndpointGroup(uids: uids, weights: uids.map { model.workloads[$0]?.capacity ?? 0 })
  }

  /// The endpoints by how much they have in common with the client, the nearest group first.
  private func localGroups(
    of service: Service, _ uids: [String], near source: Workload, _ tally: inout EndpointTally
  ) -> [EndpointGroup] {
    let balancing = service.loadBalancing
    var byRank: [Int: [String]] = [:]
    for uid in uids {
      guard let endpoint = model.workloads[uid] else { continue }
      let rank = balancing.rank(of: endpoint, for: source)
      if balancing.mode == .strict, !rank.isComplete {
        if balancing == .nodeLocal { tally.onOtherNodes += 1 } else { tally.elsewhere += 1 }
      } else {
        byRank[rank.value, default: []].append(uid)
      }
    }
    return byRank.sorted { $0.key > $1.key }.map { group($0.value) }
  }
}

/// Endpoints that are equally near.
struct EndpointGroup {
  var uids: [String]
  /// One for each endpoint; empty when all are equal.
  private var weights: [UInt32] = []

  init(uids: [String], weights: [UInt32]) {
    self.uids = uids
    if let first = weights.first, weights.contains(where: { $0 != first }) {
      self.weights = weights
    }
  }

  /// The endpoint whose turn it is.
  func start(turn: UInt64) -> Int {
    if uids.isEmpty { return 0 }
    return weights.isEmpty ? Int(turn % UInt64(uids.count)) : Self.pick(weights, turn: turn)
  }

  /// An index by weight: over successive turns each comes up in its share, well mixed.
  ///
  /// Turns are spread by the golden ratio's fraction, which never comes near a repetition; all
  /// weights zero counts as all equal. Source: the additive recurrence of low discrepancy.
  static func pick(_ weights: [UInt32], turn: UInt64) -> Int {
    let total = weights.reduce(UInt64(0)) { $0 + UInt64($1) }
    guard total > 0 else { return weights.isEmpty ? 0 : Int(turn % UInt64(weights.count)) }
    var left = (turn &* 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: total).high
    for (index, weight) in weights.enumerated() {
      if left < UInt64(weight) { return index }
      left -= UInt64(weight)
    }
    return 0
  }
}

extension LoadBalancing {
  /// How near an endpoint is: more is nearer.
  ///
  /// One for each preference they share until the first they do not. Where the first preference
  /// is the network, any endpoint of the own network beats any other, and the other preferences
  /// still order the endpoints of other networks.
  func rank(of endpoint: Workload, for source: Workload) -> (value: Int, isComplete: Bool) {
    var value = 0
    for (index, scope) in preferences.enumerated() {
      if endpoint.name(in: scope) == source.name(in: scope) {
        value += 1
        if index == 0, scope == .network { value += preferences.count - 1 }
      } else if index == 0, scope == .network {
        continue
      } else {
        return (value, false)
      }
    }
    return (value, preferences.first != .network || endpoint.network == source.network)
  }
}

extension Workload {
  fileprivate func name(in scope: LoadBalancing.Scope) -> String {
    switch scope {
    case .region: locality.region
    case .zone: locality.zone
    case .subzone: locality.subzone
    case .node: node
    case .cluster: clusterID
    case .network: network
    }
  }

  /// The address to dial it at: the one asked for, else one of a family the service offers,
  /// rather of that asked for.
  func address(for asked: IPAddress, of service: Service?) -> IPAddress? {
    if addresses.contains(asked) { return asked }
    let offered = addresses.filter { service?.addressFamilies.include($0) != false }
    return offered.first { $0.isIPv4 == asked.isIPv4 } ?? offered.first
  }
}

extension Service.AddressFamilies {
  /// Whether a service of these families offers the address.
  public func include(_ ip: IPAddress) -> Bool {
    switch self {
    case .automatic, .both: true
    case .ipv4: ip.isIPv4
    case .ipv6: !ip.isIPv4
    }
  }
}

extension Service {
  /// The default target of a service port; 0 when only the endpoint knows, nil without that port.
  func targetPort(for servicePort: UInt16) -> UInt16? {
    ports.first { $0.servicePort == servicePort }?.targetPort
  }

  /// Where a service port ends on one workload: what the endpoint says, else the default.
  ///
  /// Nil when the workload does not serve it.
  func targetPort(for servicePort: UInt16, on workload: Workload) -> UInt16? {
    let own = workload.services[key]?.first { $0.servicePort == servicePort }?.targetPort
    guard let port = own ?? targetPort(for: servicePort), port > 0 else { return nil }
    return port
  }
}
