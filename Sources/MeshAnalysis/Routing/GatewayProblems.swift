import MeshCompiler

/// What is wrong with the references of the Gateway API.
func findGatewayProblems(_ mesh: MeshObjects, _ report: inout Report) {
  let grants = GrantIndex(mesh)
  for kind in ObjectKind.routes {
    for route in mesh.items(kind) {
      for parent in route.spec["parentRefs"].items { checkParent(parent, of: route, mesh, &report) }
      for rule in route.spec["rules"].items {
        let mirrors = rule["filters"].items.map { $0["requestMirror"]["backendRef"] }
        for backend in rule["backendRefs"].items + mirrors where backend.isWritten {
          checkBackend(backend, of: route, mesh, grants, &report)
        }
      }
    }
  }
  for gateway in mesh.items(.gateway) {
    for listener in gateway.spec["listeners"].items {
      for reference in listener["tls"]["certificateRefs"].items {
        grants.check(reference, kind: "Secret", of: gateway, mesh, &report)
      }
    }
  }
}

// MARK: Parents

private func checkParent(
  _ parent: Node, of route: Item, _ mesh: MeshObjects, _ report: inout Report
) {
  guard let name = parent["name"].text else { return }
  let namespace = parent["namespace"].text ?? route.namespace
  let kindName = parent["kind"].text ?? "Gateway"
  let group = parent["group"].text ?? ObjectKind.gateway.group
  let kind = ObjectKind.allCases.first { $0.name == kindName && $0.group == group }
  guard let kind, [.gateway, .service, .serviceEntry].contains(kind) else { return }
  guard let found = mesh.item(kind, namespace, name) else {
    guard mesh.knowsAll(kind, in: namespace) else { return }
    let hint = report.hint(name, among: mesh.names(kind, in: namespace))
    report.add(
      .parentMissing, route, at: parent,
      "There is no \(kindName) \(namespace)/\(name), so nobody applies this route\(hint).",
      next: kind == .gateway
        ? "Name a Gateway, or for traffic between pods a parent of kind Service with group \"\"."
        : "Name a \(kindName) that exists.")
    return
  }
  if kind == .gateway { checkListeners(of: found, parent, route, mesh, &report) }
  if kind == .service, mesh.waypoint(of: found) == nil {
    report.add(
      .routesNotApplied, route, at: parent,
      "No waypoint stands in front of service \(namespace)/\(name), so the route is not applied: "
        + "connections go to the service as it is.",
      next: "Label the service \(Key.useWaypoint) with the name of a waypoint's Gateway.")
  }
}

/// Whether a listener is as the route asks, and lets it in.
private func checkListeners(
  of gateway: Item, _ parent: Node, _ route: Item, _ mesh: MeshObjects, _ report: inout Report
) {
  let all = gateway.spec["listeners"].items
  let meant = all.filter { listener in
    let section = parent["sectionName"].text
    let port = parent["port"].integer
    return (section == nil || listener["name"].text == section)
      && (port == nil || listener["port"].integer == port)
  }
  if meant.isEmpty, !all.isEmpty {
    report.add(
      .listenerMissing, route, at: parent,
      "\(gateway.name) has no listener of that name and port.",
      next: "Its listeners are \(listed(all.map { $0["name"].text ?? "" })).")
    return
  }
  let labels = mesh.namespaceLabels(route.namespace)
    .merging(["kubernetes.io/metadata.name": route.namespace]) { own, _ in own }
  let isAllowed = meant.contains { listener in
    let namespaces = listener["allowedRoutes"]["namespaces"]
    switch namespaces["from"].text ?? "Same" {
    case "All": return true
    case "Selector": return namespaces["selector"].selects(labels)
    default: return gateway.namespace == route.namespace
    }
  }
  guard !isAllowed, !meant.isEmpty else { return }
  report.add(
    .routeNotAllowed, route, at: parent,
    "\(gateway.name) takes no route of namespace \(route.namespace).",
    next: "Allow it in allowedRoutes.namespaces of the listener, for example from: All.")
}

// MARK: Backends

private func checkBackend(
  _ backend: Node, of route: Item, _ mesh: MeshObjects, _ grants: GrantIndex,
  _ report: inout Report
) {
  guard let name = backend["name"].text, (backend["group"].text ?? "").isEmpty,
    (backend["kind"].text ?? "Service") == "Service"
  else { return }
  let namespace = backend["namespace"].text ?? route.namespace
  grants.check(backend, kind: "Service", of: route, mesh, &report)
  guard let service = mesh.service(namespace, name) else {
    guard mesh.knowsAll(.service, in: namespace) else { return }
    let hint = report.hint(name, among: mesh.names(.service, in: namespace))
    report.add(
      .backendMissing, route, at: backend,
      "There is no Service \(namespace)/\(name), so requests that go there fail\(hint).",
      next: "Name a Service that exists, with its namespace where it is another one.")
    return
  }
  guard let port = backend["port"].integer,
    !service.ports.contains(where: { $0.number == port })
  else { return }
  report.add(
    .portMissing, route, at: backend["port"],
    "Service \(namespace)/\(name) has no port \(port).",
    next: "Its ports are \(listed(service.ports.map { "\($0.number)" })).")
}

/// The ReferenceGrants by the namespace they open.
private struct GrantIndex {
  private var grants: [String: [Item]] = [:]

  init(_ mesh: MeshObjects) {
    grants = Dictionary(grouping: mesh.items(.referenceGrant), by: \.namespace)
  }

  /// Whether a reference into another namespace is allowed there.
  func check(
    _ reference: Node, kind: String, of item: Item, _ mesh: MeshObjects, _ report: inout Report
  ) {
    guard let name = reference["name"].text, let namespace = reference["namespace"].text,
      namespace != item.namespace, mesh.knowsAll(.referenceGrant, in: namespace),
      grants[namespace]?.contains(where: { $0.allows(item, kind: kind, name: name) }) != true
    else { return }
    report.add(
      .referenceNotGranted, item, at: reference,
      "Namespace \(namespace) lets no \(item.name.kind) of \(item.namespace) refer to its \(kind) "
        + "\(name).",
      next: "Make a ReferenceGrant in \(namespace): from [{group: \(item.kind.group), kind: "
        + "\(item.name.kind), namespace: \(item.namespace)}], to [{group: \"\", kind: \(kind), "
        + "name: \(name)}].")
  }
}

extension Item {
  /// Whether a ReferenceGrant lets another object refer to something of its namespace.
  fileprivate func allows(_ other: Item, kind: String, name: String) -> Bool {
    let isFrom = spec["from"].items.contains { from in
      from["group"].text == other.kind.group && from["kind"].text == other.name.kind
        && from["namespace"].text == other.namespace
    }
    return isFrom
      && spec["to"].items.contains { to in
        (to["group"].text ?? "").isEmpty && to["kind"].text == kind
          && (to["name"].text ?? name) == name
      }
  }
}
