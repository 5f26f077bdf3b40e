import MeshCompiler

/// What is wrong with a text that should be JSON.
struct JSONProblem: Error, Hashable {
  enum Kind: Hashable {
    case syntax
    /// The text is JSON, but this object is beyond what we take.
    case beyondLimits
  }

  var kind: Kind
  var message: String
}

/// Reads JSON into trees, and passes over what a selection leaves out.
///
/// What is kept is held to RFC 8259, without a key twice; of what is passed over only strings and
/// brackets are looked at, without recursion. Lines of the trees are 0: the API has none.
struct JSONReader {
  private let bytes: [UInt8]
  private(set) var position: Int
  private let end: Int
  private var valuesLeft = Limit.objectValues

  init(_ bytes: [UInt8]) {
    self.init(bytes, bytes.indices)
  }

  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// One value and nothing after it.
  static func value(
    _ bytes: [UInt8], _ selection: FieldSelection = .all
  ) throws(JSONProblem) -> ManifestValue {
    var reader = JSONReader(bytes)
    let value = try reader.value(selection)
    try reader.finish()
    return value
  }

  mutating func finish() throws(JSONProblem) {
    skipSpace()
    guard position == end else { throw unexpected("the end") }
  }

  /// A value, with a budget of its own.
  mutating func value(_ selection: FieldSelection) throws(JSONProblem) -> ManifestValue {
    valuesLeft = Limit.objectValues
    return try value(selection, depth: 0)
  }

  private mutating func value(
    _ selection: FieldSelection, depth: Int
  ) throws(JSONProblem) -> ManifestValue {
    guard depth <= Limit.keptDepth else {
      throw beyond("more than \(Limit.keptDepth) levels of objects and arrays")
    }
    guard valuesLeft > 0 else { throw beyond("more than \(Limit.objectValues) values") }
    valuesLeft -= 1
    skipSpace()
    guard let byte = peek else { throw unexpected("a value") }
    switch byte {
    case UInt8(ascii: "{"):
      return ManifestValue(.mapping(try entries(selection, depth)), line: 0)
    case UInt8(ascii: "["):
      return ManifestValue(.sequence(try items(selection, depth)), line: 0)
    case UInt8(ascii: "\""):
      return ManifestValue(.string(try string()), line: 0)
    case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
      return ManifestValue(try word(), line: 0)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return ManifestValue(try number(), line: 0)
    default:
      throw unexpected("a value")
    }
  }

  private mutating func entries(
    _ selection: FieldSelection, _ depth: Int
  ) throws(JSONProblem) -> [ManifestValue.Entry] {
    var entries: [ManifestValue.Entry] = []
    var keys = UniqueKeys()
    var isFirst = true
    while let range = try nextKey(isFirst: isFirst) {
      isFirst = false
      guard let (key, inner) = try chosen(range, selection) else {
        try skipValue()
        continue
      }
      guard keys.isNew(key, entries) else { throw beyond("the key \(key) twice") }
      entries.append(.init(key: key, line: 0, value: try value(inner, depth: depth + 1)))
    }
    return entries
  }

  private mutating func items(
    _ selection: FieldSelection, _ depth: Int
  ) throws(JSONProblem) -> [ManifestValue] {
    var items: [ManifestValue] = []
    while try nextItem(isFirst: items.isEmpty) {
      items.append(try value(selection, depth: depth + 1))
    }
    return items
  }

  /// The key in `range`, and how much of its value is kept; nil when nothing is.
  private func chosen(
    _ range: Range<Int>, _ selection: FieldSelection
  ) throws(JSONProblem) -> (String, FieldSelection)? {
    switch selection.rule {
    case .all:
      return (try text(range), .all)
    case .allBut:
      let isLeftOut = selection.named.contains { isEqual($0.bytes, range) }
      return isLeftOut ? nil : (try text(range), .all)
    case .only:
      for field in selection.named where isEqual(field.bytes, range) {
        return (field.key, field.inner)
      }
      return nil
    }
  }

  private func isEqual(_ expected: [UInt8], _ range: Range<Int>) -> Bool {
    guard expected.count == range.count else { return false }
    for index in 0..<expected.count where bytes[range.lowerBound + index] != expected[index] {
      return false
    }
    return true
  }
}

// MARK: Walking

extension JSONReader {
  /// Steps into a mapping or on to its next key, behind the colon; nil at its end.
  ///
  /// The range is that of the key between its quotes.
  mutating func nextKey(isFirst: Bool) throws(JSONProblem) -> Range<Int>? {
    skipSpace()
    guard isFirst ? take("{") : true else { throw unexpected("an object") }
    skipSpace()
    if take("}") { return nil }
    if !isFirst {
      guard take(",") else { throw unexpected("a comma or }") }
      skipSpace()
    }
    let range = try stringRange()
    skipSpace()
    guard take(":") else { throw unexpected("a colon") }
    skipSpace()
    return range
  }

  /// Steps into a list or on to its next item; false at its end.
  mutating func nextItem(isFirst: Bool) throws(JSONProblem) -> Bool {
    skipSpace()
    guard isFirst ? take("[") : true else { throw unexpected("an array") }
    skipSpace()
    if take("]") { return false }
    if !isFirst {
      guard take(",") else { throw unexpected("a comma or ]") }
      skipSpace()
    }
    return true
  }

  func isEqual(_ range: Range<Int>, _ key: String) -> Bool {
    key.utf8.count == range.count && key.utf8.elementsEqual(bytes[range])
  }

  /// Passes over a value; what is returned is where it is.
  @discardableResult
  mutating func skipValue() throws(JSONProblem) -> Range<Int> {
    skipSpace()
    let start = position
    var open: [UInt8] = []
    repeat {
      skipSpace()
      guard let byte = peek else { throw unexpected("a value") }
      switch byte {
      case UInt8(ascii: "\""):
        _ = try stringRange()
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard open.count < Limit.skippedDepth else {
          throw JSONProblem(
            kind: .syntax, message: "more than \(Limit.skippedDepth) levels of objects and arrays")
        }
        // Both closing brackets stand two after their opening ones in ASCII.
        open.append(byte + 2)
        position += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard open.popLast() == byte else { throw unexpected("a value") }
        position += 1
      case UInt8(ascii: ","), UInt8(ascii: ":"):
        guard !open.isEmpty else { throw unexpected("a value") }
        position += 1
      default:
        try skipPlain()
      }
    } while !open.isEmpty
    return start..<position
  }

  /// Passes over a number or a word.
  private mutating func skipPlain() throws(JSONProblem) {
    let start = position
    loop: while let byte = peek {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "E"):
        position += 1
      default: break loop
      }
    }
    guard position > start else { throw unexpected("a value") }
  }

  private var peek: UInt8? { position < end ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard let byte = peek, UInt32(byte) == character.value else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
      position += 1
    }
  }

  private func beyond(_ message: String) -> JSONProblem {
    JSONProblem(kind: .beyondLimits, message: message)
  }

  private func unexpected(_ expected: String) -> JSONProblem {
    let found = peek.map { "byte \($0)" } ?? "the end"
    return JSONProblem(
      kind: .syntax, message: "expected \(expected), found \(found) at \(position)")
  }
}

// MARK: Scalars

extension JSONReader {
  mutating func string() throws(JSONProblem) -> String {
    try text(try stringRange())
  }

  /// Steps over a string; what is returned lies between its quotes.
  private mutating func stringRange() throws(JSONProblem) -> Range<Int> {
    guard take("\"") else { throw unexpected("a string") }
    let start = position
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        return start..<(position - 1)
      case UInt8(ascii: "\\"):
        position += 2
      case 0..<0x20:
        throw unexpected("the end of a string")
      default:
        position += 1
      }
    }
    position = end
    throw unexpected("the end of a string")
  }

  private func text(_ range: Range<Int>) throws(JSONProblem) -> String {
    let slice = bytes[range]
    if !slice.contains(UInt8(ascii: "\\")) {
      guard let text = String(validating: slice, as: UTF8.self) else { throw notText }
      return text
    }
    var escapes = EscapedText(slice)
    guard let decoded = escapes.decoded(), let text = String(validating: decoded, as: UTF8.self)
    else { throw notText }
    return text
  }

  private var notText: JSONProblem {
    JSONProblem(kind: .syntax, message: "a string that is no text, before byte \(position)")
  }

  private mutating func word() throws(JSONProblem) -> ManifestValue.Content {
    let letters = bytes[position..<end].prefix(6).prefix { (0x61...0x7a).contains($0) }
    guard let content = ManifestValue.Content(jsonWord: String(decoding: letters, as: UTF8.self))
    else { throw unexpected("true, false or null") }
    position += letters.count
    return content
  }

  private mutating func number() throws(JSONProblem) -> ManifestValue.Content {
    let token = bytes[position..<end].prefix { byte in
      (0x30...0x39).contains(byte) || byte == 0x2b || byte == 0x2d || byte == 0x2e || byte == 0x65
        || byte == 0x45
    }
    guard let number = ManifestValue.Content(jsonNumber: String(decoding: token, as: UTF8.self))
    else { throw unexpected("a number") }
    position += token.count
    return number
  }
}

/// Finds a key that comes twice; few keys are looked at one by one, many in a set.
private struct UniqueKeys {
  private static let few = 32
  private var many: Set<String> = []

  mutating func isNew(_ key: String, _ before: [ManifestValue.Entry]) -> Bool {
    if before.count < Self.few { return !before.contains { $0.key == key } }
    if many.isEmpty { many = Set(before.map(\.key)) }
    return many.insert(key).inserted
  }
}
