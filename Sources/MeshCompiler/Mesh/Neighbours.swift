import MeshModel

/// What other namespaces mean for the connections of this one.
struct Neighbours: Equatable {
  /// Those of the waypoints asked for here that somebody declares.
  var waypoints: [PolicyKey: Waypoint] = [:]
  /// The names of all waypoints, in order, when one asked for here is not among them.
  var knownWaypoints: [String] = []
  /// How pods of this namespace serve services of others, by uid.
  var memberships: [String: [ServiceKey: [PortMapping]]] = [:]
}

/// What holds for every namespace alike.
struct MeshWide: Equatable {
  /// All networks, in order.
  var networks: [String] = []
  /// How each network is entered.
  var entries: [String: GatewayAddress] = [:]
  /// The AuthorizationPolicies of the root namespace.
  var policies: [String: Shared<PolicyManifest>] = [:]
  /// The PeerAuthentication that holds where no other does.
  var peerAuthentication: Shared<PeerAuthenticationManifest>?
}

extension MeshWide {
  init(
    _ catalog: Catalog, _ namespaces: some Sequence<NamespaceState>, _ entries: NetworkEntries
  ) {
    var names = Set(entries.workloads.values.map(\.network))
    names.insert(catalog.network)
    for namespace in namespaces { names.formUnion(namespace.roll.exports.networks) }
    networks = names.sorted()
    self.entries = entries.addresses
    policies = catalog.rootPolicies
    peerAuthentication = catalog.meshWidePeerAuthentication
  }
}

/// What all namespaces mean for one another.
struct AllNeighbours {
  private var waypoints: [PolicyKey: Waypoint] = [:]
  /// Their names, in order.
  private let names: [String]
  /// How pods serve services of other namespaces, by namespace and uid.
  private var memberships: [String: [String: [ServiceKey: [PortMapping]]]] = [:]

  init(_ namespaces: some Sequence<NamespaceState>) {
    for namespace in namespaces {
      for (key, waypoint) in namespace.roll.exports.waypoints { waypoints[key] = waypoint }
      for (uid, stranger) in namespace.roll.exports.strangers {
        memberships[stranger.owner.namespace, default: [:]][uid, default: [:]]
          .merge(stranger.services) { first, _ in first }
      }
    }
    names = waypoints.keys.map(\.description).sorted()
  }

  func neighbours(of roll: NamespaceState.Roll, named name: String) -> Neighbours {
    var neighbours = Neighbours()
    for key in roll.waypointsAskedFor {
      neighbours.waypoints[key] = waypoints[key]
      if waypoints[key] == nil { neighbours.knownWaypoints = names }
    }
    neighbours.memberships = memberships[name] ?? [:]
    return neighbours
  }
}

/// A waypoint that labels ask for.
struct WaypointChoice {
  var key: PolicyKey
  /// Where the label stands.
  var origin: Origin
  /// Of the object itself, not of its namespace.
  var isOwn: Bool

  /// Whether a Gateway can have such a name.
  var isName: Bool {
    NameShape.subdomain.accepts(key.name) && NameShape.label.accepts(key.namespace)
  }
}

extension Scope {
  /// The object's own label, else its namespace's; nil for no waypoint.
  func waypointChoice(_ metadata: Metadata, _ origin: Origin) -> WaypointChoice? {
    // A waypoint's own objects are not behind one.
    if metadata.labels[Key.gatewayName] != nil { return nil }
    guard let own = metadata.labels[Key.useWaypoint] else { return namespaceChoice }
    return choice(own, metadata.labels, origin, isOwn: true)
  }

  private var namespaceChoice: WaypointChoice? {
    guard let namespace = objects.namespace?.value,
      let name = namespace.metadata.labels[Key.useWaypoint]
    else { return nil }
    return choice(name, namespace.metadata.labels, namespace.origin, isOwn: false)
  }

  private func choice(
    _ name: String, _ labels: [String: String], _ origin: Origin, isOwn: Bool
  ) -> WaypointChoice? {
    if name == "none" { return nil }
    let home = labels[Key.useWaypointNamespace] ?? objects.name
    return WaypointChoice(
      key: PolicyKey(namespace: home, name: name), origin: origin, isOwn: isOwn)
  }

  /// Every waypoint that something here asks for.
  var waypointsAskedFor: Set<PolicyKey> {
    var keys: Set<PolicyKey> = []
    if let choice = namespaceChoice { keys.insert(choice.key) }
    func add(_ metadata: Metadata, _ origin: Origin) {
      guard metadata.labels[Key.useWaypoint] != nil else { return }
      if let choice = waypointChoice(metadata, origin) { keys.insert(choice.key) }
    }
    for pod in objects.pods.values { add(pod.value.metadata, pod.value.origin) }
    for service in objects.services.values { add(service.value.metadata, service.value.origin) }
    for entry in objects.serviceEntries.values { add(entry.value.metadata, entry.value.origin) }
    return keys
  }
}
