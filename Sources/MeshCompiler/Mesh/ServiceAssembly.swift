import MeshModel

/// Turns services into the model's, and makes workloads their members.
struct ServiceAssembly {
  private let catalog: Catalog
  private let pods: [String: PodManifest]
  /// WorkloadEntries by the uid of their workload.
  private let entries: [String: WorkloadEntryManifest]
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service] = [:]
  private(set) var diagnostics: [Diagnostic] = []
  private var uidByAddress: [IPAddress: String] = [:]
  private var uidsByLabel: [Label: [String]] = [:]
  /// Workloads of a slice's addresses that no pod owns, with the slice.
  private var outsiders: [String: Origin] = [:]

  init(_ catalog: Catalog, _ assembly: PodAssembly, _ entries: EntryAssembly) {
    self.catalog = catalog
    pods = assembly.manifests
    self.entries = entries.manifests
    workloads = assembly.workloads.merging(entries.workloads) { pod, _ in pod }
    for (uid, workload) in workloads.sorted(by: { $0.key < $1.key }) {
      for (key, value) in self.entries[uid]?.labels ?? pods[uid]?.metadata.labels ?? [:] {
        let label = Label(namespace: workload.namespace, key: key, value: value)
        uidsByLabel[label, default: []].append(uid)
      }
      for address in workload.addresses where !workload.isHostNetwork && pods[uid] != nil {
        uidByAddress[address] = uid
      }
    }
    let slices = Dictionary(grouping: catalog.slices) { slice in
      "\(slice.metadata.namespace)/\(slice.service ?? "")"
    }
    checkAddresses()
    for service in catalog.services where !service.isExternalName {
      guard service.visibility != .nobody else {
        diagnostics.append(
          service.origin.diagnostic(
            .warning, .ignored, field: "metadata.annotations[\(quoted(Key.exportTo))]",
            "exported to nobody; the mesh does not route it"))
        continue
      }
      let name = "\(service.metadata.namespace)/\(service.metadata.name)"
      add(service, slices: slices[name] ?? [])
    }
    checkSlices()
  }

  private struct Label: Hashable {
    var namespace: String
    var key: String
    var value: String
  }

  /// Those with the rarest of the selector's labels: all that it fits are among them.
  private func candidates(_ manifest: ServiceManifest) -> [String] {
    let lists = manifest.selector.map { key, value in
      uidsByLabel[Label(namespace: manifest.metadata.namespace, key: key, value: value)] ?? []
    }
    return lists.min { $0.count < $1.count } ?? []
  }

  private func key(_ service: ServiceManifest) -> ServiceKey {
    let (namespace, name) = (service.metadata.namespace, service.metadata.name)
    return ServiceKey(
      namespace: namespace, hostname: "\(name).\(namespace).svc.\(catalog.options.clusterDomain)")
  }

  private mutating func add(_ manifest: ServiceManifest, slices: [EndpointSliceManifest]) {
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
      : manifest.distribution ?? catalog.distribution(of: service.key.namespace)
    service.addressFamilies = manifest.families
    service.visibility = manifest.visibility == .ownNamespace ? .ownNamespace : .everyone
    services[service.key] = service
    let count =
      slices.isEmpty ? addSelected(manifest) : slices.reduce(0) { $0 + add($1, to: manifest) }
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
      if let entry = entries[uid], selects(manifest.selector, entry.labels) {
        count += 1
        for case .name(let name) in manifest.ports.map(\.target) { portNamesFound.insert(name) }
        workloads[uid]?.services[key] = manifest.ports.map { entry.spec.mapping(of: $0) }
        continue
      }
      guard let pod = pods[uid], selects(manifest.selector, pod.metadata.labels) else { continue }
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
    for (index, endpoint) in slice.endpoints.enumerated() {
      count += 1
      guard endpoint.isReady || manifest.publishesNotReady else { continue }
      for uid in owners(of: endpoint, index, slice) {
        var merged = workloads[uid]?.services[key] ?? []
        for mapping in mappings {
          let known = merged.firstIndex { $0.servicePort == mapping.servicePort }
          if let known, merged[known].targetPort == 0 { merged[known] = mapping }
          if known == nil { merged.append(mapping) }
        }
        workloads[uid]?.services[key] = merged
      }
    }
    return count
  }

  private mutating func owners(
    of endpoint: EndpointSliceManifest.Endpoint, _ index: Int, _ slice: EndpointSliceManifest
  ) -> [String] {
    let namespace = slice.metadata.namespace
    if let pod = endpoint.pod {
      let uid = "\(catalog.options.clusterID)//Pod/\(namespace)/\(pod.value)"
      if workloads[uid] != nil { return [uid] }
      diagnostics.append(
        slice.origin.diagnostic(
          .warning, .unresolved, field: pod.path, line: pod.line,
          "no pod \(namespace)/\(pod.value) with an address; the endpoint is skipped"))
      return []
    }
    return endpoint.addresses.map { address in
      if let uid = uidByAddress[address.value] { return uid }
      return outsider(address.value, endpoint, slice)
    }
  }

  /// An endpoint outside the mesh, reached in plaintext.
  private mutating func outsider(
    _ address: IPAddress, _ endpoint: EndpointSliceManifest.Endpoint,
    _ slice: EndpointSliceManifest
  ) -> String {
    let metadata = slice.metadata
    let uid =
      "\(catalog.options.clusterID)/discovery.k8s.io/EndpointSlice/\(metadata.namespace)/"
      + "\(metadata.name)/\(address)"
    if workloads[uid] != nil { return uid }
    var workload = Workload(uid: uid, name: metadata.name, namespace: metadata.namespace)
    workload.trustDomain = catalog.options.trustDomain
    workload.clusterID = catalog.options.clusterID
    workload.addresses = [address]
    workload.node = endpoint.node
    workload.isHostNetwork = true
    workload.network = catalog.network
    workload.locality = catalog.nodes[endpoint.node] ?? Locality()
    workload.workloadName = metadata.name
    workload.canonicalName = metadata.name
    workload.canonicalRevision = "latest"
    workloads[uid] = workload
    outsiders[uid] = slice.origin
    return uid
  }

  /// An address belongs to one service, and to no pod.
  private mutating func checkAddresses() {
    var owners: [IPAddress: Origin] = [:]
    for service in catalog.services where !service.isExternalName {
      for address in service.virtualAddresses {
        let owner =
          owners[address.value] ?? uidByAddress[address.value].flatMap { pods[$0]?.origin }
        if let owner, owner != service.origin {
          diagnostics.append(
            service.origin.diagnostic(
              .error, .duplicateAddress, field: address.path, line: address.line,
              "expected an address of its own; \(address.value) also belongs to "
                + "\(owner.object?.description ?? "another object") at \(owner.place)"))
        }
        owners[address.value] = service.origin
      }
    }
  }

  private mutating func checkSlices() {
    let names = Set(catalog.services.map { "\($0.metadata.namespace)/\($0.metadata.name)" })
    for slice in catalog.slices {
      guard let service = slice.service,
        !names.contains("\(slice.metadata.namespace)/\(service)")
      else { continue }
      diagnostics.append(
        slice.origin.diagnostic(
          .warning, .selectsNothing, field: "metadata.labels",
          "there is no Service \(slice.metadata.namespace)/\(service)"))
    }
  }
}
