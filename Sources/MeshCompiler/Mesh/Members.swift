import MeshModel

/// Who is in a namespace and who serves what: the half of its compilation that other namespaces
/// ask about.
struct Members {
  let scope: Scope
  let workloads: [String: Workload]
  let services: [ServiceKey: Service]
  /// The pods in the model, by the uid of their workload.
  let pods: [String: Shared<PodManifest>]
  /// The ServiceEntry behind a service.
  let entries: [ServiceKey: Shared<ServiceEntryManifest>]
  let placements: [PodPlacement]
  let exports: Exports
  let diagnostics: [Diagnostic]

  init(_ scope: Scope) {
    let pods = PodAssembly(scope)
    let entries = EntryAssembly(scope)
    let services = ServiceAssembly(scope, pods, entries)
    let external = ExternalAssembly(scope, pods, entries, services)
    self.scope = scope
    workloads = external.workloads
    self.services = external.services
    self.pods = pods.manifests
    self.entries = external.origins
    placements = pods.placements
    exports = Exports(scope, services, external)
    diagnostics = pods.diagnostics + services.diagnostics + external.diagnostics
  }
}

/// What a namespace means for others.
struct Exports: Equatable {
  /// Where its workloads are.
  var networks: Set<String>
  /// Its waypoints by name.
  var waypoints: [PolicyKey: Waypoint]
  /// Pods of others that serve services of this one.
  var strangers: [String: ServiceAssembly.Stranger]

  init(_ scope: Scope, _ services: ServiceAssembly, _ external: ExternalAssembly) {
    networks = Set(external.workloads.values.lazy.map(\.network))
    strangers = services.strangers
    waypoints = [:]
    for gateway in scope.objects.gateways.values where gateway.value.gatewayClass == .waypoint {
      waypoints[gateway.value.key] = Waypoint(
        gateway: gateway, address: scope.address(of: gateway.value, external.services))
    }
  }
}

/// A waypoint that somebody declared.
struct Waypoint: Equatable {
  var gateway: Shared<GatewayManifest>
  var address: GatewayAddress
}

extension Scope {
  /// By its service's name where it has one, else by its address.
  fileprivate func address(
    of gateway: GatewayManifest, _ services: [ServiceKey: Service]
  ) -> GatewayAddress {
    let (namespace, name) = (gateway.metadata.namespace, gateway.metadata.name)
    let own = ServiceKey(
      namespace: namespace, hostname: gateway.hostnames.first ?? hostname(name, namespace))
    if gateway.hostnames.isEmpty, services[own] == nil, let ip = gateway.addresses.first?.value {
      return GatewayAddress(
        destination: .address(network: network, ip: ip), tunnelPort: gateway.tunnelPort)
    }
    return GatewayAddress(destination: .service(own), tunnelPort: gateway.tunnelPort)
  }
}
