/// A pod or other instance that sends or serves, as Istio's workload API describes it.
///
/// Field meanings follow `istio.workload.Workload`; the uid is `<cluster>//Pod/<namespace>/<name>`.
public struct Workload: Hashable, Sendable {
  /// How a peer reaches it.
  public enum TunnelProtocol: UInt8, Hashable, Sendable {
    case none = 0
    case hbone = 1
  }

  /// What kind of object runs it; a label of telemetry only.
  public enum Kind: UInt8, Hashable, Sendable {
    case deployment = 0
    case cronJob = 1
    case pod = 2
    case job = 3
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
  public var kind: Kind
  public var locality: Locality
  /// Its share of a service's connections, relative to the other endpoints.
  public var capacity: UInt32
  /// Without addresses: resolved when it is dialled.
  ///
  /// Empty otherwise.
  public var hostname: String
  /// The application speaks HBONE itself: a target of tunnels that ztunnel must not terminate.
  public var isNativeTunnel: Bool
  /// How a tunnel's bytes are handed to the application, when not plainly.
  public var applicationTunnel: ApplicationTunnel?
  /// Where connections to its own addresses go first.
  public var waypoint: GatewayAddress?
  /// The entry to its network, for sources on other networks.
  public var networkGateway: GatewayAddress?
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
    kind = .pod
    locality = Locality()
    capacity = 1
    hostname = ""
    isNativeTunnel = false
    applicationTunnel = nil
    waypoint = nil
    networkGateway = nil
    authorizationPolicies = []
    services = [:]
  }

  public var identity: SPIFFEID {
    SPIFFEID(trustDomain: trustDomain, namespace: namespace, serviceAccount: serviceAccount)
  }
}

/// Where a workload runs; an empty name means unknown.
public struct Locality: Hashable, Sendable {
  public var region: String
  public var zone: String
  public var subzone: String

  public init(region: String = "", zone: String = "", subzone: String = "") {
    self.region = region
    self.zone = zone
    self.subzone = subzone
  }
}

/// How the application behind ztunnel wants the bytes of a tunnel.
public struct ApplicationTunnel: Hashable, Sendable {
  public enum Form: UInt8, Hashable, Sendable {
    /// The bytes alone.
    case none = 0
    /// After a PROXY protocol version 2 header that says who is at the other end.
    case proxy = 1
  }

  public var form: Form
  /// The port to dial instead of the one asked for; 0 means that one.
  public var port: UInt16

  public init(form: Form, port: UInt16) {
    self.form = form
    self.port = port
  }

  /// Whether the application takes who connects to this port from a header.
  public func believesHeader(on port: UInt16) -> Bool {
    form == .proxy && (self.port == 0 || self.port == port)
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
