import MeshModel

/// Where an object was written, for findings that come up after it was read.
struct Origin: Hashable, Sendable {
  var file: String
  var document: Int
  var line: Int
  var object: Diagnostic.ObjectName?

  func diagnostic(
    _ severity: Diagnostic.Severity, _ code: Diagnostic.Code, field: String = "",
    line: Int? = nil, _ message: String
  ) -> Diagnostic {
    Diagnostic(
      severity, code, file: file, document: document, line: line ?? self.line, object: object,
      field: field, message: message)
  }

  /// The place for another object's message: `web.yaml:12`; its name where it is in no file.
  var place: String { file.isEmpty ? object?.description ?? "" : "\(file):\(line)" }
}

extension Origin: Comparable {
  /// By place; by name where no place is known.
  static func < (a: Self, b: Self) -> Bool {
    if (a.file, a.document, a.line) != (b.file, b.document, b.line) {
      return (a.file, a.document, a.line) < (b.file, b.document, b.line)
    }
    guard let first = a.object, let second = b.object else {
      return a.object == nil && b.object != nil
    }
    return first < second
  }
}

/// Reads the fields of one object and keeps what there is to say about them.
///
/// A read answers nil both for an absent field and for one of the wrong type; the second leaves an
/// error behind, so that a reader may go on and find everything in one pass.
struct ObjectReader {
  var origin: Origin
  private(set) var diagnostics: [Diagnostic] = []
  private(set) var errorCount = 0

  init(origin: Origin) {
    self.origin = origin
  }

  mutating func report(
    _ severity: Diagnostic.Severity, _ code: Diagnostic.Code, at path: String, line: Int,
    _ message: String
  ) {
    if severity == .error { errorCount += 1 }
    diagnostics.append(
      origin.diagnostic(severity, code, field: path, line: line, message))
  }

  mutating func error(_ code: Diagnostic.Code, at field: Field, _ message: String) {
    report(.error, code, at: field.path, line: field.line, message)
  }

  mutating func invalid(_ written: Written<some Any>, _ message: String) {
    report(.error, .invalidValue, at: written.path, line: written.line, message)
  }

  /// The mapping in `field`; unknown keys are warned about.
  mutating func mapping(_ field: Field?, _ schema: Schema) -> Fields? {
    guard let field else { return nil }
    guard case .mapping(let entries) = field.value.content else {
      error(.wrongType, at: field, "expected a mapping, found \(field.value.summary)")
      return nil
    }
    reportUnknown(entries.filter { !schema.known.contains($0.key) }, in: field, schema)
    let values = Dictionary(
      entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    return Fields(path: field.path, line: field.line, values: values)
  }

  private mutating func reportUnknown(
    _ entries: [ManifestValue.Entry], in field: Field, _ schema: Schema
  ) {
    let effect = schema.unknownField == .error ? "unknown field" : "unknown field, ignored"
    for entry in entries.prefix(Limit.unknownFields) {
      let hint = schema.nearest(to: entry.key).map { "; did you mean \($0)?" } ?? ""
      let path = field.path.isEmpty ? shown(entry.key) : "\(field.path).\(shown(entry.key))"
      report(schema.unknownField, .unknownField, at: path, line: entry.line, "\(effect)\(hint)")
    }
    if entries.count > Limit.unknownFields {
      report(
        schema.unknownField, .unknownField, at: field.path, line: field.line,
        "\(entries.count - Limit.unknownFields) more unknown fields")
    }
  }

  /// The items of the list in `field`, each with its own path; null items are errors.
  mutating func list(_ field: Field?) -> [Field] {
    guard let field else { return [] }
    guard case .sequence(let items) = field.value.content else {
      error(.wrongType, at: field, "expected a list, found \(field.value.summary)")
      return []
    }
    var read: [Field] = []
    for (index, item) in items.enumerated() {
      let item = Field(path: "\(field.path)[\(index)]", value: item)
      if item.value.content == .null {
        error(.wrongType, at: item, "expected a value, found nothing")
      } else {
        read.append(item)
      }
    }
    return read
  }

  mutating func mappings(_ field: Field?, _ schema: Schema) -> [Fields] {
    var read: [Fields] = []
    for item in list(field) {
      if let fields = mapping(item, schema) { read.append(fields) }
    }
    return read
  }

  mutating func string(_ field: Field?) -> Written<String>? {
    guard let field else { return nil }
    guard case .string(let text) = field.value.content else {
      error(
        .wrongType, at: field, "expected a string, found \(field.value.summary)\(quotesHint(field))"
      )
      return nil
    }
    return Written(value: text, path: field.path, line: field.line)
  }

  mutating func boolean(_ field: Field?) -> Bool? {
    guard let field else { return nil }
    guard case .boolean(let value) = field.value.content else {
      error(.wrongType, at: field, "expected true or false, found \(field.value.summary)")
      return nil
    }
    return value
  }

  mutating func strings(_ field: Field?) -> [Written<String>] {
    var read: [Written<String>] = []
    for item in list(field) {
      if let text = string(item) { read.append(text) }
    }
    return read
  }

  /// One of a fixed set of words.
  mutating func word(_ field: Field?, of words: [String]) -> String? {
    guard let written = string(field) else { return nil }
    guard words.contains(written.value) else {
      let hint = nearest(to: written.value, among: words).map { "; did you mean \($0)?" } ?? ""
      invalid(
        written, "expected \(alternatives(words)), found \(quoted(written.value))\(hint)")
      return nil
    }
    return written.value
  }

  /// A mapping from names to strings, such as labels.
  mutating func texts(_ field: Field?) -> [String: String] {
    guard let field else { return [:] }
    guard case .mapping(let entries) = field.value.content else {
      error(.wrongType, at: field, "expected a mapping, found \(field.value.summary)")
      return [:]
    }
    var read: [String: String] = [:]
    for entry in entries where entry.value.content != .null {
      let item = Field(path: "\(field.path)[\(quoted(entry.key))]", value: entry.value)
      if let text = string(item) { read[entry.key] = text.value }
    }
    return read
  }

  /// A port written as a number.
  mutating func port(_ field: Field?) -> UInt16? {
    guard let field else { return nil }
    guard case .integer(let number) = field.value.content else {
      error(
        .wrongType, at: field,
        "expected a port number from 1 to 65535, found \(field.value.summary)")
      return nil
    }
    guard let port = UInt16(exactly: number), port > 0 else {
      error(.invalidValue, at: field, "expected a port number from 1 to 65535, found \(number)")
      return nil
    }
    return port
  }

  mutating func address(_ field: Field?) -> Written<IPAddress>? {
    guard let written = string(field) else { return nil }
    guard let address = IPAddress(written.value) else {
      invalid(
        written, "expected an IPv4 or IPv6 address, found \(quoted(written.value))")
      return nil
    }
    guard !address.isUnspecified else {
      invalid(written, "expected the address of one host, found \(address)")
      return nil
    }
    return Written(value: address, path: written.path, line: written.line)
  }

  private func quotesHint(_ field: Field) -> String {
    switch field.value.content {
    case .boolean, .integer, .number: "; write it in quotes"
    case .null, .string, .sequence, .mapping: ""
    }
  }

  private func shown(_ key: String) -> String {
    let isPlain = key.utf8.allSatisfy { byte in
      byte == 0x2d || byte == 0x5f || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
        || (0x61...0x7a).contains(byte)
    }
    return isPlain && !key.isEmpty && key.utf8.count <= Limit.quotedScalars ? key : quoted(key)
  }
}

/// `a, b or c`, for messages.
func alternatives(_ words: [String]) -> String {
  guard let last = words.last, words.count > 1 else { return words.first ?? "nothing" }
  return words.dropLast().joined(separator: ", ") + " or " + last
}
