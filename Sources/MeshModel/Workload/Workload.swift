/// A pod or other instance that sends or serves, as Istio's workload API describes it.
///
/// Field meanings follow `istio.workload.Workload`; the uid is `<cluster>//Pod/<namespace>/<name>`.
public struct Workload: Hashable, Sendable {
  /// How a peer reaches it.
  public enum TunnelProtocol: UInt8, Hashable, Sendable {
    case none = 0
    case hbone = 1
  }

  public enum Health: UInt8, Hashable, Sendable {
    case healthy = 0
    case unhealthy = 1
  }

  public var uid: String
  public var name: String
  public var namespace: String
  public var serviceAccount: String
  public var trustDomain: String
  public var addresses: [IPAddress]
  public var node: String
  public var tunnelProtocol: TunnelProtocol
  public var health: Health
  public var isHostNetwork: Bool
  public var network: String
  public var clusterID: String
  /// The `app` label, for telemetry.
  public var canonicalName: String
  /// The `version` label, for telemetry.
  public var canonicalRevision: String
  public var workloadName: String
  /// Policies attached by selector; one that is not known yet denies.
  public var authorizationPolicies: [PolicyKey]
  /// Membership: which service, and for each service port the port this workload serves it on.
  public var services: [ServiceKey: [PortMapping]]

  public init(uid: String, name: String, namespace: String) {
    self.uid = uid
    self.name = name
    self.namespace = namespace
    serviceAccount = "default"
    trustDomain = "cluster.local"
    addresses = []
    node = ""
    tunnelProtocol = .none
    health = .healthy
    isHostNetwork = false
    network = ""
    clusterID = "Kubernetes"
    canonicalName = ""
    canonicalRevision = ""
    workloadName = ""
    authorizationPolicies = []
    services = [:]
  }

  public var identity: SPIFFEID {
    SPIFFEID(trustDomain: trustDomain, namespace: namespace, serviceAccount: serviceAccount)
  }
}

/// Where a service port ends on one workload.
///
/// A target of 0 means: not served here.
public struct PortMapping: Hashable, Sendable {
  public var servicePort: UInt16
  public var targetPort: UInt16

  public init(servicePort: UInt16, targetPort: UInt16) {
    self.servicePort = servicePort
    self.targetPort = targetPort
  }
}
