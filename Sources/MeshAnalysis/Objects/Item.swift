import MeshCompiler

/// One object of a kind the analysis looks at.
struct Item: Sendable, Hashable {
  let kind: ObjectKind
  let name: Diagnostic.ObjectName
  /// Empty for an object of a cluster.
  let file: String
  let document: Int
  let line: Int
  let root: Node
  let labels: [String: String]

  var namespace: String { name.namespace }
  var spec: Node { root["spec"] }
  var annotations: Node { root["metadata"]["annotations"] }
  var key: ItemKey { ItemKey(kind: kind, namespace: name.namespace, name: name.name) }

  /// A label's place, for a finding about it.
  func label(_ key: String) -> Node { root["metadata"]["labels"].entry(key) }

  /// As Kubernetes writes moments, which are in the order of their texts; empty comes first.
  private var created: String { root["metadata"]["creationTimestamp"].text ?? "" }

  /// The one that wins where only one can: the oldest, then the first by name.
  func precedes(_ other: Item) -> Bool {
    (created, name.namespace, name.name) < (other.created, other.name.namespace, other.name.name)
  }

  private init?(_ value: ManifestValue, _ object: ManifestObject) {
    let root = Node(value)
    guard let apiVersion = root["apiVersion"].text, let kindName = root["kind"].text,
      let kind = ObjectKind(apiVersion: apiVersion, name: kindName),
      let name = root["metadata"]["name"].text
    else { return nil }
    self.kind = kind
    self.root = root
    let namespace = kind == .namespace ? "" : root["metadata"]["namespace"].text ?? "default"
    self.name = Diagnostic.ObjectName(kind: kindName, namespace: namespace, name: name)
    // Objects of a cluster stand in no document.
    let isInFile = object.document > 0
    file = isInFile ? object.file : ""
    document = object.document
    line = isInFile ? value.line : 0
    labels = root["metadata"]["labels"].labels
  }

  /// The object itself, or those of a v1 List.
  static func all(of object: ManifestObject) -> [Item] {
    object.members.compactMap { Item($0.root, $0) }
  }
}

/// What tells an object from all others.
struct ItemKey: Hashable, Sendable {
  var kind: ObjectKind
  var namespace: String
  var name: String
}

extension Item {
  static func == (a: Item, b: Item) -> Bool { a.key == b.key }

  func hash(into hasher: inout Hasher) { hasher.combine(key) }
}
