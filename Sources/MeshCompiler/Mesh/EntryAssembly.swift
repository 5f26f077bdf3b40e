import MeshModel

/// Turns WorkloadEntries into workloads.
struct EntryAssembly {
  private(set) var workloads: [String: Workload] = [:]
  /// By workload uid.
  private(set) var manifests: [String: WorkloadEntryManifest] = [:]
  private(set) var diagnostics: [Diagnostic] = []

  init(_ catalog: Catalog) {
    for entry in catalog.workloadEntries {
      let metadata = entry.metadata
      var workload = Workload(
        uid: "\(catalog.options.clusterID)/networking.istio.io/WorkloadEntry/"
          + "\(metadata.namespace)/\(metadata.name)",
        name: metadata.name, namespace: metadata.namespace)
      workload.trustDomain = catalog.options.trustDomain
      workload.clusterID = catalog.options.clusterID
      workload.workloadName = metadata.name
      var spec = entry.spec
      spec.labels = entry.labels
      spec.apply(to: &workload, network: entry.labels[Key.network] ?? catalog.network)
      workloads[workload.uid] = workload
      manifests[workload.uid] = entry
    }
  }
}

extension EntrySpec {
  /// Where a service port ends on it.
  func mapping(of port: ServiceManifest.Port) -> PortMapping {
    let own = ports[port.name]
    switch port.target {
    case .number(let number):
      return PortMapping(servicePort: port.number, targetPort: own ?? number)
    case .name(let name):
      return PortMapping(servicePort: port.number, targetPort: own ?? ports[name] ?? 0)
    }
  }
}

extension Catalog {
  /// What the annotation of a namespace says of its services.
  func distribution(of namespace: String) -> LoadBalancing {
    guard let metadata = namespaces[namespace], let origin = namespaceOrigins[namespace] else {
      return LoadBalancing()
    }
    // Its mistakes were reported when the namespace was read.
    var reader = ObjectReader(origin: origin)
    return reader.distribution(annotations: metadata.annotations) ?? LoadBalancing()
  }
}
