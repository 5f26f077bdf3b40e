/// The name of a service: its namespace and its host name.
public struct ServiceKey: Hashable, Sendable {
  public var namespace: String
  /// For a Kubernetes service `<name>.<namespace>.svc.<cluster domain>`.
  public var hostname: String

  public init(namespace: String, hostname: String) {
    self.namespace = namespace
    self.hostname = hostname
  }
}

extension ServiceKey: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    (a.namespace, a.hostname) < (b.namespace, b.hostname)
  }
}

extension ServiceKey: CustomStringConvertible {
  public var description: String { "\(namespace)/\(hostname)" }
}

/// A name and virtual addresses over workloads.
///
/// Its endpoints are the workloads that list it.
public struct Service: Hashable, Sendable {
  public enum HealthPolicy: UInt8, Hashable, Sendable {
    case onlyHealthy = 0
    /// `publishNotReadyAddresses`: endpoints count whatever their health.
    case allowAll = 1
  }

  /// Who may see a service.
  public enum Visibility: UInt8, Hashable, Sendable {
    case everyone = 0
    /// Clients of its own namespace only.
    case ownNamespace = 1
  }

  /// The address families a service offers.
  public enum AddressFamilies: UInt8, Hashable, Sendable {
    case automatic = 0
    case ipv4 = 1
    case ipv6 = 2
    case both = 3
  }

  public var key: ServiceKey
  /// The Kubernetes name.
  public var name: String
  /// Empty for a headless service.
  public var virtualAddresses: [VirtualAddress]
  /// Service ports with their default target port; 0 when only the endpoint knows (a named port).
  public var ports: [PortMapping]
  public var healthPolicy: HealthPolicy
  public var loadBalancing: LoadBalancing
  public var addressFamilies: AddressFamilies
  public var visibility: Visibility
  /// Preferred for its host name and addresses where the client's namespace has none of its own.
  public var isCanonical: Bool
  /// Identities a server may prove besides its workload's own.
  public var subjectAltNames: [SPIFFEID]
  /// Where connections to its addresses go first.
  public var waypoint: GatewayAddress?
  /// Several waypoints that share the connections; empty or of no weight: `waypoint` alone.
  public var weightedWaypoints: [WeightedWaypoint]

  public init(key: ServiceKey, name: String) {
    self.key = key
    self.name = name
    virtualAddresses = []
    ports = []
    healthPolicy = .onlyHealthy
    loadBalancing = LoadBalancing()
    addressFamilies = .automatic
    visibility = .everyone
    isCanonical = true
    subjectAltNames = []
    waypoint = nil
    weightedWaypoints = []
  }
}
