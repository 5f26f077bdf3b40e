import AgentProtocol
import MeshModel

/// Makes values of every kind from a seed; the same seed makes the same values.
struct RandomValues {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// The next 64 bits.
  ///
  /// SplitMix64. Source: Steele, Lea and Flood, 2014.
  mutating func word() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var bits = state
    bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
    return bits ^ bits >> 31
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(word() % UInt64(range.count))
  }

  mutating func boolean() -> Bool { word() & 1 == 1 }

  /// All magnitudes are equally likely.
  mutating func unsigned() -> UInt64 { word() >> UInt64(number(0...63)) }
  mutating func port() -> UInt16 { UInt16(truncatingIfNeeded: unsigned()) }
  mutating func half() -> UInt32 { UInt32(truncatingIfNeeded: unsigned()) }

  mutating func text() -> String {
    let letters = ["a", "b", "-", "é", "東", "🙂", "\u{0}", "z", "7"]
    return (0..<number(0...9)).map { _ in letters[number(0...(letters.count - 1))] }.joined()
  }

  mutating func blob() -> [UInt8] {
    (0..<number(0...40)).map { _ in UInt8(truncatingIfNeeded: word()) }
  }

  mutating func list<Element>(_ make: (inout RandomValues) -> Element) -> [Element] {
    (0..<number(0...3)).map { _ in make(&self) }
  }

  mutating func optional<Value>(_ make: (inout RandomValues) -> Value) -> Value? {
    boolean() ? make(&self) : nil
  }

  mutating func member<Member: CaseIterable>(_: Member.Type = Member.self) -> Member
  where Member.AllCases == [Member] {
    Member.allCases[number(0...(Member.allCases.count - 1))]
  }
}

extension RandomValues {
  mutating func address() -> IPAddress {
    boolean()
      ? .v4(UInt32(truncatingIfNeeded: word())) : .v6Normalised(high: word(), low: word())
  }
  mutating func socketAddress() -> SocketAddress { SocketAddress(ip: address(), port: port()) }
  mutating func identity() -> SPIFFEID {
    SPIFFEID(trustDomain: text(), namespace: text(), serviceAccount: text())
  }
  mutating func policyKey() -> PolicyKey { PolicyKey(namespace: text(), name: text()) }
  mutating func serviceKey() -> ServiceKey { ServiceKey(namespace: text(), hostname: text()) }
  mutating func mapping() -> PortMapping { PortMapping(servicePort: port(), targetPort: port()) }
  mutating func wallTime() -> WallTime {
    WallTime(secondsSinceEpoch: Double(unsigned()) / 1_000)
  }
  mutating func duration() -> Duration {
    .nanoseconds(Int64(bitPattern: word()) >> Int64(number(0...60)))
  }
  mutating func direction() -> Direction { boolean() ? .inbound : .outbound }

  mutating func workload() -> Workload {
    var workload = Workload(uid: text(), name: text(), namespace: text())
    workload.serviceAccount = text()
    workload.trustDomain = text()
    workload.addresses = list { $0.address() }
    workload.node = text()
    workload.tunnelProtocol = boolean() ? .hbone : .none
    workload.health = boolean() ? .healthy : .unhealthy
    workload.isHostNetwork = boolean()
    workload.network = text()
    workload.clusterID = text()
    workload.canonicalName = text()
    workload.canonicalRevision = text()
    workload.workloadName = text()
    workload.kind = boolean() ? .cronJob : .pod
    workload.locality = Locality(region: text(), zone: text(), subzone: text())
    workload.capacity = UInt32(number(0...1_000_000))
    workload.hostname = text()
    workload.isNativeTunnel = boolean()
    workload.applicationTunnel = optional {
      ApplicationTunnel(form: $0.boolean() ? .proxy : .none, port: $0.port())
    }
    workload.waypoint = optional { $0.gateway() }
    workload.networkGateway = optional { $0.gateway() }
    workload.authorizationPolicies = list { $0.policyKey() }
    for _ in 0..<number(0...3) { workload.services[serviceKey()] = list { $0.mapping() } }
    return workload
  }

  mutating func gateway() -> GatewayAddress {
    GatewayAddress(
      destination: boolean()
        ? .service(serviceKey()) : .address(network: text(), ip: address()),
      tunnelPort: port())
  }

  mutating func service() -> Service {
    var service = Service(key: serviceKey(), name: text())
    service.virtualAddresses = list { VirtualAddress(network: $0.text(), block: $0.block()) }
    service.ports = list { $0.mapping() }
    service.healthPolicy = boolean() ? .allowAll : .onlyHealthy
    service.loadBalancing = boolean() ? .nodeLocal : LoadBalancing(mode: .passthrough)
    service.addressFamilies = boolean() ? .both : .ipv6
    service.visibility = boolean() ? .everyone : .ownNamespace
    service.isCanonical = boolean()
    service.subjectAltNames = list { $0.identity() }
    service.waypoint = optional { $0.gateway() }
    service.weightedWaypoints = list {
      WeightedWaypoint(waypoint: $0.gateway(), weight: UInt32($0.number(0...100)))
    }
    return service
  }

  mutating func stringMatch() -> StringMatch {
    switch number(0...3) {
    case 0: .exact(text())
    case 1: .prefix(text())
    case 2: .suffix(text())
    default: .presence
    }
  }

  mutating func block() -> CIDR {
    let base = address()
    return CIDR(base: base, prefixLength: number(0...(base.isIPv4 ? 32 : 128)))
      ?? CIDR(base: base, prefixLength: 0).unsafelyKnown
  }

  mutating func account() -> ServiceAccountMatch {
    ServiceAccountMatch(namespace: text(), serviceAccount: text())
  }

  mutating func match() -> AuthorizationPolicy.Match {
    var match = AuthorizationPolicy.Match()
    match.principals = list { $0.stringMatch() }
    match.notPrincipals = list { $0.stringMatch() }
    match.namespaces = list { $0.stringMatch() }
    match.notNamespaces = list { $0.stringMatch() }
    match.serviceAccounts = list { $0.account() }
    match.notServiceAccounts = list { $0.account() }
    match.sourceIPs = list { $0.block() }
    match.notSourceIPs = list { $0.block() }
    match.destinationIPs = list { $0.block() }
    match.notDestinationIPs = list { $0.block() }
    match.destinationPorts = list { $0.port() }
    match.notDestinationPorts = list { $0.port() }
    return match
  }

  mutating func policy() -> AuthorizationPolicy {
    let scopes: [AuthorizationPolicy.Scope] = [.global, .namespace, .workloadSelector]
    var policy = AuthorizationPolicy(
      key: policyKey(), scope: scopes[number(0...2)], action: boolean() ? .allow : .deny,
      isDryRun: boolean(),
      rules: list { values in
        AuthorizationPolicy.Rule(
          clauses: values.list { AuthorizationPolicy.Clause(matches: $0.list { $0.match() }) })
      })
    policy.isUnreadable = boolean()
    return policy
  }

  mutating func change() -> ModelChange {
    var change = ModelChange(isFull: boolean(), generation: unsigned())
    change.workloads = list { $0.workload() }
    change.removedWorkloads = list { $0.text() }
    change.services = list { $0.service() }
    change.removedServices = list { $0.serviceKey() }
    change.policies = list { $0.policy() }
    change.removedPolicies = list { $0.policyKey() }
    return change
  }
}

extension Optional where Wrapped == CIDR {
  /// A prefix of 0 bits fits every address.
  fileprivate var unsafelyKnown: CIDR {
    guard let self else { preconditionFailure("a prefix of 0 bits did not fit") }
    return self
  }
}
