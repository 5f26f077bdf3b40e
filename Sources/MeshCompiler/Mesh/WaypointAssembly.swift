import MeshModel

/// Puts waypoints in front of services and workloads, as labels ask for them.
struct WaypointAssembly {
  private let catalog: Catalog
  private let gateways: [PolicyKey: GatewayManifest]
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service]
  private(set) var diagnostics: [Diagnostic] = []
  /// Said once for each object and waypoint.
  private var said: Set<String> = []

  init(_ catalog: Catalog, _ pods: PodAssembly, _ external: ExternalAssembly) {
    self.catalog = catalog
    workloads = external.workloads
    services = external.services
    gateways = Dictionary(
      catalog.gateways.filter { $0.gatewayClass == .waypoint }.map {
        (PolicyKey(namespace: $0.metadata.namespace, name: $0.metadata.name), $0)
      }, uniquingKeysWith: { first, _ in first })
    for manifest in catalog.services {
      let key = ServiceKey(
        namespace: manifest.metadata.namespace,
        hostname: catalog.hostname(manifest.metadata.name, manifest.metadata.namespace))
      let waypoint = waypoint(of: .services, manifest.metadata, manifest.origin)
      services[key]?.waypoint = waypoint
    }
    for (key, entry) in external.origins {
      let waypoint = waypoint(of: .services, entry.metadata, entry.origin)
      services[key]?.waypoint = waypoint
    }
    for (uid, pod) in pods.manifests {
      let waypoint = waypoint(of: .workloads, pod.metadata, pod.origin)
      workloads[uid]?.waypoint = waypoint
    }
    checkGateways()
  }

  private enum Subject {
    case services
    case workloads
  }

  private struct Choice {
    var key: PolicyKey
    /// Where the label stands.
    var origin: Origin
    var isOwn: Bool
  }

  private mutating func waypoint(
    of subject: Subject, _ metadata: Metadata, _ origin: Origin
  ) -> GatewayAddress? {
    guard metadata.labels[Key.gatewayName] == nil, let choice = choice(metadata, origin) else {
      return nil
    }
    // A waypoint's own service is not behind it.
    if case .services = subject, choice.key.name == metadata.name,
      choice.key.namespace == metadata.namespace
    {
      return nil
    }
    guard let gateway = gateways[choice.key] else { return missing(choice, subject) }
    let isMeant =
      switch subject {
      case .services: gateway.traffic.includesServices
      case .workloads: gateway.traffic.includesWorkloads
      }
    guard isMeant else {
      if choice.isOwn {
        say(
          choice, .warning, .ignored,
          "waypoint \(choice.key) is for traffic to \(gateway.traffic.rawValue) by its label "
            + "\(Key.waypointFor), so not in front of this")
      }
      return nil
    }
    let labels = catalog.namespaces[metadata.namespace]?.labels ?? [:]
    if !gateway.admits(metadata.namespace, labels: labels) {
      say(
        choice, .error, .invalidValue,
        "expected a waypoint that namespace \(metadata.namespace) may use; allow it in "
          + "allowedRoutes.namespaces of the listener of Gateway \(choice.key)")
    }
    return address(of: gateway)
  }

  /// The object's own label, else its namespace's; nil for no waypoint.
  private mutating func choice(_ metadata: Metadata, _ origin: Origin) -> Choice? {
    let isOwn = metadata.labels[Key.useWaypoint] != nil
    let namespace = catalog.namespaces[metadata.namespace]
    let labels = isOwn ? metadata.labels : namespace?.labels ?? [:]
    let origin = isOwn ? origin : catalog.namespaceOrigins[metadata.namespace] ?? origin
    guard let name = labels[Key.useWaypoint], name != "none" else { return nil }
    let home = labels[Key.useWaypointNamespace] ?? metadata.namespace
    let choice = Choice(
      key: PolicyKey(namespace: home, name: name), origin: origin, isOwn: isOwn)
    guard NameShape.subdomain.accepts(name), NameShape.label.accepts(home) else {
      say(choice, .error, .invalidValue, "expected the name of a Gateway, or none")
      return nil
    }
    return choice
  }

  /// A waypoint nobody declared stays in the way: to leave it out would let everybody pass.
  private mutating func missing(_ choice: Choice, _ subject: Subject) -> GatewayAddress? {
    if case .workloads = subject, !choice.isOwn { return nil }
    let known = gateways.keys.map(\.description).sorted()
    let hint =
      nearest(to: choice.key.description, among: known).map { "; did you mean \($0)?" } ?? ""
    say(
      choice, .warning, .unresolved,
      "no Gateway \(choice.key) of class istio-waypoint is declared; connections are refused "
        + "until it is\(hint)")
    return GatewayAddress(
      destination: .service(
        ServiceKey(
          namespace: choice.key.namespace,
          hostname: catalog.hostname(choice.key.name, choice.key.namespace))))
  }

  /// By its service's name where it has one, else by its address.
  private func address(of gateway: GatewayManifest) -> GatewayAddress {
    let (namespace, name) = (gateway.metadata.namespace, gateway.metadata.name)
    let own = ServiceKey(
      namespace: namespace, hostname: gateway.hostnames.first ?? catalog.hostname(name, namespace))
    if gateway.hostnames.isEmpty, services[own] == nil, let ip = gateway.addresses.first?.value {
      return GatewayAddress(
        destination: .address(network: catalog.network, ip: ip), tunnelPort: gateway.tunnelPort)
    }
    return GatewayAddress(destination: .service(own), tunnelPort: gateway.tunnelPort)
  }

  /// Says where a waypoint has nothing behind its name.
  private mutating func checkGateways() {
    for gateway in gateways.values {
      guard case .service(let key) = address(of: gateway).destination else { continue }
      let port = gateway.tunnelPort
      if let service = services[key] {
        guard !service.ports.contains(where: { $0.servicePort == port }),
          gateway.applicationTunnel == nil
        else { continue }
        diagnostics.append(
          gateway.origin.diagnostic(
            .warning, .unresolved, field: "spec.listeners",
            "service \(key) has no port \(port), where the waypoint takes connections"))
      } else {
        diagnostics.append(
          gateway.origin.diagnostic(
            .warning, .unresolved, field: "status.addresses",
            "no address given, and no Service \(gateway.metadata.namespace)/"
              + "\(gateway.metadata.name); what uses this waypoint is refused"))
      }
    }
  }

  private mutating func say(
    _ choice: Choice, _ severity: Diagnostic.Severity, _ code: Diagnostic.Code, _ message: String
  ) {
    let place = "\(choice.origin.file) \(choice.origin.document) \(choice.origin.line)"
    guard said.insert("\(place) \(message)").inserted else { return }
    diagnostics.append(
      choice.origin.diagnostic(
        severity, code, field: "metadata.labels[\(quoted(Key.useWaypoint))]", message))
  }
}

extension Catalog {
  /// The host name of a Kubernetes service.
  func hostname(_ name: String, _ namespace: String) -> String {
    "\(name).\(namespace).svc.\(options.clusterDomain)"
  }
}
