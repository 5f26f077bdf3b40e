import MeshModel

/// The entries to other networks, and the workloads that are their near ends.
struct NetworkEntries {
  private let options: CompilerOptions
  /// By the network that is entered.
  private(set) var addresses: [String: GatewayAddress] = [:]
  private(set) var workloads: [String: Workload] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  init(_ gateways: some Sequence<Shared<GatewayManifest>>, _ options: CompilerOptions) {
    self.options = options
    for gateway in gateways.map(\.value).sorted(by: { $0.origin < $1.origin }) { add(gateway) }
  }

  /// The entry's own workload, which must prove the account named like the Gateway.
  private mutating func add(_ gateway: GatewayManifest) {
    let metadata = gateway.metadata
    guard let network = metadata.labels[Key.network] else {
      diagnostics.append(
        gateway.origin.diagnostic(
          .error, .missing, field: "metadata.labels",
          "expected a label \(Key.network): an entry without a network leads nowhere"))
      return
    }
    guard let address = gateway.addresses.first?.value else {
      diagnostics.append(
        gateway.origin.diagnostic(
          .warning, .unresolved, field: "status.addresses",
          "no address given; network \(quoted(network)) cannot be entered"))
      return
    }
    guard addresses[network] == nil else {
      diagnostics.append(
        gateway.origin.diagnostic(
          .warning, .ignored, "network \(quoted(network)) has an entry already"))
      return
    }
    let uid = "NetworkGateway/\(network)/\(address)/\(gateway.tunnelPort)"
    var workload = Workload(uid: uid, name: metadata.name, namespace: metadata.namespace)
    workload.serviceAccount = metadata.name
    workload.trustDomain = options.trustDomain
    workload.clusterID = options.clusterID
    workload.network = network
    workload.addresses = [address]
    workload.tunnelProtocol = .hbone
    workload.isNativeTunnel = true
    workload.workloadName = metadata.name
    workloads[uid] = workload
    addresses[network] = GatewayAddress(
      destination: .address(network: network, ip: address), tunnelPort: gateway.tunnelPort)
  }
}

/// Makes a namespace reachable from other networks, and says whom to expect behind their entries.
struct NetworkAssembly {
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service]

  init(
    _ members: Members, _ waypoints: WaypointAssembly, _ neighbours: Neighbours, _ mesh: MeshWide
  ) {
    workloads = waypoints.workloads
    services = waypoints.services
    for (uid, memberships) in neighbours.memberships {
      workloads[uid]?.services.merge(memberships) { own, _ in own }
    }
    if mesh.networks != [""] { spread(over: mesh.networks) }
    guard !mesh.entries.isEmpty else { return }
    for (uid, workload) in workloads {
      if let entry = mesh.entries[workload.network] { workloads[uid]?.networkGateway = entry }
    }
    lendIdentities(of: members.exports.strangers.values, mesh.entries)
  }

  /// A service's addresses mean it on every network.
  private mutating func spread(over networks: [String]) {
    for key in Array(services.keys) {
      guard let blocks = services[key]?.virtualAddresses.map(\.block) else { continue }
      services[key]?.virtualAddresses = networks.flatMap { network in
        blocks.map { VirtualAddress(network: network, block: $0) }
      }
    }
  }

  /// Behind an entry any endpoint may answer, so a service lends the names of all of them.
  private mutating func lendIdentities(
    of strangers: some Sequence<ServiceAssembly.Stranger>, _ entries: [String: GatewayAddress]
  ) {
    var names: [ServiceKey: Set<SPIFFEID>] = [:]
    for workload in workloads.values where workload.networkGateway != nil {
      for key in workload.services.keys {
        names[key, default: []].insert(workload.identity)
      }
    }
    for stranger in strangers where entries[stranger.owner.network] != nil {
      for key in stranger.services.keys {
        names[key, default: []].insert(stranger.owner.identity)
      }
    }
    for (key, found) in names {
      guard let known = services[key]?.subjectAltNames else { continue }
      let more = found.subtracting(known).sorted { $0.description < $1.description }
      services[key]?.subjectAltNames = known + more
    }
  }
}
