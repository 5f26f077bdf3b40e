/// A value on its way into a type: what was written, where, and the path to it.
struct Field {
  /// Such as `spec.rules[0].from`.
  let path: String
  let value: ManifestValue

  var line: Int { value.line }
}

/// A mapping whose keys were held against its schema.
struct Fields: Equatable {
  let path: String
  let line: Int
  private let values: [String: ManifestValue]

  init(path: String, line: Int, values: [String: ManifestValue]) {
    self.path = path
    self.line = line
    self.values = values
  }

  /// A mapping nobody wrote: it stands where its parent stands and holds nothing.
  static func absent(at path: String, line: Int) -> Fields {
    Fields(path: path, line: line, values: [:])
  }

  /// The field under `key`; nil when it is absent or null, which mean the same to Kubernetes.
  subscript(key: String) -> Field? {
    guard let value = values[key], value.content != .null else { return nil }
    return Field(path: pathOf(key), value: value)
  }

  func pathOf(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
}

/// A value read, and where it was written.
struct Written<Value> {
  var value: Value
  var path: String
  var line: Int
}

extension Written: Equatable where Value: Equatable {}
extension Written: Sendable where Value: Sendable {}

/// The field names a mapping may have.
struct Schema: Sendable {
  /// All that Kubernetes or Istio defines there.
  let known: [String]
  /// What an unknown field is: an error where ignoring it could let somebody in.
  let unknownField: Diagnostic.Severity

  init(_ names: String, unknownField: Diagnostic.Severity = .warning) {
    self.unknownField = unknownField
    known = names.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init)
  }

  /// The known name that `name` was most likely meant to be.
  func nearest(to name: String) -> String? {
    MeshCompiler.nearest(to: name, among: known)
  }
}

/// The candidate with the fewest typing errors from `name`; nil when none is near.
public func nearest(to name: String, among candidates: [String]) -> String? {
  let typed = Array(name.lowercased().utf8.prefix(Limit.comparedNameBytes))
  var best: (name: String, errors: Int)?
  for candidate in candidates {
    let errors = typingErrors(typed, Array(candidate.lowercased().utf8))
    guard errors <= min(Limit.typingErrors, candidate.utf8.count / 2) else { continue }
    if errors < best?.errors ?? Int.max { best = (candidate, errors) }
  }
  return best?.name
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`.
///
/// Source: the optimal string alignment distance.
private func typingErrors(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  for (row, letter) in a.enumerated() {
    var current = [row + 1]
    for (column, other) in b.enumerated() {
      let replaced = last[column] + (letter == other ? 0 : 1)
      var cheapest = min(replaced, last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, letter == b[column - 1], a[row - 1] == other {
        cheapest = min(cheapest, beforeLast[column - 1] + 1)
      }
      current.append(cheapest)
    }
    (beforeLast, last) = (last, current)
  }
  return last[b.count]
}
