import MeshCompiler
import MeshModel

/// What is wrong with services, and with hosts beyond the cluster.
func findServiceProblems(_ mesh: MeshObjects, _ report: inout Report) {
  let slices = Set(
    mesh.items(.endpointSlice).lazy.filter { !$0.root["endpoints"].items.isEmpty }
      .map { "\($0.namespace)/\($0.labels[Key.serviceName] ?? "")" })
  for (_, services) in mesh.services {
    for service in services.values where !service.isExternalName {
      checkEndpoints(of: service, slices, mesh, &report)
      checkProtocols(of: service, mesh, &report)
    }
  }
  findDuplicateHosts(mesh, &report)
  findDuplicateAddresses(mesh, &report)
  for entry in mesh.items(.serviceEntry) { checkAddress(of: entry, &report) }
}

private func checkEndpoints(
  of service: ServiceObject, _ slices: Set<String>, _ mesh: MeshObjects, _ report: inout Report
) {
  let (namespace, name) = (service.namespace, service.name)
  guard !service.selector.isEmpty else {
    guard mesh.knowsAll(.endpointSlice, in: namespace), !slices.contains("\(namespace)/\(name)")
    else { return }
    report.add(
      .noEndpoints, service.item, "It has no selector and no EndpointSlice, so nobody serves it.",
      next: "Give it a selector, or an EndpointSlice with the label \(Key.serviceName): \(name).")
    return
  }
  guard mesh.knowsPods(in: namespace) else { return }
  let pods = mesh.selected(by: service.selector, in: namespace)
  if pods.isEmpty {
    report.add(
      .noEndpoints, service.item, at: service.item.spec["selector"],
      "No pod has the labels it selects, so nobody serves it.",
      next: "Compare them with kubectl -n \(namespace) get pods --show-labels.")
  } else if !pods.contains(where: \.isReady),
    !service.item.spec["publishNotReadyAddresses"].isTrue
  {
    report.add(
      .noEndpoints, service.item, "None of its \(count(pods.count, "pod")) is ready.",
      next: "Look at them: kubectl -n \(namespace) describe pod \(pods[0].item.name.name).")
  }
  checkTargets(of: service, pods, &report)
}

private func checkTargets(
  of service: ServiceObject, _ pods: [PodSource], _ report: inout Report
) {
  guard !pods.isEmpty else { return }
  for port in service.ports where port.isTCP {
    guard let name = port.node["targetPort"].text,
      !pods.contains(where: { $0.ports.contains { $0.name == name } })
    else { continue }
    let hint = report.hint(name, among: pods[0].ports.map(\.name))
    report.add(
      .targetPortMissing, service.item, at: port.node["targetPort"],
      "No container of its pods has a TCP port called \(name), so port \(port.number) leads "
        + "nowhere\(hint).",
      next: "Give the container's port that name, or write its number.")
  }
}

/// Only a waypoint has to know what a port speaks.
private func checkProtocols(
  of service: ServiceObject, _ mesh: MeshObjects, _ report: inout Report
) {
  guard let waypoint = mesh.waypoint(of: service.item), waypoint.name != service.name else {
    return
  }
  for port in service.ports where port.isTCP && !port.node["appProtocol"].isWritten {
    let prefix = port.name.prefix { $0 != "-" }
    if protocols.contains(String(prefix)) { continue }
    report.add(
      .protocolHidden, service.item, at: port.node,
      "Neither the name nor appProtocol of port \(port.number) says what it speaks, so the "
        + "waypoint has to guess.",
      next: "Set appProtocol, for example to http, or call the port http-… or tcp-….")
  }
}

/// Source: Istio's reference, protocol selection.
private let protocols: Set<String> = [
  "http", "http2", "https", "grpc", "grpcweb", "grpc-web", "tcp", "tls", "mongo", "mysql", "redis",
  "hbone",
]

// MARK: Hosts and addresses

private func findDuplicateHosts(_ mesh: MeshObjects, _ report: inout Report) {
  var owners: [String: [Item]] = [:]
  for entry in mesh.items(.serviceEntry).sorted(by: { $0.precedes($1) }) {
    for (host, node) in entry.spec["hosts"].texts {
      if let owner = owners[host]?.first, owner != entry {
        report.add(
          .duplicateHost, entry, at: node,
          "\(owner.name) is for \(host) too, and is the one that counts for other namespaces.",
          next: "Keep one, or export both to their own namespace alone (exportTo: [\".\"]).")
      }
      owners[host, default: []].append(entry)
    }
  }
}

/// Two services of one address; of pods and services the compiler says it.
private func findDuplicateAddresses(_ mesh: MeshObjects, _ report: inout Report) {
  var owners: [IPAddress: Item] = [:]
  for service in mesh.items(.service) {
    let texts =
      service.spec["clusterIPs"].texts.map(\.text)
      + [service.spec["clusterIP"].text]
      .compactMap(\.self)
    for address in texts.compactMap({ IPAddress($0) }) { owners[address] = service }
  }
  for entry in mesh.items(.serviceEntry).sorted(by: { $0.precedes($1) }) {
    for (text, node) in entry.spec["addresses"].texts {
      guard let block = CIDR(text), block.isSingle else { continue }
      guard let owner = owners[block.base], owner != entry else {
        owners[block.base] = entry
        continue
      }
      report.add(
        .duplicateAddress, entry, at: node,
        "\(block.base) is \(owner.name)'s address too: connections to it go to only one of them.",
        next: "Give each an address of its own.")
    }
  }
}

/// A host that the mesh's DNS cannot answer for.
private func checkAddress(of entry: Item, _ report: inout Report) {
  let given = entry.spec["addresses"].items + entry.root["status"]["addresses"].items
  guard given.isEmpty, let host = entry.spec["hosts"].texts.first else { return }
  report.add(
    .noAddress, entry, at: entry.spec["addresses"],
    "It has no address, so the mesh does not answer for \(host.text) in DNS, and connections to it "
      + "are not told from others.",
    next: "Give it an address nobody else has, for example of 240.0.0.0/4.")
}
