/// A waypoint or a network's entry, as a workload or service refers to it.
public struct GatewayAddress: Hashable, Sendable {
  public enum Destination: Hashable, Sendable {
    case service(ServiceKey)
    /// An address of a workload or a service.
    case address(network: String, ip: IPAddress)
  }

  public var destination: Destination
  /// The port it takes tunnels on, before a service's port mapping.
  public var tunnelPort: UInt16

  public init(destination: Destination, tunnelPort: UInt16 = AgentPort.hbone) {
    self.destination = destination
    self.tunnelPort = tunnelPort
  }
}

extension GatewayAddress: CustomStringConvertible {
  public var description: String {
    switch destination {
    case .service(let key): "\(key):\(tunnelPort)"
    case .address(_, let ip): "\(SocketAddress(ip: ip, port: tunnelPort))"
    }
  }
}

/// One of several waypoints that share a service's connections.
public struct WeightedWaypoint: Hashable, Sendable {
  public var waypoint: GatewayAddress
  public var weight: UInt32

  public init(waypoint: GatewayAddress, weight: UInt32) {
    self.waypoint = waypoint
    self.weight = weight
  }
}
