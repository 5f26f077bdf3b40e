import MeshModel

/// All objects of a generation, read and sorted by kind.
struct Catalog {
  let options: CompilerOptions
  private(set) var namespaces: [String: Metadata] = [:]
  private(set) var namespaceOrigins: [String: Origin] = [:]
  private(set) var pods: [PodManifest] = []
  private(set) var services: [ServiceManifest] = []
  private(set) var serviceAccounts: [String: Set<String>] = [:]
  private(set) var slices: [EndpointSliceManifest] = []
  private(set) var peerAuthentications: [PeerAuthenticationManifest] = []
  private(set) var policies: [PolicyManifest] = []
  /// Where each node is.
  private(set) var nodes: [String: Locality] = [:]
  private(set) var gateways: [GatewayManifest] = []
  private(set) var serviceEntries: [ServiceEntryManifest] = []
  private(set) var workloadEntries: [WorkloadEntryManifest] = []
  private(set) var diagnostics: [Diagnostic] = []
  private var seen: [Diagnostic.ObjectName: Origin] = [:]

  /// The network of what no label puts on another.
  var network: String {
    namespaces[options.rootNamespace]?.labels[Key.network] ?? options.network
  }

  init(_ objects: [ManifestObject], _ options: CompilerOptions) {
    self.options = options
    guard objects.count <= Limit.objects else {
      diagnostics.append(
        Diagnostic(
          .error, .tooLarge, file: "",
          message: "expected at most \(Limit.objects) objects, found \(objects.count)"))
      return
    }
    for object in objects {
      let origin = Origin(file: object.file, document: object.document, line: object.root.line)
      read(Field(path: "", value: object.root), origin)
    }
  }

  private mutating func read(_ field: Field, _ origin: Origin) {
    var reader = ObjectReader(origin: origin)
    defer { diagnostics += reader.diagnostics }
    guard case .mapping = field.value.content else {
      reader.error(
        .notAnObject, at: field,
        "expected an object with apiVersion and kind, found \(field.value.summary)")
      return
    }
    guard let (apiVersion, name) = reader.type(field) else { return }
    if apiVersion == "v1", name == "List" {
      readItems(field, origin, &reader)
      return
    }
    guard let kind = reader.kind(name, apiVersion: apiVersion, field),
      let root = reader.mapping(field, kind.schema),
      let metadata = reader.metadata(of: root, kind: kind),
      let object = reader.origin.object
    else { return }
    if let first = seen[object] {
      reader.report(
        .error, .duplicateObject, at: "", line: origin.line,
        "expected each object once; it is also at \(first.place)")
      return
    }
    seen[object] = reader.origin
    add(kind, root, metadata, &reader)
  }

  /// The items of a v1 List, as if each stood alone.
  private mutating func readItems(
    _ field: Field, _ origin: Origin, _ reader: inout ObjectReader
  ) {
    guard let list = reader.mapping(field, Schema("apiVersion kind metadata items")) else { return }
    for item in reader.list(list["items"]) {
      var place = origin
      place.line = item.line
      read(Field(path: "", value: item.value), place)
    }
  }

  private mutating func add(
    _ kind: Kind, _ root: Fields, _ metadata: Metadata, _ reader: inout ObjectReader
  ) {
    switch kind {
    case .namespace:
      namespaces[metadata.name] = metadata
      namespaceOrigins[metadata.name] = reader.origin
      reader.checkDataplaneMode(metadata)
    case .pod:
      pods.append(PodManifest(root, metadata, &reader))
      reader.checkDataplaneMode(metadata)
    case .service: services.append(ServiceManifest(root, metadata, &reader))
    case .serviceAccount:
      serviceAccounts[metadata.namespace, default: []].insert(metadata.name)
    case .endpointSlice: slices.append(EndpointSliceManifest(root, metadata, &reader))
    case .peerAuthentication:
      peerAuthentications.append(PeerAuthenticationManifest(root, metadata, &reader))
    case .authorizationPolicy:
      policies.append(
        PolicyManifest(root, metadata, rootNamespace: options.rootNamespace, &reader))
    case .node:
      let labels = metadata.labels
      nodes[metadata.name] = Locality(
        region: labels[Key.region] ?? "", zone: labels[Key.zone] ?? "",
        subzone: labels[Key.subzone] ?? "")
    case .gateway: gateways.append(GatewayManifest(root, metadata, &reader))
    case .serviceEntry: serviceEntries.append(ServiceEntryManifest(root, metadata, &reader))
    case .workloadEntry: workloadEntries.append(WorkloadEntryManifest(root, metadata, &reader))
    }
  }
}

extension ObjectReader {
  /// The words of `apiVersion` and `kind`; nil when one is missing, which is reported.
  fileprivate mutating func type(_ field: Field) -> (apiVersion: String, kind: String)? {
    var words: [String] = []
    for key in ["apiVersion", "kind"] {
      guard let value = field.value[key], value.content != .null else {
        report(.error, .notAnObject, at: key, line: field.line, "expected \(key), found nothing")
        return nil
      }
      guard let word = string(Field(path: key, value: value)) else { return nil }
      words.append(word.value)
    }
    return (words[0], words[1])
  }

  /// A kind of Istio's security group that waypoints apply and nobody else.
  private static let requestAuthentication = "RequestAuthentication"

  /// The kind to read; nil for others, which are reported.
  ///
  /// A known kind in a version nobody knows is an error, and so is a kind nobody knows beside the
  /// policies: to skip a policy could let somebody in.
  fileprivate mutating func kind(_ name: String, apiVersion: String, _ field: Field) -> Kind? {
    if let kind = Kind(rawValue: name), kind.apiVersions.contains(apiVersion) { return kind }
    let group = apiVersion.split(separator: "/").count == 2 ? apiVersion.prefix { $0 != "/" } : ""
    let line = field.value["kind"]?.line ?? field.line
    if let kind = Kind(rawValue: name), kind.group == group {
      report(
        .error, .unknownKind, at: "apiVersion", line: line,
        "expected \(alternatives(kind.apiVersions)) for \(name), found \(quoted(apiVersion))")
      return nil
    }
    let candidates = Kind.allCases.filter { $0.group == group }.map(\.rawValue)
    let hint = nearest(to: name, among: candidates).map { "; did you mean \($0)?" } ?? ""
    if group == Kind.authorizationPolicy.group, name != Self.requestAuthentication {
      report(
        .error, .unknownKind, at: "kind", line: line,
        "expected \(alternatives(candidates + [Self.requestAuthentication])) of group "
          + "\(group), found \(quoted(name))\(hint)")
      return nil
    }
    report(
      .warning, .unknownKind, at: "kind", line: line,
      "\(quoted(name)) of \(quoted(apiVersion)) is not used here, skipped\(hint)")
    return nil
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
