import MeshModel

/// Turns the WorkloadEntries of a namespace into workloads.
struct EntryAssembly {
  private(set) var workloads: [String: Workload] = [:]
  /// By workload uid.
  private(set) var manifests: [String: Shared<WorkloadEntryManifest>] = [:]

  init(_ scope: Scope) {
    for shared in scope.objects.workloadEntries.values {
      let entry = shared.value
      let metadata = entry.metadata
      var workload = Workload(
        uid: "\(scope.options.clusterID)/networking.istio.io/WorkloadEntry/"
          + "\(metadata.namespace)/\(metadata.name)",
        name: metadata.name, namespace: metadata.namespace)
      workload.trustDomain = scope.options.trustDomain
      workload.clusterID = scope.options.clusterID
      workload.workloadName = metadata.name
      var spec = entry.spec
      spec.labels = entry.labels
      spec.apply(to: &workload, network: entry.labels[Key.network] ?? scope.network)
      workloads[workload.uid] = workload
      manifests[workload.uid] = shared
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
