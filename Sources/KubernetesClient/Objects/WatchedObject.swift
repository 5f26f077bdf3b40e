public import MeshCompiler

/// Which object of a kind; the namespace is empty for a kind that has none.
public struct ObjectName: Hashable, Sendable, Comparable, CustomStringConvertible {
  public var namespace: String
  public var name: String

  public init(namespace: String, name: String) {
    self.namespace = namespace
    self.name = name
  }

  /// From `NAMESPACE/NAME`; nil when it is none.
  public init?(slashed text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, !parts.contains("") else { return nil }
    self.init(namespace: parts[0], name: parts[1])
  }

  public static func < (a: Self, b: Self) -> Bool {
    (a.namespace, a.name) < (b.namespace, b.name)
  }

  public var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
}

/// One object as the API has it, as far as its selection goes.
public struct WatchedObject: Hashable, Sendable {
  public var name: ObjectName
  /// Compared for being the same, never for order.
  public var resourceVersion: String
  /// With `apiVersion` and `kind`, without `metadata.resourceVersion`.
  public var root: ManifestValue

  public init(name: ObjectName, resourceVersion: String, root: ManifestValue) {
    self.name = name
    self.resourceVersion = resourceVersion
    self.root = root
  }
}

/// An object beyond our limits: known by name, not read.
public struct RefusedObject: Hashable, Sendable {
  public var name: ObjectName
  public var resourceVersion: String
  public var reason: String

  public init(name: ObjectName, resourceVersion: String, reason: String) {
    self.name = name
    self.resourceVersion = resourceVersion
    self.reason = reason
  }
}

/// An object as it came.
public enum ReceivedObject: Hashable, Sendable {
  case object(WatchedObject)
  case refused(RefusedObject)

  public var name: ObjectName {
    switch self {
    case .object(let object): object.name
    case .refused(let object): object.name
    }
  }

  var resourceVersion: String {
    switch self {
    case .object(let object): object.resourceVersion
    case .refused(let object): object.resourceVersion
    }
  }
}

/// How the objects of a resource are read.
public struct ObjectForm: Sendable {
  public var apiVersion: String
  public var kind: String
  public var selection: FieldSelection

  public init(apiVersion: String, kind: String, selection: FieldSelection) {
    self.apiVersion = apiVersion
    self.kind = kind
    self.selection = selection
  }
}

extension JSONReader {
  /// The object that comes next.
  ///
  /// One beyond our limits is passed over and known by its name, so that those beside it count.
  mutating func object(_ form: ObjectForm) throws(JSONProblem) -> ReceivedObject {
    let start = self
    let range = try skipValue()
    let reason: String
    if range.count > Limit.objectBytes {
      reason = "it has \(range.count) bytes, at most \(Limit.objectBytes) are taken"
    } else {
      var inside = start
      do throws(JSONProblem) {
        let root = try inside.value(form.selection)
        return .object(try WatchedObject(root, form))
      } catch {
        guard error.kind == .beyondLimits else { throw error }
        reason = "it has \(error.message)"
      }
    }
    var inside = start
    let identity = try WatchedObject(try inside.value(.identity), form)
    return .refused(
      RefusedObject(
        name: identity.name, resourceVersion: identity.resourceVersion, reason: reason))
  }
}

extension WatchedObject {
  fileprivate init(_ root: ManifestValue, _ form: ObjectForm) throws(JSONProblem) {
    guard case .mapping(let fields) = root.content,
      let metadata = root["metadata"], case .mapping(let entries) = metadata.content,
      let name = metadata["name"]?.text, !name.isEmpty
    else { throw JSONProblem(kind: .syntax, message: "an object without metadata and name") }
    let rest = entries.filter { $0.key != "resourceVersion" }
    var own: [ManifestValue.Entry] = [
      .init(key: "apiVersion", line: 0, value: .text(form.apiVersion)),
      .init(key: "kind", line: 0, value: .text(form.kind)),
      .init(key: "metadata", line: 0, value: ManifestValue(.mapping(rest), line: 0)),
    ]
    own += fields.filter { !["apiVersion", "kind", "metadata"].contains($0.key) }
    self.init(
      name: ObjectName(namespace: metadata["namespace"]?.text ?? "", name: name),
      resourceVersion: metadata["resourceVersion"]?.text ?? "",
      root: ManifestValue(.mapping(own), line: 0))
  }
}
