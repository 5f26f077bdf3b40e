import MeshModel

/// Finds the entries to other networks, and whom to expect behind them.
struct NetworkAssembly {
  private let catalog: Catalog
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service]
  private(set) var diagnostics: [Diagnostic] = []

  init(_ catalog: Catalog, _ waypoints: WaypointAssembly) {
    self.catalog = catalog
    workloads = waypoints.workloads
    services = waypoints.services
    var entries: [String: GatewayAddress] = [:]
    for gateway in catalog.gateways where gateway.gatewayClass == .eastWest {
      add(gateway, &entries)
    }
    let networks = Set(workloads.values.map(\.network)).union([catalog.network])
    setEntries(entries)
    for key in Array(services.keys) { spread(key, over: networks) }
    lendIdentities()
  }

  /// The entry's own workload, which must prove the account named like the Gateway.
  private mutating func add(
    _ gateway: GatewayManifest, _ entries: inout [String: GatewayAddress]
  ) {
    let metadata = gateway.metadata
    guard let network = metadata.labels[Key.network] else {
      report(
        gateway, .missing, "metadata.labels",
        "expected a label \(Key.network): an entry without a network leads nowhere")
      return
    }
    guard let address = gateway.addresses.first?.value else {
      diagnostics.append(
        gateway.origin.diagnostic(
          .warning, .unresolved, field: "status.addresses",
          "no address given; network \(quoted(network)) cannot be entered"))
      return
    }
    guard entries[network] == nil else {
      diagnostics.append(
        gateway.origin.diagnostic(
          .warning, .ignored, "network \(quoted(network)) has an entry already"))
      return
    }
    let uid = "NetworkGateway/\(network)/\(address)/\(gateway.tunnelPort)"
    var workload = Workload(uid: uid, name: metadata.name, namespace: metadata.namespace)
    workload.serviceAccount = metadata.name
    workload.trustDomain = catalog.options.trustDomain
    workload.clusterID = catalog.options.clusterID
    workload.network = network
    workload.addresses = [address]
    workload.tunnelProtocol = .hbone
    workload.isNativeTunnel = true
    workload.workloadName = metadata.name
    workloads[uid] = workload
    entries[network] = GatewayAddress(
      destination: .address(network: network, ip: address), tunnelPort: gateway.tunnelPort)
  }

  private mutating func setEntries(_ entries: [String: GatewayAddress]) {
    guard !entries.isEmpty else { return }
    for uid in Array(workloads.keys) {
      guard let network = workloads[uid]?.network, !uid.hasPrefix("NetworkGateway/") else {
        continue
      }
      workloads[uid]?.networkGateway = entries[network]
    }
  }

  /// A service's addresses mean it on every network.
  private mutating func spread(_ key: ServiceKey, over networks: Set<String>) {
    guard networks != [""], let blocks = services[key]?.virtualAddresses.map(\.block) else {
      return
    }
    services[key]?.virtualAddresses = networks.sorted().flatMap { network in
      blocks.map { VirtualAddress(network: network, block: $0) }
    }
  }

  /// Behind an entry any endpoint may answer, so a service lends the names of all of them.
  private mutating func lendIdentities() {
    var names: [ServiceKey: Set<SPIFFEID>] = [:]
    for workload in workloads.values where workload.networkGateway != nil {
      for key in workload.services.keys {
        names[key, default: []].insert(workload.identity)
      }
    }
    for (key, found) in names {
      guard let known = services[key]?.subjectAltNames else { continue }
      let more = found.subtracting(known).sorted { $0.description < $1.description }
      services[key]?.subjectAltNames = known + more
    }
  }

  private mutating func report(
    _ gateway: GatewayManifest, _ code: Diagnostic.Code, _ field: String, _ message: String
  ) {
    diagnostics.append(gateway.origin.diagnostic(.error, code, field: field, message))
  }
}
