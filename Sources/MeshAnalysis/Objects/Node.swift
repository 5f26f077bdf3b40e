import MeshCompiler

/// A value of an object with the path to it; one that is absent holds nothing.
///
/// Reading is lenient: what has another type than expected counts as absent. The compiler and the
/// API say what is wrong with an object by itself; here it is about what objects mean together.
struct Node: Sendable {
  /// Such as `spec.rules[0].from`.
  let path: String
  /// Of its parent when it is absent.
  let line: Int
  let value: ManifestValue?

  init(_ value: ManifestValue, path: String = "") {
    self.path = path
    line = value.line
    self.value = value.content == .null ? nil : value
  }

  private init(absentAt path: String, line: Int) {
    self.path = path
    self.line = line
    value = nil
  }

  var isWritten: Bool { value != nil }

  subscript(key: String) -> Node {
    let inner = path.isEmpty ? key : "\(path).\(key)"
    guard let value = value?[key] else { return Node(absentAt: inner, line: line) }
    return Node(value, path: inner)
  }

  /// A key that is no plain word, such as a label's: `metadata.labels["a.b/c"]`.
  func entry(_ key: String) -> Node {
    let inner = "\(path)[\(quoted(key))]"
    guard let value = value?[key] else { return Node(absentAt: inner, line: line) }
    return Node(value, path: inner)
  }

  var text: String? {
    guard case .string(let text)? = value?.content else { return nil }
    return text
  }

  var integer: Int? {
    guard case .integer(let number)? = value?.content else { return nil }
    return Int(exactly: number)
  }

  /// A port as a number, or as policies write it, in quotes.
  var port: Int? { integer ?? text.flatMap { Int($0) } }

  var isTrue: Bool { value?.content == .boolean(true) }

  var items: [Node] {
    guard case .sequence(let items)? = value?.content else { return [] }
    return items.enumerated().map { Node($1, path: "\(path)[\($0)]") }
  }

  var entries: [ManifestValue.Entry] {
    guard case .mapping(let entries)? = value?.content else { return [] }
    return entries
  }

  /// The strings of a list, each with its place.
  var texts: [(text: String, node: Node)] {
    items.compactMap { item in item.text.map { ($0, item) } }
  }

  /// A mapping from names to strings, such as labels.
  var labels: [String: String] {
    var labels: [String: String] = [:]
    for entry in entries {
      if case .string(let text) = entry.value.content { labels[entry.key] = text }
    }
    return labels
  }

  /// A mapping without a single condition in it, or none at all.
  var isEmpty: Bool {
    guard let value else { return true }
    switch value.content {
    case .mapping(let entries): return entries.allSatisfy { $0.value.content == .null }
    case .sequence(let items): return items.isEmpty
    case .null: return true
    case .boolean, .integer, .number, .string: return false
    }
  }
}
