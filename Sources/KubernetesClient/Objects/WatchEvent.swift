import MeshCompiler

/// One line of a watch.
public enum WatchEvent: Hashable, Sendable {
  /// Added or changed.
  case applied(ReceivedObject)
  case deleted(ReceivedObject)
  /// Nothing changed up to this version.
  case bookmark(resourceVersion: String)
  /// The watch is over, and why.
  case error(APIStatus)
  /// A kind of event that later servers may have.
  case unknown(String)

  public init(_ line: [UInt8], _ form: ObjectForm) throws(KubernetesError) {
    do throws(JSONProblem) {
      self = try Self.read(line, form)
    } catch {
      throw .malformed(reason: error.message)
    }
  }

  private static func read(
    _ line: [UInt8], _ form: ObjectForm
  ) throws(JSONProblem) -> WatchEvent {
    var reader = JSONReader(line)
    var type: String?
    var object: Range<Int>?
    var isFirst = true
    while let key = try reader.nextKey(isFirst: isFirst) {
      isFirst = false
      if reader.isEqual(key, "type") {
        type = try reader.string()
      } else if reader.isEqual(key, "object") {
        object = try reader.skipValue()
      } else {
        try reader.skipValue()
      }
    }
    try reader.finish()
    guard let type, let object else {
      throw JSONProblem(kind: .syntax, message: "an event without type and object")
    }
    var inside = JSONReader(line, object)
    switch type {
    case "ADDED", "MODIFIED": return .applied(try inside.object(form))
    case "DELETED": return .deleted(try inside.object(form))
    case "BOOKMARK":
      let value = try inside.value(.fields(["metadata": .words("resourceVersion")]))
      guard let version = value["metadata"]?["resourceVersion"]?.text else {
        throw JSONProblem(kind: .syntax, message: "a bookmark without a version")
      }
      return .bookmark(resourceVersion: version)
    case "ERROR": return .error(APIStatus(try inside.value(APIStatus.selection)))
    default: return .unknown(String(type.prefix(Limit.messageBytes)))
    }
  }
}
