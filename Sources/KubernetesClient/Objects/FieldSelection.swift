/// The part of an object that is kept; the rest is passed over without being built.
public struct FieldSelection: Sendable {
  enum Rule: Sendable {
    case all
    /// The fields named are left out.
    case allBut
    case only
  }

  struct Field: Sendable {
    let key: String
    let bytes: [UInt8]
    let inner: FieldSelection

    init(_ key: some StringProtocol, _ inner: FieldSelection = .all) {
      self.key = String(key)
      self.inner = inner
      bytes = Array(key.utf8)
    }
  }

  let rule: Rule
  let named: [Field]

  /// Everything.
  public static let all = FieldSelection(rule: .all, named: [])

  /// Everything but these keys.
  public static func allBut(_ keys: [String]) -> FieldSelection {
    FieldSelection(rule: .allBut, named: keys.map { Field($0) })
  }

  /// These keys, each as far as its own selection goes; a list is passed through to its items.
  public static func fields(_ fields: KeyValuePairs<String, FieldSelection>) -> FieldSelection {
    FieldSelection(rule: .only, named: fields.map { Field($0.key, $0.value) })
  }

  /// These keys, separated by spaces, whole.
  public static func words(_ keys: String) -> FieldSelection {
    FieldSelection(rule: .only, named: keys.split(separator: " ").map { Field($0) })
  }

  /// What every object has that anybody needs.
  public static let metadata = FieldSelection.fields([
    "name": .all, "namespace": .all, "uid": .all, "resourceVersion": .all, "labels": .all,
    "annotations": .allBut(["kubectl.kubernetes.io/last-applied-configuration"]),
    "creationTimestamp": .all, "deletionTimestamp": .all,
    "ownerReferences": .words("apiVersion kind name controller"),
  ])

  static let identity = FieldSelection.fields([
    "metadata": .words("name namespace resourceVersion")
  ])
}
