import MeshModel

/// All objects of a generation, read and sorted by kind.
struct Catalog {
  let options: CompilerOptions
  private(set) var namespaces: [String: Metadata] = [:]
  private(set) var pods: [PodManifest] = []
  private(set) var services: [ServiceManifest] = []
  private(set) var serviceAccounts: [String: Set<String>] = [:]
  private(set) var slices: [EndpointSliceManifest] = []
  private(set) var peerAuthentications: [PeerAuthenticationManifest] = []
  private(set) var policies: [PolicyManifest] = []
  private(set) var diagnostics: [Diagnostic] = []
  private var seen: [Diagnostic.ObjectName: Origin] = [:]

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

  /// The kind to read; nil for others, which are reported.
  ///
  /// A known kind in a version nobody knows is an error: to skip a policy could let somebody in.
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
