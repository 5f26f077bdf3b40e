public import IstioAPI
public import MeshModel
internal import SwiftProtobuf

extension Workload {
  /// What an empty field of the API stands for.
  enum Unset {
    static let trustDomain = "cluster.local"
    static let serviceAccount = "default"
    static let clusterID = "Kubernetes"
    static let capacity: UInt32 = 1
  }

  /// Reads a workload; its name on the wire is its uid.
  ///
  /// Extensions are not looked at. `LEGACY_ISTIO_MTLS` is reached without a tunnel.
  public init(_ wire: Istio_Workload_Workload) throws(FieldError) {
    guard !wire.uid.isEmpty else { throw FieldError("uid", .missing) }
    self.init(uid: wire.uid, name: wire.name, namespace: wire.namespace)
    if !wire.trustDomain.isEmpty { trustDomain = wire.trustDomain }
    if !wire.serviceAccount.isEmpty { serviceAccount = wire.serviceAccount }
    try requireIdentity()
    if !wire.clusterID.isEmpty { clusterID = wire.clusterID }
    network = wire.network
    node = wire.node
    hostname = wire.hostname
    for (index, bytes) in wire.addresses.enumerated() {
      addresses.append(try address(bytes, "addresses[\(index)]"))
    }
    tunnelProtocol =
      wire.tunnelProtocol == .legacyIstioMtls
      ? .none : try known(wire.tunnelProtocol, "tunnel_protocol")
    health = try known(wire.status, "status")
    isHostNetwork = try Workload.isHostNetwork(wire.networkMode)
    kind = try known(wire.workloadType, "workload_type")
    canonicalName = wire.canonicalName
    canonicalRevision = wire.canonicalRevision
    workloadName = wire.workloadName
    locality = Locality(
      region: wire.locality.region, zone: wire.locality.zone, subzone: wire.locality.subzone)
    capacity = wire.hasCapacity ? wire.capacity.value : Unset.capacity
    isNativeTunnel = wire.nativeTunnel
    try readRouting(wire)
  }

  private mutating func readRouting(_ wire: Istio_Workload_Workload) throws(FieldError) {
    if wire.hasApplicationTunnel {
      applicationTunnel = ApplicationTunnel(
        form: try known(wire.applicationTunnel.protocol, "application_tunnel.protocol"),
        port: try port(wire.applicationTunnel.port, "application_tunnel.port"))
    }
    if wire.hasWaypoint { waypoint = try GatewayAddress(wire.waypoint, "waypoint") }
    if wire.hasNetworkGateway {
      networkGateway = try GatewayAddress(wire.networkGateway, "network_gateway")
    }
    for (index, name) in wire.authorizationPolicies.enumerated() {
      guard let key = PolicyKey(resourceName: name) else {
        throw FieldError("authorization_policies[\(index)]", .malformedName(name))
      }
      authorizationPolicies.append(key)
    }
    for (name, list) in wire.services {
      guard let key = ServiceKey(resourceName: name) else {
        throw FieldError("services", .malformedName(name))
      }
      services[key] = try portMappings(list.ports, "services[\(clipped(name))].ports")
    }
  }

  /// Refuses a part that would make the identity somebody else's.
  ///
  /// A part may be missing (an entry to a network has no namespace): nobody can prove that one.
  private func requireIdentity() throws(FieldError) {
    let uri = "\(identity)"
    do throws(SPIFFEID.ParseError) {
      _ = try SPIFFEID(parsing: uri)
    } catch {
      switch error {
      case .emptyPart: return
      case .notSPIFFE, .unknownPath, .forbiddenCharacter, .tooLong:
        throw FieldError("trust_domain, namespace and service_account", .malformedIdentity(uri))
      }
    }
  }

  private static func isHostNetwork(_ mode: Istio_Workload_NetworkMode) throws(FieldError) -> Bool {
    switch mode {
    case .standard: false
    case .hostNetwork: true
    case .UNRECOGNIZED(let value): throw FieldError("network_mode", .unknownValue(value))
    }
  }
}

extension Istio_Workload_Workload {
  public init(_ workload: Workload) {
    self.init()
    uid = workload.uid
    name = workload.name
    namespace = workload.namespace
    if workload.trustDomain != Workload.Unset.trustDomain { trustDomain = workload.trustDomain }
    if workload.serviceAccount != Workload.Unset.serviceAccount {
      serviceAccount = workload.serviceAccount
    }
    if workload.clusterID != Workload.Unset.clusterID { clusterID = workload.clusterID }
    network = workload.network
    node = workload.node
    hostname = workload.hostname
    addresses = workload.addresses.map { wireBytes($0.bytes) }
    tunnelProtocol = wire(workload.tunnelProtocol)
    status = wire(workload.health)
    networkMode = workload.isHostNetwork ? .hostNetwork : .standard
    workloadType = wire(workload.kind)
    canonicalName = workload.canonicalName
    canonicalRevision = workload.canonicalRevision
    workloadName = workload.workloadName
    if workload.locality != Locality() {
      locality = .with {
        $0.region = workload.locality.region
        $0.zone = workload.locality.zone
        $0.subzone = workload.locality.subzone
      }
    }
    if workload.capacity != Workload.Unset.capacity { capacity.value = workload.capacity }
    nativeTunnel = workload.isNativeTunnel
    if let tunnel = workload.applicationTunnel {
      applicationTunnel = .with {
        $0.protocol = wire(tunnel.form)
        $0.port = UInt32(tunnel.port)
      }
    }
    if let gateway = workload.waypoint { waypoint = gateway.wire }
    if let gateway = workload.networkGateway { networkGateway = gateway.wire }
    authorizationPolicies = workload.authorizationPolicies.map(\.description)
    for (key, ports) in workload.services {
      services["\(key)"] = .with { $0.ports = wirePorts(ports) }
    }
  }
}
