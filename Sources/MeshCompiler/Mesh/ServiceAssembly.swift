import MeshModel

/// Turns the services of a namespace into the model's, and makes workloads their members.
struct ServiceAssembly {
  private let scope: Scope
  private let pods: [String: Shared<PodManifest>]
  /// WorkloadEntries by the uid of their workload.
  private let entries: [String: Shared<WorkloadEntryManifest>]
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service] = [:]
  /// Members that live in other namespaces, by uid.
  private(set) var strangers: [String: Stranger] = [:]
  private(set) var diagnostics: [Diagnostic] = []
  private var uidsByLabel: [Label: [String]] = [:]

  /// A pod of another namespace, and how it serves services of this one.
  struct Stranger: Equatable {
    var owner: AddressOwner
    var services: [ServiceKey: [PortMapping]] = [:]
  }

  init(_ scope: Scope, _ assembly: PodAssembly, _ entries: EntryAssembly) {
    self.scope = scope
    pods = assembly.manifests
    self.entries = entries.manifests
    workloads = assembly.workloads.merging(entries.workloads) { pod, _ in pod }
    addLabels()
    let slices = Dictionary(grouping: scope.objects.slices.values) { $0.value.service }
      .mapValues { $0.sorted { $0.value.metadata.name < $1.value.metadata.name } }
    for shared in scope.objects.services.values where !shared.value.isExternalName {
      let service = shared.value
      guard service.isRouted else {
        diagnostics.append(
          service.origin.diagnostic(
            .warning, .ignored, field: "metadata.annotations[\(quoted(Key.exportTo))]",
            "exported to nobody; the mesh does not route it"))
        continue
      }
      add(service, slices: slices[service.metadata.name] ?? [])
    }
    checkSlices()
  }

  private mutating func addLabels() {
    let wanted = Set(
      scope.objects.services.values.lazy.flatMap { service in
        service.value.selector.map { Label(key: $0.key, value: $0.value) }
      })
    guard !wanted.isEmpty else { return }
    func add(_ labels: [String: String], of uid: String) {
      for (key, value) in labels {
        let label = Label(key: key, value: value)
        if wanted.contains(label) { uidsByLabel[label, default: []].append(uid) }
      }
    }
    for (uid, pod) in pods { add(pod.value.metadata.labels, of: uid) }
    for (uid, entry) in entries { add(entry.value.labels, of: uid) }
  }

  private struct Label: Hashable {
    var key: String
    var value: String
  }

  /// Those with the rarest of the selector's labels: all that it fits are among them.
  private func candidates(_ manifest: ServiceManifest) -> [String] {
    let lists = manifest.selector.map { key, value in
      uidsByLabel[Label(key: key, value: value)] ?? []
    }
    return lists.min { $0.count < $1.count } ?? []
  }

  private func key(_ service: ServiceManifest) -> ServiceKey {
    let (namespace, name) = (service.metadata.namespace, service.metadata.name)
    return ServiceKey(namespace: namespace, hostname: scope.hostname(name, namespace))
  }

  private mutating func add(_ manifest: ServiceManifest, slices: [Shared<EndpointSliceManifest>]) {
    var service = Service(key: key(manifest), name: manifest.metadata.name)
    service.virtualAddresses = manifest.virtualAddresses.map { VirtualAddress(ip: $0.value) }
    service.ports = manifest.ports.map { port in
      switch port.target {
      case .number(let number): PortMapping(servicePort: port.number, targetPort: number)
      case .name: PortMapping(servicePort: port.number, targetPort: 0)
      }
    }
    service.healthPolicy = manifest.publishesNotReady ? .allowAll : .onlyHealthy
    service.loadBalancing =
      manifest.isNodeLocal
      ? .nodeLocal
      : manifest.distribution ?? scope.distribution
    service.addressFamilies = manifest.families
    service.visibility = manifest.visibility == .ownNamespace ? .ownNamespace : .everyone
    services[service.key] = service
    let count =
      slices.isEmpty ? addSelected(manifest) : slices.reduce(0) { $0 + add($1.value, to: manifest) }
    if count == 0 {
      let cause =
        if !slices.isEmpty {
          "its EndpointSlices name no endpoint"
        } else if manifest.selector.isEmpty {
          "it has neither a selector nor an EndpointSlice"
        } else {
          "no pod with an address has the labels of spec.selector"
        }
      diagnostics.append(
        manifest.origin.diagnostic(
          .warning, .selectsNothing, field: "spec.selector", "no endpoints: \(cause)"))
    }
  }

  /// Makes every pod the selector fits a member; answers how many.
  private mutating func addSelected(_ manifest: ServiceManifest) -> Int {
    guard !manifest.selector.isEmpty else { return 0 }
    let key = key(manifest)
    var count = 0
    var portNamesFound: Set<String> = []
    for uid in candidates(manifest) {
      if let entry = entries[uid]?.value, selects(manifest.selector, entry.labels) {
        count += 1
        for case .name(let name) in manifest.ports.map(\.target) { portNamesFound.insert(name) }
        workloads[uid]?.services[key] = manifest.ports.map { entry.spec.mapping(of: $0) }
        continue
      }
      guard let pod = pods[uid]?.value, selects(manifest.selector, pod.metadata.labels) else {
        continue
      }
      count += 1
      let mappings = manifest.ports.map { port in
        switch port.target {
        case .number(let number):
          return PortMapping(servicePort: port.number, targetPort: number)
        case .name(let name):
          if pod.namedPorts[name] != nil { portNamesFound.insert(name) }
          return PortMapping(servicePort: port.number, targetPort: pod.namedPorts[name] ?? 0)
        }
      }
      workloads[uid]?.services[key] = mappings
    }
    for port in manifest.ports {
      guard count > 0, case .name(let name) = port.target, !portNamesFound.contains(name) else {
        continue
      }
      diagnostics.append(
        manifest.origin.diagnostic(
          .warning, .unresolved, field: "\(port.path).targetPort", line: port.line,
          "no selected pod has a TCP container port named \(quoted(name))"))
    }
    return count
  }

  /// Makes the ready endpoints of a slice members; answers how many endpoints it has.
  private mutating func add(_ slice: EndpointSliceManifest, to manifest: ServiceManifest) -> Int {
    let key = key(manifest)
    let mappings = manifest.ports.map { port in
      PortMapping(servicePort: port.number, targetPort: slice.ports[port.name] ?? 0)
    }
    var count = 0
    for endpoint in slice.endpoints {
      count += 1
      guard endpoint.isReady || manifest.publishesNotReady else { continue }
      for member in members(of: endpoint, slice) {
        switch member {
        case .here(let uid):
          workloads[uid]?.services[key, default: []].merge(mappings)
        case .elsewhere(let owner):
          strangers[owner.uid, default: Stranger(owner: owner)]
            .services[key, default: []].merge(mappings)
        }
      }
    }
    return count
  }

  private enum Member {
    case here(uid: String)
    case elsewhere(AddressOwner)
  }

  private mutating func members(
    of endpoint: EndpointSliceManifest.Endpoint, _ slice: EndpointSliceManifest
  ) -> [Member] {
    let namespace = slice.metadata.namespace
    if let pod = endpoint.pod {
      let uid = podUID(namespace, pod.value, scope.options)
      if workloads[uid] != nil { return [.here(uid: uid)] }
      diagnostics.append(
        slice.origin.diagnostic(
          .warning, .unresolved, field: pod.path, line: pod.line,
          "no pod \(namespace)/\(pod.value) with an address; the endpoint is skipped"))
      return []
    }
    return endpoint.addresses.map { address in
      guard let owner = scope.surroundings.owners[address.value] else {
        return .here(uid: outsider(address.value, endpoint, slice))
      }
      return owner.namespace == namespace ? .here(uid: owner.uid) : .elsewhere(owner)
    }
  }

  /// An endpoint outside the mesh, reached in plaintext.
  private mutating func outsider(
    _ address: IPAddress, _ endpoint: EndpointSliceManifest.Endpoint,
    _ slice: EndpointSliceManifest
  ) -> String {
    let metadata = slice.metadata
    let uid =
      "\(scope.options.clusterID)/discovery.k8s.io/EndpointSlice/\(metadata.namespace)/"
      + "\(metadata.name)/\(address)"
    if workloads[uid] != nil { return uid }
    var workload = Workload(uid: uid, name: metadata.name, namespace: metadata.namespace)
    workload.trustDomain = scope.options.trustDomain
    workload.clusterID = scope.options.clusterID
    workload.addresses = [address]
    workload.node = endpoint.node
    workload.isHostNetwork = true
    workload.network = scope.network
    workload.locality = scope.nodes[endpoint.node] ?? Locality()
    workload.workloadName = metadata.name
    workload.canonicalName = metadata.name
    workload.canonicalRevision = "latest"
    workloads[uid] = workload
    return uid
  }

  private mutating func checkSlices() {
    for slice in scope.objects.slices.values.map(\.value) {
      guard let service = slice.service, scope.objects.services[service] == nil else { continue }
      diagnostics.append(
        slice.origin.diagnostic(
          .warning, .selectsNothing, field: "metadata.labels",
          "there is no Service \(slice.metadata.namespace)/\(service)"))
    }
  }
}

extension [PortMapping] {
  /// Adds what several slices say of the same endpoint; the first that knows a port counts.
  fileprivate mutating func merge(_ mappings: [PortMapping]) {
    for mapping in mappings {
      let known = firstIndex { $0.servicePort == mapping.servicePort }
      if let known, self[known].targetPort == 0 { self[known] = mapping }
      if known == nil { append(mapping) }
    }
  }
}
