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

/// One place a connection can go to.
public struct Hop: Hashable, Sendable {
  public enum Transport: UInt8, Hashable, Sendable {
    /// The workload is served by this node's ztunnel: no TLS, the kernel proves who is who.
    case local = 0
    /// A tunnel to port 15008 of the workload's address; `address` is what CONNECT asks for.
    case hbone = 1
    /// The workload is outside the mesh.
    case plaintext = 2
  }

  public var workloadUID: String
  /// Whom the far end must prove to be.
  public var identity: SPIFFEID
  /// The pod's address and the port the application listens on.
  public var address: SocketAddress
  public var transport: Transport

  public init(
    workloadUID: String, identity: SPIFFEID, address: SocketAddress, transport: Transport
  ) {
    self.workloadUID = workloadUID
    self.identity = identity
    self.address = address
    self.transport = transport
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
}

/// Why the endpoints of a service were passed over.
public struct EndpointTally: Hashable, Sendable {
  public var total = 0
  public var unhealthy = 0
  /// Healthy, but not on the client's node, where the service wants its traffic to stay.
  public var onOtherNodes = 0
  /// Without an address, or not serving this port.
  public var unusable = 0

  public init(total: Int = 0, unhealthy: Int = 0, onOtherNodes: Int = 0, unusable: Int = 0) {
    self.total = total
    self.unhealthy = unhealthy
    self.onOtherNodes = onOtherNodes
    self.unusable = unusable
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
    }
  }
}

extension EndpointTally: CustomStringConvertible {
  public var description: String {
    guard total > 0 else { return "it has no endpoints" }
    let reasons = [
      (unhealthy, "unhealthy"), (onOtherNodes, "on other nodes"),
      (unusable, "without an address or not serving this port"),
    ]
    return "of \(total) "
      + reasons.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
  }
}
