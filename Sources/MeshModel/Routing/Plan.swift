extension MeshIndex {
  /// Where a connection of a workload goes; the first row that fits wins.
  ///
  ///     loopback and a port of ours      refuse
  ///     a workload's address             that workload, whatever its health
  ///     a service's virtual address      its endpoints, from the one whose turn it is
  ///     anything else                    passthrough
  ///
  /// Successive values of `turn` start at successive endpoints. `localPods` are the uids of the
  /// workloads that this node's ztunnel serves.
  ///
  /// Source: ambient-protocol.md, section 5.1, for one network without waypoints.
  public func plan(
    from source: Workload, to destination: SocketAddress, turn: UInt64, localPods: Set<String>
  ) -> RoutePlan {
    if destination.ip.isLoopback, AgentPort.contains(destination.port) {
      return .refuse(.agentPort(destination))
    }
    if let workload = workload(at: destination.ip, on: source.network) {
      let hop = hop(to: workload, at: destination, localPods: localPods)
      if hop.transport != .plaintext, AgentPort.contains(destination.port) {
        return .refuse(.agentPort(destination))
      }
      return .candidates([hop], service: nil)
    }
    guard let service = service(at: destination.ip, on: source.network, for: source.namespace) else {
      return .passthrough(destination)
    }
    return plan(from: source, to: service, at: destination, turn: turn, localPods: localPods)
  }

  private func plan(
    from source: Workload, to service: Service, at destination: SocketAddress, turn: UInt64,
    localPods: Set<String>
  ) -> RoutePlan {
    guard service.targetPort(for: destination.port) != nil else {
      return .refuse(.unknownPort(service: service.key, port: destination.port))
    }
    let members = tables.members[service.key] ?? []
    let healthy = tables.healthyMembers[service.key] ?? []
    var uids = service.healthPolicy == .allowAll ? members : healthy
    var tally = EndpointTally(total: members.count, unhealthy: members.count - uids.count)
    if service.loadBalancing == .nodeLocal {
      let eligible = uids.count
      uids.removeAll { model.workloads[$0]?.node != source.node }
      tally.onOtherNodes = eligible - uids.count
    }
    var hops: [Hop] = []
    let start = uids.isEmpty ? 0 : Int(turn % UInt64(uids.count))
    for offset in uids.indices where hops.count < RoutePlan.Limit.candidatesPerConnection {
      let uid = uids[(start + offset) % uids.count]
      guard let workload = model.workloads[uid],
        let ip = workload.address(inFamilyOf: destination.ip),
        let port = service.targetPort(for: destination.port, on: workload)
      else {
        tally.unusable += 1
        continue
      }
      let hop = hop(to: workload, at: SocketAddress(ip: ip, port: port), localPods: localPods)
      guard hop.transport == .plaintext || !AgentPort.contains(port) else {
        tally.unusable += 1
        continue
      }
      hops.append(hop)
    }
    guard !hops.isEmpty else {
      return .refuse(.noEndpoint(service: service.key, port: destination.port, tally))
    }
    return .candidates(hops, service: service.key)
  }

  private func hop(
    to workload: Workload, at address: SocketAddress, localPods: Set<String>
  ) -> Hop {
    let transport: Hop.Transport =
      if localPods.contains(workload.uid) {
        .local
      } else if workload.tunnelProtocol == .hbone {
        .hbone
      } else {
        .plaintext
      }
    return Hop(
      workloadUID: workload.uid, identity: workload.identity, address: address,
      transport: transport)
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

extension Workload {
  /// An address of the given one's family, else the first.
  func address(inFamilyOf other: IPAddress) -> IPAddress? {
    addresses.first { $0.isIPv4 == other.isIPv4 } ?? addresses.first
  }
}
