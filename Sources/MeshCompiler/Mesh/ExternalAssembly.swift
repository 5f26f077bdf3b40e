import MeshModel

/// Turns the ServiceEntries of a namespace into services, and their endpoints into workloads.
struct ExternalAssembly {
  private let scope: Scope
  private let pods: [String: Shared<PodManifest>]
  private let entries: [String: Shared<WorkloadEntryManifest>]
  private(set) var workloads: [String: Workload]
  private(set) var services: [ServiceKey: Service]
  /// The ServiceEntry behind a service.
  private(set) var origins: [ServiceKey: Shared<ServiceEntryManifest>] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  init(
    _ scope: Scope, _ pods: PodAssembly, _ entries: EntryAssembly, _ services: ServiceAssembly
  ) {
    self.scope = scope
    self.pods = pods.manifests
    self.entries = entries.manifests
    workloads = services.workloads
    self.services = services.services
    // The oldest speaks for a host name that no Kubernetes service has.
    let oldestFirst = scope.objects.serviceEntries.values.sorted { $0.value.precedes($1.value) }
    for entry in oldestFirst {
      if entry.value.visibility == .nobody {
        diagnostics.append(
          entry.value.origin.diagnostic(
            .warning, .ignored, field: "spec.exportTo",
            "exported to nobody; the mesh does not route it"))
        continue
      }
      add(entry)
    }
  }

  private mutating func add(_ origin: Shared<ServiceEntryManifest>) {
    let entry = origin.value
    let taken = scope.surroundings.takenHosts[entry.metadata.name] ?? []
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
      services[key] = service(key, entry, isCanonical: !taken.contains(host.value))
      origins[key] = origin
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
      service.loadBalancing = entry.distribution ?? scope.distribution
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
      let uid = add(named: name, entry) { [network = scope.network] in
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
    var members: [(String, [PortMapping])] = []
    for (uid, pod) in pods where selects(selector, pod.value.metadata.labels) {
      members.append((uid, mappings(of: entry, pod.value.namedPorts)))
    }
    for (uid, candidate) in entries where selects(selector, candidate.value.labels) {
      members.append((uid, mappings(of: entry, candidate.value.spec.ports)))
    }
    return members
  }

  private mutating func resolvedMember(
    _ host: String, _ entry: ServiceEntryManifest
  ) -> (uid: String, ports: [PortMapping]) {
    let network = scope.network
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
      "\(scope.options.clusterID)/networking.istio.io/ServiceEntry/\(metadata.namespace)/"
      + "\(metadata.name)/\(name)"
    guard workloads[uid] == nil else { return uid }
    var workload = Workload(uid: uid, name: metadata.name, namespace: metadata.namespace)
    workload.trustDomain = scope.options.trustDomain
    workload.clusterID = scope.options.clusterID
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
