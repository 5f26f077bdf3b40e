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

  public var key: ServiceKey
  /// The Kubernetes name.
  public var name: String
  /// Empty for a headless service.
  public var virtualAddresses: [IPAddress]
  /// Service ports with their default target port; 0 when only the endpoint knows (a named port).
  public var ports: [PortMapping]
  public var healthPolicy: HealthPolicy
  /// `internalTrafficPolicy: Local`: only endpoints on the client's node.
  public var isNodeLocal: Bool

  public init(key: ServiceKey, name: String) {
    self.key = key
    self.name = name
    virtualAddresses = []
    ports = []
    healthPolicy = .onlyHealthy
    isNodeLocal = false
  }
}
