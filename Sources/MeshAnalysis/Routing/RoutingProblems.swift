import MeshCompiler

/// What is wrong with what routes traffic: Istio's resources and those of the Gateway API.
func findRoutingProblems(_ mesh: MeshObjects, _ report: inout Report) {
  let hosts = Hosts(mesh)
  let subsets = SubsetIndex(mesh, hosts)
  for item in mesh.items(.virtualService) {
    checkHosts(of: item, mesh, hosts, &report)
    checkGateways(of: item, mesh, &report)
    for list in ["http", "tls", "tcp"] {
      let routes = item.spec[list].items
      checkShadows(routes, of: item, &report)
      for route in routes { checkRoute(route, of: item, mesh, hosts, subsets, &report) }
    }
  }
  findDuplicateVirtualServices(mesh, hosts, &report)
  for rule in mesh.items(.destinationRule) { checkRule(rule, mesh, hosts, &report) }
  subsets.findDuplicates(&report)
  for gateway in mesh.items(.istioGateway) {
    let selector = gateway.spec["selector"]
    guard selector.isWritten, mesh.knowsAll(.pod),
      mesh.pods.values.allSatisfy({ $0.selected(by: selector.labels).isEmpty })
    else { continue }
    report.add(
      .gatewaySelectsNothing, gateway, at: selector,
      "No pod has the labels it selects, so nobody listens for it.",
      next: "Name the labels of a gateway's pods; Skein runs no ingress gateway of this kind.")
  }
  findGatewayProblems(mesh, &report)
}

private func checkGateways(of item: Item, _ mesh: MeshObjects, _ report: inout Report) {
  for (text, node) in item.spec["gateways"].texts where text != "mesh" {
    let parts = text.split(separator: "/").map(String.init)
    let namespace = parts.count == 2 ? parts[0] : item.namespace
    guard let name = parts.last, mesh.item(.istioGateway, namespace, name) == nil,
      mesh.knowsAll(.istioGateway, in: namespace)
    else { continue }
    let hint = report.hint(name, among: mesh.names(.istioGateway, in: namespace))
    report.add(
      .gatewayMissing, item, at: node,
      "There is no Gateway \(namespace)/\(name), so nothing takes this route from outside\(hint).",
      next: "Name one as <namespace>/<name>, or mesh for the traffic of pods.")
  }
}

/// The hosts a VirtualService is for, and whether anything applies its routes to pods' traffic.
private func checkHosts(
  of item: Item, _ mesh: MeshObjects, _ hosts: Hosts, _ report: inout Report
) {
  guard item.isForMesh else { return }
  for (host, node) in item.spec["hosts"].texts {
    switch hosts.answer(host, in: item.namespace) {
    case .nobody(let known):
      let hint = report.hint(host, among: known())
      report.add(
        .hostMissing, item, at: node,
        "Nothing is called \(hosts.fullName(host, in: item.namespace)), so its routes are for "
          + "nobody's traffic\(hint).",
        next: "Name a Service, or a host of a ServiceEntry.")
    case .service(let service):
      guard mesh.waypoint(of: service.item) == nil else { continue }
      report.add(
        .routesNotApplied, item, at: node,
        "No waypoint stands in front of \(service.namespace)/\(service.name), so its routes are "
          + "not applied: connections go to the service as it is.",
        next: "Label the service \(Key.useWaypoint) with the name of a waypoint's Gateway.")
    case .entry, .several, .unknown: continue
    }
  }
}

extension Item {
  /// Whether a VirtualService is for the traffic of pods.
  var isForMesh: Bool {
    let gateways = spec["gateways"].texts
    return gateways.isEmpty || gateways.contains { $0.text == "mesh" }
  }
}

// MARK: One route

private func checkRoute(
  _ route: Node, of item: Item, _ mesh: MeshObjects, _ hosts: Hosts, _ subsets: SubsetIndex,
  _ report: inout Report
) {
  let targets = route["route"].items
  checkWeights(targets, at: route["route"], of: item, &report)
  let destinations =
    targets.map { $0["destination"] } + [route["mirror"]]
    + route["mirrors"].items.map { $0["destination"] }
  for destination in destinations {
    guard let host = destination["host"].text else { continue }
    switch hosts.answer(host, in: item.namespace) {
    case .nobody(let known):
      let hint = report.hint(host, among: known())
      report.add(
        .destinationMissing, item, at: destination["host"],
        "Nothing is called \(hosts.fullName(host, in: item.namespace)), so this route leads "
          + "nowhere\(hint).",
        next:
          "Name a Service as <name>.<namespace>.svc.\(mesh.options.clusterDomain), or a host of "
          + "a ServiceEntry.")
    case .service(let service):
      checkPort(destination["port"]["number"], service, of: item, &report)
      subsets.check(destination, host: host, service: service, of: item, mesh, &report)
    case .entry: subsets.check(destination, host: host, service: nil, of: item, mesh, &report)
    case .several, .unknown: continue
    }
  }
}

private func checkPort(
  _ node: Node, _ service: ServiceObject, of item: Item, _ report: inout Report
) {
  guard let port = node.integer, !service.ports.contains(where: { $0.number == port }) else {
    return
  }
  report.add(
    .portMissing, item, at: node,
    "Service \(service.namespace)/\(service.name) has no port \(port).",
    next: "Its ports are \(listed(service.ports.map { "\($0.number)" })).")
}

private func checkWeights(
  _ targets: [Node], at node: Node, of item: Item, _ report: inout Report
) {
  guard targets.count > 1 else { return }
  let weights = targets.map { $0["weight"].integer ?? 0 }
  let total = weights.reduce(0) { $0 &+ $1 }
  guard total != 100 else { return }
  report.add(
    .oddWeights, item, at: node,
    total == 0
      ? "No destination has a weight, so none of them is taken."
      : "The weights add up to \(total), so each counts as its part of \(total), not as percent.",
    next: "Give weights that add up to 100.")
}
