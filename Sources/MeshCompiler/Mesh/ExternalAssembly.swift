import MeshModel

/// Turns ServiceEntries into services, and their endpoints into workloads.
struct ExternalAssembly {
  private let catalog: Catalog
  private let pods: [String: PodManifest]
  private let entries: [String: WorkloadEntryManifest]
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service]
  /// The ServiceEntry behind a service.
  private(set) var origins: [ServiceKey: ServiceEntryManifest] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  init(
    _ catalog: Catalog, _ pods: PodAssembly, _ entries: EntryAssembly,
    _ services: ServiceAssembly
  ) {
    self.catalog = catalog
    self.pods = pods.manifests
    self.entries = entries.manifests
    workloads = services.workloads
    self.services = services.services
    // The oldest speaks for a host name that no Kubernetes service has.
    var taken = Set(services.services.keys.map(\.hostname))
    let oldestFirst = catalog.serviceEntries.sorted { a, b in
      if a.metadata.created != b.metadata.created { return a.metadata.created < b.metadata.created }
      return (a.metadata.namespace, a.metadata.name) < (b.metadata.namespace, b.metadata.name)
    }
    for entry in oldestFirst {
      if entry.visibility == .nobody {
        diagnostics.append(
          entry.origin.diagnostic(
            .warning, .ignored, field: "spec.exportTo",
            "exported to nobody; the mesh does not route it"))
        continue
      }
      add(entry, &taken)
    }
  }

  private mutating func add(_ entry: ServiceEntryManifest, _ taken: inout Set<String>) {
    let shared = entry.resolution == .none ? [] : endpoints(of: entry)
    for host in entry.hosts {
      let key = ServiceKey(namespace: entry.metadata.namespace, hostname: host.value)
      if let service = services[key] {
        diagnostics.append(
          entry.origin.diagnostic(
            .warning, .ignored, field: host.path, line: host.line,
            "\(quoted(host.value)) belongs to service \(service.name) of this namespace already"))
        continue
      }
      services[key] = service(key, entry, isCanonical: taken.insert(host.value).inserted)
      origins[key] = entry
      var members = shared
      let isResolved = entry.resolution == .dns || entry.resolution == .dnsRoundRobin
      if members.isEmpty, entry.endpoints.isEmpty, entry.selector == nil, isResolved {
        members = [resolvedMember(host.value, entry)]
      }
      for (uid, ports) in members { workloads[uid]?.services[key] = ports }
      if members.isEmpty, entry.resolution != .none {
        diagnostics.append(
          entry.origin.diagnostic(
            .warning, .selectsNothing, field: host.path, line: host.line, "no endpoints"))
      }
    }
  }

  private func service(
    _ key: ServiceKey, _ entry: ServiceEntryManifest, isCanonical: Bool
  ) -> Service {
    var service = Service(key: key, name: entry.metadata.name)
    service.virtualAddresses = entry.addresses.map { VirtualAddress(block: $0.value) }
    service.ports = entry.ports.map { PortMapping(servicePort: $0.number, targetPort: $0.target) }
    service.isCanonical = isCanonical
    service.subjectAltNames = entry.subjectAltNames
    service.visibility = entry.visibility == .ownNamespace ? .ownNamespace : .everyone
    if entry.resolution == .none {
      service.loadBalancing = LoadBalancing(mode: .passthrough)
      service.healthPolicy = .allowAll
    } else {
      service.loadBalancing = entry.distribution ?? catalog.distribution(of: key.namespace)
    }
    return service
  }

  /// Its endpoints as workloads, each with where the ports end.
  private mutating func endpoints(
    of entry: ServiceEntryManifest
  ) -> [(uid: String, ports: [PortMapping])] {
    if let selector = entry.selector { return selected(by: selector, entry) }
    var members: [(String, [PortMapping])] = []
    for endpoint in entry.endpoints {
      guard let place = endpoint.place?.value else { continue }
      let name =
        switch place {
        case .address(let ip): ip.description
        case .hostname(let host): host
        }
      let uid = add(named: name, entry) { [network = catalog.network] in
        endpoint.apply(to: &$0, network: network)
      }
      members.append((uid, mappings(of: entry, endpoint.ports)))
    }
    return members
  }

  private func selected(
    by selector: [String: String], _ entry: ServiceEntryManifest
  ) -> [(uid: String, ports: [PortMapping])] {
    guard !selector.isEmpty else { return [] }
    let namespace = entry.metadata.namespace
    var members: [(String, [PortMapping])] = []
    for (uid, pod) in pods where pod.metadata.namespace == namespace {
      guard selects(selector, pod.metadata.labels) else { continue }
      members.append((uid, mappings(of: entry, pod.namedPorts)))
    }
    for (uid, candidate) in entries where candidate.metadata.namespace == namespace {
      guard selects(selector, candidate.labels) else { continue }
      members.append((uid, mappings(of: entry, candidate.spec.ports)))
    }
    return members
  }

  private mutating func resolvedMember(
    _ host: String, _ entry: ServiceEntryManifest
  ) -> (uid: String, ports: [PortMapping]) {
    let network = catalog.network
    let uid = add(named: host, entry) {
      $0.hostname = host
      $0.network = network
    }
    return (uid, mappings(of: entry, [:]))
  }

  private mutating func add(
    named name: String, _ entry: ServiceEntryManifest, _ fill: (inout Workload) -> Void
  ) -> String {
    let metadata = entry.metadata
    let uid =
      "\(catalog.options.clusterID)/networking.istio.io/ServiceEntry/\(metadata.namespace)/"
      + "\(metadata.name)/\(name)"
    guard workloads[uid] == nil else { return uid }
    var workload = Workload(uid: uid, name: metadata.name, namespace: metadata.namespace)
    workload.trustDomain = catalog.options.trustDomain
    workload.clusterID = catalog.options.clusterID
    workload.workloadName = metadata.name
    workload.canonicalName = metadata.name
    workload.canonicalRevision = "latest"
    fill(&workload)
    workloads[uid] = workload
    return uid
  }

  private func mappings(
    of entry: ServiceEntryManifest, _ own: [String: UInt16]
  ) -> [PortMapping] {
    entry.ports.map { port in
      PortMapping(servicePort: port.number, targetPort: own[port.name] ?? port.target)
    }
  }
}
