import MeshModel
import TestSupport

extension SeededGenerator {
  mutating func list<Element>(_ make: (inout Self) -> Element) -> [Element] {
    some(upTo: 3, make)
  }

  mutating func optional<Value>(_ make: (inout Self) -> Value) -> Value? {
    chance(50) ? make(&self) : nil
  }
}

/// Values of every kind, all of them such as the API can carry.
extension SeededGenerator {
  mutating func text() -> String { list { $0.one(of: ["a", "é", "東", "/", "-", "~"]) }.joined() }
  mutating func word() -> String { one(of: ["a", "b", "web", "x-1", "shop"]) }
  mutating func half() -> UInt32 { UInt32(truncatingIfNeeded: next()) >> UInt32(below(32)) }
  mutating func port() -> UInt16 { UInt16(truncatingIfNeeded: next()) }

  mutating func address() -> IPAddress {
    chance(50)
      ? .v4(UInt32(truncatingIfNeeded: next())) : .v6Normalised(high: next(), low: next())
  }

  mutating func block() -> CIDR {
    let base = address()
    return CIDR(base: base, prefixLength: below(base.isIPv4 ? 33 : 129)) ?? CIDR(base)
  }

  mutating func service(key: ServiceKey) -> Service {
    var service = Service(key: key, name: text())
    service.virtualAddresses = list { VirtualAddress(network: $0.text(), block: $0.block()) }
    service.ports = mappings()
    service.healthPolicy = one(of: [.onlyHealthy, .allowAll])
    service.loadBalancing = LoadBalancing(
      mode: one(of: [.any, .strict, .failover, .passthrough]),
      preferences: list { $0.one(of: [.region, .zone, .subzone, .node, .cluster, .network]) })
    service.addressFamilies = one(of: [.automatic, .ipv4, .ipv6, .both])
    service.visibility = one(of: [.everyone, .ownNamespace])
    service.isCanonical = chance(50)
    service.subjectAltNames = list {
      SPIFFEID(trustDomain: $0.word(), namespace: $0.word(), serviceAccount: $0.word())
    }
    service.waypoint = optional { $0.gateway() }
    service.weightedWaypoints = list {
      WeightedWaypoint(waypoint: $0.gateway(), weight: $0.half())
    }
    return service
  }

  mutating func workload(uid: String) -> Workload {
    var workload = Workload(uid: uid, name: text(), namespace: word())
    workload.serviceAccount = one(of: ["default", "web"])
    workload.trustDomain = one(of: ["cluster.local", "other"])
    workload.addresses = list { $0.address() }
    workload.node = one(of: ["", "one", "two"])
    workload.tunnelProtocol = one(of: [.none, .hbone])
    workload.health = one(of: [.healthy, .unhealthy])
    workload.isHostNetwork = chance(20)
    workload.network = one(of: ["", "far"])
    workload.clusterID = one(of: ["Kubernetes", "east"])
    workload.canonicalName = text()
    workload.canonicalRevision = text()
    workload.workloadName = text()
    workload.kind = one(of: [.deployment, .cronJob, .pod, .job])
    workload.locality = Locality(region: text(), zone: text(), subzone: text())
    workload.capacity = one(of: [0, 1, half()])
    workload.hostname = text()
    workload.isNativeTunnel = chance(30)
    workload.applicationTunnel = optional {
      ApplicationTunnel(form: $0.one(of: [.none, .proxy]), port: $0.port())
    }
    workload.waypoint = optional { $0.gateway() }
    workload.networkGateway = optional { $0.gateway() }
    workload.authorizationPolicies = list { PolicyKey(namespace: $0.word(), name: $0.word()) }
    for _ in 0..<below(4) { workload.services[serviceKey()] = mappings() }
    return workload
  }

  mutating func serviceKey() -> ServiceKey {
    ServiceKey(namespace: one(of: ["a", "b"]), hostname: "s\(below(8)).svc")
  }

  mutating func mappings() -> [PortMapping] {
    list { PortMapping(servicePort: $0.port(), targetPort: $0.port()) }
  }

  mutating func gateway() -> GatewayAddress {
    GatewayAddress(
      destination: chance(50)
        ? .service(serviceKey()) : .address(network: text(), ip: address()),
      tunnelPort: max(1, port()))
  }

  mutating func stringMatch() -> StringMatch {
    let text = text()
    return one(of: [.exact(text), .prefix(text), .suffix(text), .presence])
  }

  mutating func match() -> AuthorizationPolicy.Match {
    var match = AuthorizationPolicy.Match()
    match.principals = list { $0.stringMatch() }
    match.notPrincipals = list { $0.stringMatch() }
    match.namespaces = list { $0.stringMatch() }
    match.notNamespaces = list { $0.stringMatch() }
    match.serviceAccounts = list {
      ServiceAccountMatch(namespace: $0.text(), serviceAccount: $0.text())
    }
    match.notServiceAccounts = list {
      ServiceAccountMatch(namespace: $0.text(), serviceAccount: $0.text())
    }
    match.sourceIPs = list { $0.block() }
    match.notSourceIPs = list { $0.block() }
    match.destinationIPs = list { $0.block() }
    match.notDestinationIPs = list { $0.block() }
    match.destinationPorts = list { $0.port() }
    match.notDestinationPorts = list { $0.port() }
    return match
  }

  mutating func policy(key: PolicyKey) -> AuthorizationPolicy {
    AuthorizationPolicy(
      key: key, scope: one(of: [.global, .namespace, .workloadSelector]),
      action: one(of: [.allow, .deny]), isDryRun: chance(20),
      rules: list { generator in
        .init(clauses: generator.list { .init(matches: $0.list { $0.match() }) })
      })
  }

  /// Changes a few of a small number of resources, so that the same ones meet again and again.
  mutating func changed(_ model: Model) -> Model {
    var next = model
    next.generation += 1
    for _ in 0..<(1 + below(4)) {
      let isGone = chance(35)
      switch below(3) {
      case 0:
        let uid = "k//Pod/a/p\(below(12))"
        next.workloads[uid] = isGone ? nil : workload(uid: uid)
      case 1:
        let key = serviceKey()
        next.services[key] = isGone ? nil : service(key: key)
      default:
        let key = PolicyKey(namespace: "a", name: "r\(below(8))")
        next.policies[key] = isGone ? nil : policy(key: key)
      }
    }
    return next
  }
}
