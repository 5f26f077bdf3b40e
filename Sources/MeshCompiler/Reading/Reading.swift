/// What the objects of one source say, each read on its own.
struct Reading: Equatable {
  /// An object with a name.
  struct Item: Equatable {
    var name: Diagnostic.ObjectName
    var origin: Origin
    var manifest: Manifest
  }

  private(set) var items: [Item] = []
  private(set) var diagnostics: [Diagnostic] = []
  /// Objects as they came; a list counts as one.
  let objectCount: Int

  init(_ objects: [ManifestObject], _ options: CompilerOptions) {
    objectCount = objects.count
    // Of two objects of one name the one that stands first counts, in whatever order they come.
    for object in objects.sorted(by: { $0.document < $1.document }) {
      let origin = Origin(file: object.file, document: object.document, line: object.root.line)
      read(Field(path: "", value: object.root), origin, options)
    }
  }

  private mutating func read(
    _ field: Field, _ origin: Origin, _ options: CompilerOptions
  ) {
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
      readItems(field, origin, options, &reader)
      return
    }
    guard let kind = reader.kind(name, apiVersion: apiVersion, field),
      let root = reader.mapping(field, kind.schema),
      let metadata = reader.metadata(of: root, kind: kind),
      let object = reader.origin.object
    else { return }
    let manifest = Manifest(kind, root, metadata, options, &reader)
    items.append(Item(name: object, origin: reader.origin, manifest: manifest))
  }

  /// The items of a v1 List, as if each stood alone.
  private mutating func readItems(
    _ field: Field, _ origin: Origin, _ options: CompilerOptions, _ reader: inout ObjectReader
  ) {
    guard let list = reader.mapping(field, Schema("apiVersion kind metadata items")) else { return }
    for item in reader.list(list["items"]) {
      var place = origin
      place.line = item.line
      read(Field(path: "", value: item.value), place, options)
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
}
