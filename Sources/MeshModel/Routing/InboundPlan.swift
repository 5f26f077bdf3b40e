/// What a CONNECT that reached a workload asks of it.
public enum InboundPlan: Hashable, Sendable {
  case accept(InboundTarget)
  case refuse(InboundRefusal)
}

/// Where the bytes of an accepted CONNECT go.
public struct InboundTarget: Hashable, Sendable {
  /// The workload's own address and the application's port: what policy is asked about.
  public var address: SocketAddress
  /// Where the application is dialled: `address`, or the same port of loopback.
  public var dialled: SocketAddress
  /// What the PROXY header names as destination; nil without such a header.
  public var proxied: SocketAddress?
  /// The service asked for by name.
  public var service: ServiceKey?
}

public enum InboundRefusal: Hashable, Sendable {
  /// Neither the workload's own address nor one it stands in front of.
  case foreignAddress(SocketAddress, own: IPAddress)
  case unknownService(String)
  /// The workload is no endpoint of the service.
  case notServed(ServiceKey)
  case unknownPort(service: ServiceKey, port: UInt16)
  case agentPort(UInt16)
  /// The application is told what was asked for, and the service has no address to tell.
  case noVirtualAddress(ServiceKey)
  case unknownWorkload
}

extension InboundRefusal {
  /// The answer to the CONNECT.
  ///
  /// Source: ambient-protocol.md, section 1.4.
  public var status: UInt16 {
    switch self {
    case .foreignAddress: 400
    case .unknownService, .notServed, .unknownPort, .agentPort, .noVirtualAddress,
      .unknownWorkload:
      503
    }
  }
}

extension MeshIndex {
  /// What becomes of a CONNECT at one of our pods; whether it may pass is asked afterwards.
  ///
  ///     the pod's own address           that port
  ///     another address                 only an application tunnel, or the waypoint of whatever
  ///                                     has that address
  ///     a host name                     the port of that service on this pod
  ///
  /// `own` is the address the peer dialled. Source: ambient-protocol.md, section 5.2.
  public func inboundPlan(
    for workload: Workload, at own: IPAddress, authority: Hop.Authority
  ) -> InboundPlan {
    var target: InboundTarget
    switch authority {
    case .address(let asked):
      guard asked.ip == own || workload.applicationTunnel != nil || isFront(workload, of: asked.ip)
      else {
        return .refuse(.foreignAddress(asked, own: own))
      }
      let address = SocketAddress(ip: own, port: asked.port)
      target = InboundTarget(address: address, dialled: address, proxied: asked)
    case .host(let name, let port):
      guard let service = service(host: name, for: workload.namespace) else {
        return .refuse(.unknownService(name))
      }
      switch self.target(of: service, port, on: workload, at: own) {
      case .accept(let found): target = found
      case .refuse(let refusal): return .refuse(refusal)
      }
    }
    guard !AgentPort.contains(target.address.port) else {
      return .refuse(.agentPort(target.address.port))
    }
    if let tunnel = workload.applicationTunnel {
      if tunnel.port != 0 { target.address.port = tunnel.port }
      target.dialled.port = target.address.port
    }
    guard workload.applicationTunnel?.form == .proxy else {
      target.proxied = nil
      return .accept(target)
    }
    if case .host = authority, target.proxied == nil, let key = target.service {
      return .refuse(.noVirtualAddress(key))
    }
    // Over loopback, so that nobody but us reaches a port that believes such a header; but only to
    // the tunnel's own port: a peer must not choose among what listens there.
    guard workload.applicationTunnel?.port != 0 else { return .accept(target) }
    target.dialled.ip = own.isIPv4 ? .v4(0x7f00_0001) : .v6(high: 0, low: 1)
    return .accept(target)
  }

  /// Why a peer may not have all that a workload serves; nil when it may.
  ///
  /// Asked for a CONNECT that leads nowhere: who is kept from something here hears no more of it than
  /// of what is not here.
  public func denial(
    of facts: ConnectionFacts, atAnyPortOf workload: Workload
  ) -> Verdict.Denial? {
    var ports: Set<UInt16> = [facts.destinationPort]
    if let tunnel = workload.applicationTunnel, tunnel.port != 0 { ports.insert(tunnel.port) }
    for key in workload.services.keys {
      guard let service = model.services[key] else { continue }
      for port in service.ports {
        if let target = service.targetPort(for: port.servicePort, on: workload) {
          ports.insert(target)
        }
      }
    }
    for port in ports.sorted() {
      var facts = facts
      facts.destinationPort = port
      if case .deny(let denial) = facts.verdict(for: workload, in: self) { return denial }
    }
    return nil
  }

  private func target(
    of service: Service, _ port: UInt16, on workload: Workload, at own: IPAddress
  ) -> InboundPlan {
    let isFront = workload.applicationTunnel != nil || isWaypoint(workload, of: service)
    guard isFront || workload.services[service.key] != nil else {
      return .refuse(.notServed(service.key))
    }
    guard let targetPort = service.targetPort(for: port, on: workload) else {
      return .refuse(.unknownPort(service: service.key, port: port))
    }
    let addresses = service.virtualAddresses.filter { $0.network == workload.network }
      .compactMap(\.ip)
    let address = addresses.first(where: \.isIPv4) ?? addresses.first
    let own = SocketAddress(ip: own, port: targetPort)
    return .accept(
      InboundTarget(
        address: own, dialled: own, proxied: address.map { SocketAddress(ip: $0, port: port) },
        service: service.key))
  }

  /// Whether the workload is the waypoint in front of whatever has the address.
  private func isFront(_ workload: Workload, of ip: IPAddress) -> Bool {
    if let service = service(at: ip, on: workload.network), isWaypoint(workload, of: service) {
      return true
    }
    guard let waypoint = self.workload(at: ip, on: workload.network)?.waypoint else { return false }
    return isEntry(workload, of: waypoint)
  }

  private func isWaypoint(_ workload: Workload, of service: Service) -> Bool {
    service.waypoints.contains { isEntry(workload, of: $0) }
  }
}

extension InboundRefusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .foreignAddress(let asked, let own):
      "asked for \(asked), but this is \(own) and no waypoint of it"
    case .unknownService(let name): "no service \(name) is known here"
    case .notServed(let service): "this workload is no endpoint of service \(service)"
    case .unknownPort(let service, let port):
      "service \(service) has no port \(port) on this workload"
    case .agentPort(let port): "port \(port) is the mesh's own; the connection would loop"
    case .noVirtualAddress(let service):
      "the application wants to know the address asked for, and service \(service) has none"
    case .unknownWorkload: "this workload is not known here yet"
    }
  }
}
