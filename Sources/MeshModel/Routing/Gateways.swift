// Whom a reference to a waypoint or to a network's entry stands for.

/// A workload behind a reference, and where it takes tunnels.
struct GatewayEntry {
  var workload: Workload
  /// Of these the reference found it; nil when it names the workload's own address.
  var service: Service?
  /// Where it takes tunnels; nil when it is on another network and has no address at all.
  var place: Place?

  struct Place {
    /// Without an address when there is only a host name.
    var dialled: SocketAddress
    var hostname: String
  }

  /// Whom it must prove to be.
  var identities: [SPIFFEID] { workload.identities(in: service) }

  /// Without an address it can be reached through its network's entry alone.
  fileprivate func isUsable(from source: Workload) -> Bool {
    place != nil || (workload.network != source.network && workload.networkGateway != nil)
  }
}

extension MeshIndex {
  /// The workloads to try for one connection, in order.
  ///
  /// A waypoint or gateway that has a waypoint of its own is dialled all the same: references are
  /// followed once, so that a circle of them ends.
  func entries(
    of gateway: GatewayAddress, from source: Workload, turn: UInt64
  ) -> (entries: [GatewayEntry], tally: EndpointTally) {
    switch target(of: gateway) {
    case nil: return ([], EndpointTally())
    case .workload(let workload, let ip):
      let entry = GatewayEntry(
        workload: workload,
        place: place(of: workload, at: ip ?? workload.addresses.first, gateway.tunnelPort))
      guard entry.isUsable(from: source) else {
        return ([], EndpointTally(total: 1, unusable: 1))
      }
      return ([entry], EndpointTally(total: 1))
    case .service(let service):
      return entries(of: service, port: gateway.tunnelPort, from: source, turn: turn)
    }
  }

  private func entries(
    of service: Service, port: UInt16, from source: Workload, turn: UInt64
  ) -> (entries: [GatewayEntry], tally: EndpointTally) {
    let asked = service.virtualAddresses.first?.block.base ?? .v4(0)
    let (entries, tally) = candidates(of: service, from: source, turn: turn) {
      workload -> EndpointUse<GatewayEntry> in
      // An application tunnel takes any port: it is told which was meant.
      let isTunnel = workload.applicationTunnel != nil
      let target = service.targetPort(for: port, on: workload) ?? (isTunnel ? port : nil)
      let ip = workload.address(for: asked, of: service)
      guard let target else { return .unusable }
      let entry = GatewayEntry(
        workload: workload, service: service, place: place(of: workload, at: ip, target))
      return entry.isUsable(from: source) ? .found([entry]) : .unusable
    }
    return (entries, tally)
  }

  private func place(
    of workload: Workload, at ip: IPAddress?, _ port: UInt16
  ) -> GatewayEntry.Place? {
    if let ip { return .init(dialled: SocketAddress(ip: ip, port: port), hostname: "") }
    guard !workload.hostname.isEmpty else { return nil }
    return .init(dialled: SocketAddress(ip: .v4(0), port: port), hostname: workload.hostname)
  }

  enum GatewayTarget {
    case service(Service)
    /// The address is the one referred to.
    case workload(Workload, IPAddress?)
  }

  /// What the reference names; nil when this node does not know it.
  func target(of gateway: GatewayAddress) -> GatewayTarget? {
    switch gateway.destination {
    case .service(let key):
      if let service = model.services[key] { return .service(service) }
      // Of the gateway's own namespace: another's workload may claim any name.
      return tables.hostnameWorkloads[key.hostname]?.lazy.compactMap { model.workloads[$0] }
        .first { $0.namespace == key.namespace }.map { .workload($0, nil) }
    case .address(let network, let ip):
      if let workload = workload(at: ip, on: network) { return .workload(workload, ip) }
      return service(at: ip, on: network).map { .service($0) }
    }
  }

  /// Whether a workload is among those a reference stands for.
  func isEntry(_ workload: Workload, of gateway: GatewayAddress) -> Bool {
    switch target(of: gateway) {
    case nil: false
    case .service(let service): workload.services[service.key] != nil
    case .workload(let entry, _): entry.uid == workload.uid
    }
  }

  /// The workloads behind a reference, whatever their health; sorted.
  func entryUIDs(of gateway: GatewayAddress) -> [String] {
    switch target(of: gateway) {
    case nil: []
    case .workload(let workload, _): [workload.uid]
    case .service(let service): tables.members[service.key] ?? []
    }
  }

  /// All identities a workload behind the reference may prove, whatever its health; sorted.
  func identities(of gateway: GatewayAddress) -> [SPIFFEID] {
    switch target(of: gateway) {
    case nil: []
    case .workload(let workload, _): [workload.identity]
    case .service(let service):
      Set(members(of: service.key).map(\.identity) + service.subjectAltNames)
        .sorted { $0.description < $1.description }
    }
  }
}

extension Workload {
  /// Whom it must prove to be when a service led to it.
  func identities(in service: Service?) -> [SPIFFEID] {
    guard let service else { return [identity] }
    return [identity] + service.subjectAltNames.filter { $0 != identity }
  }
}

extension Service {
  /// All its waypoints that may get a connection.
  var waypoints: [GatewayAddress] {
    let weighted = weightedWaypoints.filter { $0.weight > 0 }.map(\.waypoint)
    return weighted.isEmpty ? [waypoint].compactMap(\.self) : weighted
  }

  /// The waypoint for one connection.
  func waypoint(turn: UInt64) -> GatewayAddress? {
    let weighted = weightedWaypoints.filter { $0.weight > 0 }
    guard !weighted.isEmpty else { return waypoint }
    return weighted[EndpointGroup.pick(weighted.map(\.weight), turn: turn)].waypoint
  }
}
