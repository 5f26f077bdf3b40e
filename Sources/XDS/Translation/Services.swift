public import IstioAPI
public import MeshModel
internal import SwiftProtobuf

extension Service {
  /// Reads a service; its name on the wire is `<namespace>/<hostname>`.
  ///
  /// Extensions and application protocols are not looked at. A server name that is no SPIFFE id
  /// can never be proven and is left out. A visibility that is not known hides the service from
  /// other namespaces.
  public init(_ wire: Istio_Workload_Service) throws(FieldError) {
    guard canBeHalf(wire.namespace), canBeHalf(wire.hostname) else {
      throw FieldError(
        "namespace and hostname", .malformedName("\(wire.namespace)/\(wire.hostname)"))
    }
    self.init(
      key: ServiceKey(namespace: wire.namespace, hostname: wire.hostname), name: wire.name)
    for (index, address) in wire.addresses.enumerated() {
      let block = try block(
        address.address, length: address.hasLength ? address.length : nil, "addresses[\(index)]")
      virtualAddresses.append(VirtualAddress(network: address.network, block: block))
    }
    ports = try portMappings(wire.ports, "ports")
    subjectAltNames = wire.subjectAltNames.compactMap(Service.identity)
    if wire.hasWaypoint { waypoint = try GatewayAddress(wire.waypoint, "waypoint") }
    for (index, weighted) in wire.weightedWaypoints.enumerated() {
      weightedWaypoints.append(
        WeightedWaypoint(
          waypoint: try GatewayAddress(
            weighted.destination, "weighted_waypoints[\(index)].destination"),
          weight: weighted.weight))
    }
    healthPolicy = try known(wire.loadBalancing.healthPolicy, "load_balancing.health_policy")
    loadBalancing = try LoadBalancing(wire.loadBalancing)
    addressFamilies = try known(wire.ipFamilies, "ip_families")
    visibility = wire.visibility == .public ? .everyone : .ownNamespace
    isCanonical = wire.canonical
  }

  private static func identity(_ uri: String) -> SPIFFEID? {
    do throws(SPIFFEID.ParseError) {
      return try SPIFFEID(parsing: uri)
    } catch {
      return nil
    }
  }
}

extension LoadBalancing {
  fileprivate init(_ wire: Istio_Workload_LoadBalancing) throws(FieldError) {
    self.init(mode: try known(wire.mode, "load_balancing.mode"))
    for (index, scope) in wire.routingPreference.enumerated() {
      preferences.append(try known(scope, "load_balancing.routing_preference[\(index)]"))
    }
  }
}

extension Istio_Workload_Service {
  public init(_ service: Service) {
    self.init()
    name = service.name
    namespace = service.key.namespace
    hostname = service.key.hostname
    addresses = service.virtualAddresses.map { virtual in
      .with {
        $0.network = virtual.network
        $0.address = wireBytes(virtual.block.base.bytes)
        if !virtual.block.isSingle { $0.length = UInt32(virtual.block.prefixLength) }
      }
    }
    ports = wirePorts(service.ports)
    subjectAltNames = service.subjectAltNames.map(\.description)
    if let gateway = service.waypoint { waypoint = gateway.wire }
    weightedWaypoints = service.weightedWaypoints.map { weighted in
      .with {
        $0.destination = weighted.waypoint.wire
        $0.weight = weighted.weight
      }
    }
    if service.loadBalancing != LoadBalancing() || service.healthPolicy != .onlyHealthy {
      loadBalancing = .with {
        $0.mode = wire(service.loadBalancing.mode)
        $0.routingPreference = service.loadBalancing.preferences.map { wire($0) }
        $0.healthPolicy = wire(service.healthPolicy)
      }
    }
    ipFamilies = wire(service.addressFamilies)
    visibility = wire(service.visibility)
    canonical = service.isCanonical
  }
}
