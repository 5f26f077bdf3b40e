import MeshModel
import TestSupport

/// Small alphabets, so that random policies and connections meet often.
enum Words {
  static let namespaces = ["a", "ab", "b", ""]
  static let accounts = ["x", "xy"]
  static let domains = ["t", "t.u"]
  static let texts = [
    "", "a", "ab", "b", "t", "t/ns/a", "/sa/x", "xy", "t/ns/ab/sa/x", "t.u/ns/b/sa/xy", "x", "y",
  ]
  static let addresses = [
    "10.0.0.1", "10.0.0.2", "10.1.0.1", "192.168.0.1", "fd00::1", "fd00::2", "fe80::1", "::1",
  ]
  static let blocks = [
    "10.0.0.0/8", "10.0.0.0/31", "10.0.0.1", "0.0.0.0/0", "::/0", "fd00::/127", "fd00::2",
    "192.168.0.0/16", "128.0.0.0/1", "fe80::/10",
  ]
  static let ports: [UInt16] = [1, 80, 9080, 65_535]
  static let keys: [PolicyKey] = ["a/1", "a/2", "ab/1", "b/1", "b/2", "root/1", "root/2", "gone/1"]
}

extension SeededGenerator {
  mutating func stringMatch() -> StringMatch {
    let text = one(of: Words.texts)
    return one(of: [.exact(text), .prefix(text), .suffix(text), .presence])
  }

  mutating func account() -> ServiceAccountMatch {
    ServiceAccountMatch(
      namespace: one(of: Words.namespaces), serviceAccount: one(of: Words.accounts))
  }

  mutating func identity() -> SPIFFEID? {
    guard chance(75) else { return nil }
    return SPIFFEID(
      trustDomain: one(of: Words.domains), namespace: one(of: Words.namespaces),
      serviceAccount: one(of: Words.accounts))
  }

  /// Each field is there one time in five, so that most matches ask for two or three.
  mutating func match() -> AuthorizationPolicy.Match {
    .filled {
      if chance(20) { $0.principals = some(upTo: 2) { $0.stringMatch() } }
      if chance(20) { $0.notPrincipals = some(upTo: 2) { $0.stringMatch() } }
      if chance(20) { $0.namespaces = some(upTo: 2) { $0.stringMatch() } }
      if chance(20) { $0.notNamespaces = some(upTo: 2) { $0.stringMatch() } }
      if chance(20) { $0.serviceAccounts = some(upTo: 2) { $0.account() } }
      if chance(20) { $0.notServiceAccounts = some(upTo: 2) { $0.account() } }
      if chance(20) { $0.sourceIPs = some(upTo: 2) { block($0.one(of: Words.blocks)) } }
      if chance(20) { $0.notSourceIPs = some(upTo: 2) { block($0.one(of: Words.blocks)) } }
      if chance(20) { $0.destinationIPs = some(upTo: 2) { block($0.one(of: Words.blocks)) } }
      if chance(20) { $0.notDestinationIPs = some(upTo: 2) { block($0.one(of: Words.blocks)) } }
      if chance(20) { $0.destinationPorts = some(upTo: 2) { $0.one(of: Words.ports) } }
      if chance(20) { $0.notDestinationPorts = some(upTo: 2) { $0.one(of: Words.ports) } }
    }
  }

  mutating func policy(_ key: PolicyKey) -> AuthorizationPolicy {
    AuthorizationPolicy(
      key: key, scope: one(of: [.global, .namespace, .workloadSelector]),
      action: one(of: [.allow, .deny]), isDryRun: chance(20),
      rules: some(upTo: 3) { generator in
        .init(clauses: generator.some(upTo: 2) { .init(matches: $0.some(upTo: 2) { $0.match() }) })
      })
  }

  /// Any of the keys but the last, which never arrives.
  mutating func policies(upTo limit: Int) -> [AuthorizationPolicy] {
    Words.keys.dropLast().shuffled(using: &self).prefix(below(limit + 1)).map { policy($0) }
  }

  mutating func workload(_ number: Int) -> Workload {
    var workload = Workload.pod("p\(number)", in: one(of: Words.namespaces))
    workload.uid = "\(one(of: ["k//Pod", "k/WorkloadEntry"]))/\(number)"
    workload.serviceAccount = one(of: Words.accounts)
    workload.trustDomain = one(of: Words.domains)
    workload.addresses = some(upTo: 2) { ip($0.one(of: Words.addresses)) }
    workload.tunnelProtocol = one(of: [.none, .hbone])
    workload.health = one(of: [.healthy, .healthy, .unhealthy])
    workload.isHostNetwork = chance(15)
    workload.node = one(of: ["one", "two"])
    workload.network = one(of: ["", "", "far"])
    workload.hostname = one(of: ["", "h"])
    workload.capacity = UInt32(one(of: [1, 1, 0, 7]))
    workload.waypoint = chance(20) ? waypoint() : nil
    workload.authorizationPolicies = some(upTo: 2) { generator in
      generator.chance(10) ? "gone/1" : generator.one(of: Words.keys)
    }
    for name in some(upTo: 2, { $0.one(of: ["s", "t", "u"]) }) {
      workload.services[.named(name)] = [
        PortMapping(servicePort: 80, targetPort: one(of: Words.ports))
      ]
    }
    return workload
  }

  mutating func waypoint() -> GatewayAddress {
    GatewayAddress(
      destination: chance(50)
        ? .service(.named(one(of: ["s", "t", "gone"])))
        : .address(network: "", ip: ip(one(of: Words.addresses))))
  }

  mutating func facts() -> ConnectionFacts {
    ConnectionFacts(
      source: identity(), sourceIP: ip(one(of: Words.addresses)),
      destinationIP: ip(one(of: Words.addresses)), destinationPort: one(of: Words.ports))
  }

  mutating func model(generation: UInt64) -> Model {
    var workloads: [String: Workload] = [:]
    for number in 0..<below(8) where chance(80) {
      let workload = workload(number)
      workloads[workload.uid] = workload
    }
    let services = ["s", "t", "u"].filter { _ in chance(70) }.map { name in
      var service = Service.named(name, ports: [80: 80])
      service.virtualAddresses = some(upTo: 2) {
        VirtualAddress(
          network: $0.one(of: ["", "far"]),
          block: block($0.one(of: Words.addresses + Words.blocks)))
      }
      service.waypoint = chance(20) ? waypoint() : nil
      service.visibility = one(of: [.everyone, .everyone, .ownNamespace])
      return service
    }
    return .holding(
      workloads: Array(workloads.values), services: services, policies: policies(upTo: 7),
      generation: generation)
  }
}
