import MeshCompiler

/// One page of a list.
public struct ListPage: Hashable, Sendable {
  public var objects: [ReceivedObject] = []
  /// The version of the whole list, from which to watch.
  public var resourceVersion = ""
  /// What to ask for the next page with; nil on the last one.
  public var next: String?

  public init(objects: [ReceivedObject] = [], resourceVersion: String, next: String? = nil) {
    self.objects = objects
    self.resourceVersion = resourceVersion
    self.next = next
  }

  /// Reads the answer to a list; what it calls itself is not looked at.
  public init(_ bytes: [UInt8], _ form: ObjectForm) throws(KubernetesError) {
    do throws(JSONProblem) {
      try self.init(reading: bytes, form)
    } catch {
      throw .malformed(reason: error.message)
    }
  }

  private init(reading bytes: [UInt8], _ form: ObjectForm) throws(JSONProblem) {
    var reader = JSONReader(bytes)
    var isFirst = true
    while let key = try reader.nextKey(isFirst: isFirst) {
      isFirst = false
      if reader.isEqual(key, "metadata") {
        let metadata = try reader.value(.words("resourceVersion continue"))
        resourceVersion = metadata["resourceVersion"]?.text ?? ""
        next = metadata["continue"]?.text.flatMap { $0.isEmpty ? nil : $0 }
      } else if reader.isEqual(key, "items") {
        try readItems(&reader, form)
      } else {
        try reader.skipValue()
      }
    }
    try reader.finish()
    guard !resourceVersion.isEmpty else {
      throw JSONProblem(kind: .syntax, message: "a list without metadata.resourceVersion")
    }
  }

  private mutating func readItems(
    _ reader: inout JSONReader, _ form: ObjectForm
  ) throws(JSONProblem) {
    var whole = reader
    let range = try whole.skipValue()
    // An empty list may be written as null.
    if range.count == 4, reader.isEqual(range, "null") {
      reader = whole
      return
    }
    var isFirst = true
    while try reader.nextItem(isFirst: isFirst) {
      isFirst = false
      objects.append(try reader.object(form))
    }
  }
}
