import MeshCompiler

/// A v1 Service.
struct ServiceObject: Sendable {
  let item: Item
  let selector: [String: String]
  let ports: [Port]
  let isExternalName: Bool

  struct Port: Sendable {
    var name: String
    var number: Int
    var isTCP: Bool
    var node: Node
  }

  init(_ item: Item) {
    self.item = item
    selector = item.spec["selector"].labels
    isExternalName = item.spec["type"].text == "ExternalName"
    ports = item.spec["ports"].items.compactMap { node in
      guard let number = node["port"].integer else { return nil }
      return Port(
        name: node["name"].text ?? "", number: number,
        isTCP: (node["protocol"].text ?? "TCP") == "TCP", node: node)
    }
  }

  var name: String { item.name.name }
  var namespace: String { item.namespace }
}

/// The waypoint that labels ask for.
struct WaypointReference {
  let namespace: String
  let name: String
  /// Whose label it is.
  let item: Item
}

extension MeshObjects {
  /// What an object's own label says, else its namespace's; nil for none.
  func waypoint(of item: Item) -> WaypointReference? {
    if let own = item.labels[Key.useWaypoint] {
      return own == "none" ? nil : reference(own, item, in: item.namespace)
    }
    guard let namespace = self.item(.namespace, "", item.namespace),
      let name = namespace.labels[Key.useWaypoint], name != "none"
    else { return nil }
    return reference(name, namespace, in: item.namespace)
  }

  func reference(_ name: String, _ item: Item, in namespace: String) -> WaypointReference {
    WaypointReference(
      namespace: item.labels[Key.useWaypointNamespace] ?? namespace, name: name, item: item)
  }
}
