import MeshModel

/// The objects of one namespace, each kind by name.
struct NamespaceObjects {
  let name: String
  /// The Namespace itself; nil while nobody declares it.
  var namespace: Shared<NamespaceManifest>?
  var pods: [String: Shared<PodManifest>] = [:]
  var services: [String: Shared<ServiceManifest>] = [:]
  var serviceAccounts: Set<String> = []
  var slices: [String: Shared<EndpointSliceManifest>] = [:]
  var peerAuthentications: [String: Shared<PeerAuthenticationManifest>] = [:]
  var policies: [String: Shared<PolicyManifest>] = [:]
  var gateways: [String: Shared<GatewayManifest>] = [:]
  var serviceEntries: [String: Shared<ServiceEntryManifest>] = [:]
  var workloadEntries: [String: Shared<WorkloadEntryManifest>] = [:]
  /// Addresses in a slice behind which it names no pod, by the slice's name.
  private(set) var plainAddresses: [String: [IPAddress]] = [:]

  init(name: String) {
    self.name = name
  }

  /// The labels of the Namespace.
  var labels: [String: String] { namespace?.value.metadata.labels ?? [:] }

  /// Whether its label brings its pods into the mesh.
  func isEnrolled(_ options: CompilerOptions) -> Bool {
    labels[Key.dataplaneMode] == "ambient"
      || options.enrolsInjectionLabel && namespace?.value.isInjected == true
  }

  var isEmpty: Bool {
    namespace == nil && pods.isEmpty && services.isEmpty && serviceAccounts.isEmpty
      && slices.isEmpty && peerAuthentications.isEmpty && policies.isEmpty && gateways.isEmpty
      && serviceEntries.isEmpty && workloadEntries.isEmpty
  }

  /// Whether a pod or an endpoint of it is on one of the nodes.
  func lives(onOneOf nodes: Set<String>) -> Bool {
    pods.values.contains { nodes.contains($0.value.node) }
      || slices.values.contains { slice in
        slice.value.endpoints.contains { nodes.contains($0.node) }
      }
  }

  /// Adds the object, or takes it away again.
  mutating func set(_ manifest: Manifest, named name: String, isThere: Bool) {
    switch manifest {
    case .namespace(let object): namespace = isThere ? object : nil
    case .pod(let pod): pods[name] = isThere ? pod : nil
    case .service(let service): services[name] = isThere ? service : nil
    case .serviceAccount:
      if isThere { serviceAccounts.insert(name) } else { serviceAccounts.remove(name) }
    case .endpointSlice(let slice):
      slices[name] = isThere ? slice : nil
      let plain = slice.value.endpoints.filter { $0.pod == nil }.flatMap(\.addresses)
      plainAddresses[name] = isThere && !plain.isEmpty ? plain.map(\.value) : nil
    case .peerAuthentication(let object): peerAuthentications[name] = isThere ? object : nil
    case .authorizationPolicy(let policy): policies[name] = isThere ? policy : nil
    case .node: break
    case .gateway(let gateway): gateways[name] = isThere ? gateway : nil
    case .serviceEntry(let entry): serviceEntries[name] = isThere ? entry : nil
    case .workloadEntry(let entry): workloadEntries[name] = isThere ? entry : nil
    }
  }
}
