extension MeshIndex {
  /// Where a connection of a workload goes; the first row that fits wins.
  ///
  ///     loopback and a port of ours      refuse
  ///     a workload's address             its waypoint, else that workload, whatever its health
  ///     a service's virtual address      its waypoint, else its endpoints
  ///     anything else                    passthrough
  ///
  /// Addresses are those of the source's own network. A waypoint that cannot be used refuses the
  /// connection; a waypoint's own connections to what it serves go there directly. Successive
  /// values of `turn` start at successive endpoints. `localPods` are the uids of the workloads
  /// that this node's ztunnel serves; without `passingWaypoints` the answer is where a client
  /// outside the mesh would end.
  ///
  /// Source: ambient-protocol.md, section 5.1.
  public func plan(
    from source: Workload, to destination: SocketAddress, turn: UInt64, localPods: Set<String>,
    passingWaypoints: Bool = true
  ) -> RoutePlan {
    if destination.ip.isLoopback, AgentPort.contains(destination.port) {
      return .refuse(.agentPort(destination))
    }
    let route = Route(
      source: source, destination: destination, turn: turn, localPods: localPods,
      passesWaypoints: passingWaypoints)
    if let workload = workload(at: destination.ip, on: source.network) {
      return plan(route, to: workload)
    }
    let service = service(at: destination.ip, on: source.network, for: source.namespace)
    guard let service else { return .passthrough(destination) }
    return plan(route, to: service)
  }

  private func plan(_ route: Route, to workload: Workload) -> RoutePlan {
    if route.passesWaypoints, let waypoint = workload.waypoint, !isEntry(route.source, of: waypoint)
    {
      return plan(route, through: waypoint, of: .workload(workload.uid), service: nil)
    }
    let hop = route.hop(to: workload, in: nil, at: route.destination)
    if hop.transport != .plaintext, AgentPort.contains(route.destination.port) {
      return .refuse(.agentPort(route.destination))
    }
    return .candidates([hop], service: nil)
  }

  private func plan(_ route: Route, to service: Service) -> RoutePlan {
    let port = route.destination.port
    if route.passesWaypoints, let waypoint = service.waypoint(turn: route.turn),
      !service.waypoints.contains(where: { isEntry(route.source, of: $0) })
    {
      return plan(route, through: waypoint, of: .service(service.key), service: service)
    }
    if service.loadBalancing.mode == .passthrough { return .passthrough(route.destination) }
    guard service.targetPort(for: port) != nil else {
      return .refuse(.unknownPort(service: service.key, port: port))
    }
    let (hops, tally) = candidates(of: service, from: route.source, turn: route.turn) {
      use(of: $0, in: service, route)
    }
    guard !hops.isEmpty else {
      return .refuse(.noEndpoint(service: service.key, port: port, tally))
    }
    return .candidates(hops, service: service.key)
  }

  private func use(of workload: Workload, in service: Service, _ route: Route) -> EndpointUse<Hop> {
    guard let port = service.targetPort(for: route.destination.port, on: workload) else {
      return .unusable
    }
    guard workload.network == route.source.network else {
      return use(
        ofRemote: workload, proving: service.subjectAltNames, service, route, isWaypoint: false)
    }
    let ip = workload.address(for: route.destination.ip, of: service)
    guard ip != nil || !workload.hostname.isEmpty else { return .unusable }
    let address = SocketAddress(ip: ip ?? .v4(0), port: port)
    var hop = route.hop(to: workload, in: service, at: address)
    guard hop.transport == .plaintext || !AgentPort.contains(port) else { return .unusable }
    if ip == nil { hop.hostname = workload.hostname }
    return .found([hop])
  }

  // MARK: Through a waypoint

  private func plan(
    _ route: Route, through waypoint: GatewayAddress, of owner: WaypointOwner, service: Service?
  ) -> RoutePlan {
    var (entries, tally) = entries(of: waypoint, from: route.source, turn: route.turn)
    var hops: [Hop] = []
    for entry in entries {
      if entry.workload.network == route.source.network, let place = entry.place {
        hops.append(route.hop(throughWaypoint: entry, place))
        continue
      }
      guard let service, let own = entry.service,
        case .found(let found) = use(
          ofRemote: entry.workload, proving: own.subjectAltNames, service, route, isWaypoint: true)
      else {
        tally.unreachable += 1
        continue
      }
      hops += found
    }
    guard !hops.isEmpty else { return .refuse(.unusableWaypoint(waypoint, of: owner, tally)) }
    return .candidates(
      Array(hops.prefix(RoutePlan.Limit.candidatesPerConnection)), service: service?.key)
  }

  // MARK: To another network

  /// A workload on another network, through that network's entry.
  ///
  /// What answers behind the entry must prove one of the service's names; nobody known to prove
  /// one means no way there.
  private func use(
    ofRemote workload: Workload, proving identities: [SPIFFEID], _ service: Service,
    _ route: Route, isWaypoint: Bool
  ) -> EndpointUse<Hop> {
    guard let gateway = workload.networkGateway, !identities.isEmpty else { return .unreachable }
    let entries = entries(of: gateway, from: route.source, turn: route.turn).entries
    let hops = entries.compactMap { entry -> Hop? in
      guard let place = entry.place else { return nil }
      var hop = Hop(
        workloadUID: workload.uid, identities: identities, address: route.destination,
        transport: .doubleHBONE)
      hop.isWaypoint = isWaypoint
      hop.authority = .host(service.key.hostname, port: route.destination.port)
      hop.dialled = place.dialled
      hop.hostname = place.hostname
      hop.gateway = Hop.Gateway(
        workloadUID: entry.workload.uid, identities: entry.identities)
      return hop
    }
    return hops.isEmpty ? .unreachable : .found(hops)
  }
}

/// What one connection asks of the plan.
private struct Route {
  var source: Workload
  var destination: SocketAddress
  var turn: UInt64
  var localPods: Set<String>
  /// False for a source whose connections nobody captures.
  var passesWaypoints: Bool

  /// Straight to a workload of the own network.
  func hop(to workload: Workload, in service: Service?, at address: SocketAddress) -> Hop {
    // What speaks HBONE itself, or wants a header of ours, must see the tunnel.
    let isPlainlyLocal = !workload.isNativeTunnel && workload.applicationTunnel == nil
    let transport: Hop.Transport =
      if isPlainlyLocal, localPods.contains(workload.uid) {
        .local
      } else if workload.tunnelProtocol == .hbone {
        .hbone
      } else {
        .plaintext
      }
    return Hop(
      workloadUID: workload.uid, identities: workload.identities(in: service), address: address,
      transport: transport)
  }

  /// To a waypoint of the own network, which is asked for what the application dialled.
  func hop(throughWaypoint entry: GatewayEntry, _ place: GatewayEntry.Place) -> Hop {
    var hop = Hop(
      workloadUID: entry.workload.uid, identities: entry.identities, address: destination,
      transport: .hbone)
    hop.isWaypoint = true
    hop.dialled = place.dialled
    hop.hostname = place.hostname
    return hop
  }
}
