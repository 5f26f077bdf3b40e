import MeshModel

/// One object as far as the mesh cares, shared by all that is made of it.
enum Manifest: Equatable {
  case namespace(Shared<NamespaceManifest>)
  case pod(Shared<PodManifest>)
  case service(Shared<ServiceManifest>)
  case serviceAccount
  case endpointSlice(Shared<EndpointSliceManifest>)
  case peerAuthentication(Shared<PeerAuthenticationManifest>)
  case authorizationPolicy(Shared<PolicyManifest>)
  /// Where it is.
  case node(Locality)
  case gateway(Shared<GatewayManifest>)
  case serviceEntry(Shared<ServiceEntryManifest>)
  case workloadEntry(Shared<WorkloadEntryManifest>)

  init(
    _ kind: Kind, _ root: Fields, _ metadata: Metadata, _ options: CompilerOptions,
    _ reader: inout ObjectReader
  ) {
    switch kind {
    case .namespace:
      self = .namespace(Shared(NamespaceManifest(metadata, &reader)))
      if !options.enrolsInjectionLabel { reader.explainInjection(metadata) }
    case .pod:
      self = .pod(Shared(PodManifest(root, metadata, &reader)))
      reader.checkDataplaneMode(metadata)
    case .service:
      self = .service(Shared(ServiceManifest(root, metadata, &reader)))
    case .serviceAccount:
      self = .serviceAccount
    case .endpointSlice:
      self = .endpointSlice(Shared(EndpointSliceManifest(root, metadata, &reader)))
    case .peerAuthentication:
      self = .peerAuthentication(Shared(PeerAuthenticationManifest(root, metadata, &reader)))
    case .authorizationPolicy:
      self = .authorizationPolicy(
        Shared(
          PolicyManifest(root, metadata, rootNamespace: options.rootNamespace, &reader)))
    case .node:
      let labels = metadata.labels
      self = .node(
        Locality(
          region: labels[Key.region] ?? "", zone: labels[Key.zone] ?? "",
          subzone: labels[Key.subzone] ?? ""))
    case .gateway:
      self = .gateway(Shared(GatewayManifest(root, metadata, &reader)))
    case .serviceEntry:
      self = .serviceEntry(Shared(ServiceEntryManifest(root, metadata, &reader)))
    case .workloadEntry:
      self = .workloadEntry(Shared(WorkloadEntryManifest(root, metadata, &reader)))
    }
  }
}

/// A v1 Namespace, as far as the mesh cares.
struct NamespaceManifest: Equatable {
  var origin: Origin
  var metadata: Metadata
  /// What its annotation says of its services.
  var distribution: LoadBalancing?
  /// What it says for its pods.
  var connectionWish: ConnectionWish

  /// Whether it asks for the mesh in the words of sidecars alone.
  var isInjected: Bool { metadata.isInjected }

  init(_ metadata: Metadata, _ reader: inout ObjectReader) {
    self.metadata = metadata
    origin = reader.origin
    // A word that is none says nothing here; beside a service it is an error.
    var silent = ObjectReader(origin: reader.origin)
    distribution = silent.distribution(annotations: metadata.annotations)
    connectionWish = reader.connectionWish(metadata.annotations)
    reader.checkDataplaneMode(metadata)
  }
}

extension Metadata {
  fileprivate var isInjected: Bool {
    labels[Key.injection] == "enabled" && labels[Key.dataplaneMode] == nil
  }
}

extension ObjectReader {
  /// Says why a namespace that was labelled for sidecars is not in the mesh.
  fileprivate mutating func explainInjection(_ metadata: Metadata) {
    guard metadata.isInjected else { return }
    report(
      .warning, .notCovered, at: "metadata.labels[\(quoted(Key.injection))]", line: origin.line,
      "it enrols nothing here: label the namespace \(Key.dataplaneMode): ambient, or run with "
        + "--enroll-injection-label")
  }

  fileprivate mutating func checkDataplaneMode(_ metadata: Metadata) {
    guard let mode = metadata.labels[Key.dataplaneMode], !["ambient", "none"].contains(mode) else {
      return
    }
    report(
      .warning, .invalidValue, at: "metadata.labels[\(quoted(Key.dataplaneMode))]",
      line: origin.line, "expected ambient or none, found \(quoted(mode)), which enrols nothing")
  }
}
