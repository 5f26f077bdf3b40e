import MeshModel

extension ModelChange: Coded {
  func write(to writer: inout Writer) {
    writer.boolean(isFull)
    writer.integer(generation)
    writer.list(workloads)
    writer.list(removedWorkloads) { $1.text($0) }
    writer.list(services)
    writer.list(removedServices)
    writer.list(policies)
    writer.list(removedPolicies)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(isFull: try reader.boolean(), generation: try reader.integer())
    workloads = try reader.list()
    removedWorkloads = try reader.list { reader throws(DecodingError) in try reader.text() }
    services = try reader.list()
    removedServices = try reader.list()
    policies = try reader.list()
    removedPolicies = try reader.list()
  }
}

extension Workload: Coded {
  func write(to writer: inout Writer) {
    writer.text(uid)
    writer.text(name)
    writer.text(namespace)
    writer.text(serviceAccount)
    writer.text(trustDomain)
    writer.list(addresses)
    writer.text(node)
    writer.byte(tunnelProtocol.rawValue)
    writer.byte(health.rawValue)
    writer.boolean(isHostNetwork)
    writer.text(network)
    writer.text(clusterID)
    writer.text(canonicalName)
    writer.text(canonicalRevision)
    writer.text(workloadName)
    writer.byte(kind.rawValue)
    locality.write(to: &writer)
    writer.integer(capacity)
    writer.text(hostname)
    writer.boolean(isNativeTunnel)
    writer.optional(applicationTunnel)
    writer.optional(waypoint)
    writer.optional(networkGateway)
    writer.list(authorizationPolicies)
    let memberships = services.sorted {
      ($0.key.namespace, $0.key.hostname) < ($1.key.namespace, $1.key.hostname)
    }
    writer.list(memberships) { membership, writer in
      membership.key.write(to: &writer)
      writer.list(membership.value)
    }
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(uid: try reader.text(), name: try reader.text(), namespace: try reader.text())
    serviceAccount = try reader.text()
    trustDomain = try reader.text()
    addresses = try reader.list()
    node = try reader.text()
    tunnelProtocol = try reader.member(.tunnelProtocol)
    health = try reader.member(.health)
    isHostNetwork = try reader.boolean()
    network = try reader.text()
    clusterID = try reader.text()
    canonicalName = try reader.text()
    canonicalRevision = try reader.text()
    workloadName = try reader.text()
    kind = try reader.member(.workloadKind)
    locality = try Locality(from: &reader)
    capacity = try reader.integer()
    hostname = try reader.text()
    isNativeTunnel = try reader.boolean()
    applicationTunnel = try reader.optional()
    waypoint = try reader.optional()
    networkGateway = try reader.optional()
    authorizationPolicies = try reader.list()
    let memberships = try reader.list { reader throws(DecodingError) in
      (key: try ServiceKey(from: &reader), ports: try reader.list(of: PortMapping.self))
    }
    for membership in memberships { services[membership.key] = membership.ports }
  }
}

extension Service: Coded {
  func write(to writer: inout Writer) {
    key.write(to: &writer)
    writer.text(name)
    writer.list(virtualAddresses)
    writer.list(ports)
    writer.byte(healthPolicy.rawValue)
    loadBalancing.write(to: &writer)
    writer.byte(addressFamilies.rawValue)
    writer.byte(visibility.rawValue)
    writer.boolean(isCanonical)
    writer.list(subjectAltNames)
    writer.optional(waypoint)
    writer.list(weightedWaypoints)
  }

  init(from reader: inout Reader) throws(DecodingError) {
    self.init(key: try ServiceKey(from: &reader), name: try reader.text())
    virtualAddresses = try reader.list()
    ports = try reader.list()
    healthPolicy = try reader.member(.healthPolicy)
    loadBalancing = try LoadBalancing(from: &reader)
    addressFamilies = try reader.member(.addressFamilies)
    visibility = try reader.member(.visibility)
    isCanonical = try reader.boolean()
    subjectAltNames = try reader.list()
    waypoint = try reader.optional()
    weightedWaypoints = try reader.list()
  }
}
