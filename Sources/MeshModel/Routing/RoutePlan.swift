/// Where a connection of an enrolled pod goes.
public enum RoutePlan: Hashable, Sendable {
  /// Not for us: plain TCP to where the application dialled.
  case passthrough(SocketAddress)
  /// Try these in turn. The service is nil when the application dialled a pod's own address.
  case candidates([Hop], service: ServiceKey?)
  case refuse(RouteRefusal)

  public enum Limit {
    /// Endpoints tried for one connection before it fails.
    public static let candidatesPerConnection = 3
  }
}

/// Why a connection goes nowhere.
public enum RouteRefusal: Hashable, Sendable {
  /// The destination is a port of ours, so the connection would come back for ever.
  case agentPort(SocketAddress)
  /// The service does not offer this port.
  case unknownPort(service: ServiceKey, port: UInt16)
  /// The service offers the port, but nothing can serve it now.
  case noEndpoint(service: ServiceKey, port: UInt16, EndpointTally)
  /// The destination has a waypoint that cannot be used; nothing goes round a waypoint.
  case unusableWaypoint(GatewayAddress, of: WaypointOwner, EndpointTally)
}

/// Who has a waypoint.
public enum WaypointOwner: Hashable, Sendable {
  case service(ServiceKey)
  /// A workload, by its uid.
  case workload(String)
}

/// Why the endpoints of a service or a gateway were passed over.
public struct EndpointTally: Hashable, Sendable {
  public var total = 0
  public var unhealthy = 0
  /// Healthy, but not on the client's node, where the service wants its traffic to stay.
  public var onOtherNodes = 0
  /// Healthy, but outside the locality where the service wants its traffic to stay.
  public var elsewhere = 0
  /// Without an address, or not serving this port.
  public var unusable = 0
  /// On another network, and its entry or whom to expect behind it is not known.
  public var unreachable = 0

  public init(
    total: Int = 0, unhealthy: Int = 0, onOtherNodes: Int = 0, elsewhere: Int = 0,
    unusable: Int = 0, unreachable: Int = 0
  ) {
    self.total = total
    self.unhealthy = unhealthy
    self.onOtherNodes = onOtherNodes
    self.elsewhere = elsewhere
    self.unusable = unusable
    self.unreachable = unreachable
  }
}

/// The ports ztunnel listens on, in the pod as its peers see it.
///
/// Source: ambient-protocol.md, section 2.1.
public enum AgentPort {
  public static let outbound: UInt16 = 15_001
  public static let inboundPlaintext: UInt16 = 15_006
  public static let hbone: UInt16 = 15_008

  public static func contains(_ port: UInt16) -> Bool {
    port == outbound || port == inboundPlaintext || port == hbone
  }
}

extension RouteRefusal: CustomStringConvertible {
  public var description: String {
    switch self {
    case .agentPort(let address):
      "\(address) is a port of the mesh itself; the connection would loop"
    case .unknownPort(let service, let port):
      "service \(service) has no port \(port)"
    case .noEndpoint(let service, let port, let tally):
      "service \(service) has no usable endpoint for port \(port): \(tally)"
    case .unusableWaypoint(let waypoint, let owner, let tally):
      "waypoint \(waypoint) of \(owner) cannot be used: \(tally)"
    }
  }
}

extension WaypointOwner: CustomStringConvertible {
  public var description: String {
    switch self {
    case .service(let key): "service \(key)"
    case .workload(let uid): "workload \(uid)"
    }
  }
}

extension EndpointTally: CustomStringConvertible {
  public var description: String {
    guard total > 0 else { return "it has no endpoints" }
    let reasons = [
      (unhealthy, "unhealthy"), (onOtherNodes, "on other nodes"),
      (elsewhere, "outside the locality it keeps to"),
      (unusable, "without an address or not serving this port"),
      (unreachable, "on another network without a known entry or identity"),
    ]
    return "of \(total) "
      + reasons.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
  }
}
