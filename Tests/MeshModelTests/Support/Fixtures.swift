import MeshModel

/// Reads an address that the test itself wrote; `0.0.0.0` shows up at once in a failing row.
func ip(_ text: String) -> IPAddress { IPAddress(text) ?? .v4(0) }

func block(_ text: String) -> CIDR {
  CIDR(text) ?? CIDR(ip(text).description) ?? CIDR.none
}

extension CIDR {
  /// A block nothing in these tests lies in.
  static var none: CIDR {
    guard let none = CIDR(base: .v4(0), prefixLength: 32) else { preconditionFailure("0.0.0.0/32") }
    return none
  }
}

func socket(_ text: String) -> SocketAddress {
  SocketAddress(text) ?? SocketAddress(ip: .v4(0), port: 0)
}

extension SPIFFEID {
  static let productpage = SPIFFEID(
    trustDomain: "cluster.local", namespace: "shop", serviceAccount: "productpage")
}

extension Workload {
  /// A healthy pod outside the mesh unless told otherwise.
  static func pod(
    _ name: String, in namespace: String = "shop", at addresses: String..., node: String = "one",
    tunnel: TunnelProtocol = .none, health: Health = .healthy, policies: [PolicyKey] = []
  ) -> Workload {
    var workload = Workload(
      uid: "Kubernetes//Pod/\(namespace)/\(name)", name: name, namespace: namespace)
    workload.serviceAccount = name
    workload.addresses = addresses.map(ip)
    workload.node = node
    workload.tunnelProtocol = tunnel
    workload.health = health
    workload.authorizationPolicies = policies
    return workload
  }

  func serving(_ service: ServiceKey, _ ports: [UInt16: UInt16]) -> Workload {
    var workload = self
    workload.services[service] = ports.sorted { $0.key < $1.key }.map {
      PortMapping(servicePort: $0.key, targetPort: $0.value)
    }
    return workload
  }
}

extension ServiceKey {
  static func named(_ name: String, in namespace: String = "shop") -> ServiceKey {
    ServiceKey(namespace: namespace, hostname: "\(name).\(namespace).svc.cluster.local")
  }
}

extension Service {
  static func named(
    _ name: String, in namespace: String = "shop", at vips: String..., ports: [UInt16: UInt16],
    health: HealthPolicy = .onlyHealthy, isNodeLocal: Bool = false
  ) -> Service {
    var service = Service(key: .named(name, in: namespace), name: name)
    service.virtualAddresses = vips.map { VirtualAddress(ip: ip($0)) }
    service.ports = ports.sorted { $0.key < $1.key }.map {
      PortMapping(servicePort: $0.key, targetPort: $0.value)
    }
    service.healthPolicy = health
    service.loadBalancing = isNodeLocal ? .nodeLocal : LoadBalancing()
    return service
  }
}

extension PolicyKey: ExpressibleByStringLiteral {
  init(stringLiteral text: String) {
    let parts = text.split(separator: "/", maxSplits: 1)
    self.init(namespace: String(parts.first ?? ""), name: String(parts.last ?? ""))
  }
}

extension AuthorizationPolicy {
  typealias Fill = (inout Match) -> Void

  /// A policy whose rules each have one clause with one match.
  static func policy(
    _ key: PolicyKey, _ action: Action, scope: Scope = .namespace, isDryRun: Bool = false,
    rules: [Fill]
  ) -> AuthorizationPolicy {
    AuthorizationPolicy(
      key: key, scope: scope, action: action, isDryRun: isDryRun,
      rules: rules.map { Rule(clauses: [Clause(matches: [Match.filled($0)])]) })
  }

  /// One rule with one clause with one match.
  static func policy(
    _ key: PolicyKey, _ action: Action, scope: Scope = .namespace, isDryRun: Bool = false,
    _ fill: @escaping Fill
  ) -> AuthorizationPolicy {
    policy(key, action, scope: scope, isDryRun: isDryRun, clauses: [[fill]])
  }

  static func policy(
    _ key: PolicyKey, _ action: Action, scope: Scope = .namespace, isDryRun: Bool = false,
    clauses: [[Fill]]
  ) -> AuthorizationPolicy {
    AuthorizationPolicy(
      key: key, scope: scope, action: action, isDryRun: isDryRun,
      rules: [Rule(clauses: clauses.map { Clause(matches: $0.map(Match.filled)) })])
  }
}

extension AuthorizationPolicy.Match {
  static func filled(_ fill: (inout Self) -> Void) -> Self {
    var match = Self()
    fill(&match)
    return match
  }
}

extension Model {
  static func holding(
    workloads: [Workload] = [], services: [Service] = [], policies: [AuthorizationPolicy] = [],
    generation: UInt64 = 1
  ) -> Model {
    var change = ModelChange(isFull: true, generation: generation)
    change.workloads = workloads
    change.services = services
    change.policies = policies
    return Model().applying(change)
  }
}
