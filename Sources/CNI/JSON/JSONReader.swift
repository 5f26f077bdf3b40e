/// Why a text is no JSON that we take.
public struct JSONProblem: Error, Hashable, CustomStringConvertible {
  public var expected: String
  /// Bytes from the text's start.
  public var offset: Int

  public var description: String { "not JSON we take: expected \(expected) at byte \(offset)" }
}

extension JSONValue {
  /// Reads one value and nothing after it.
  public init(reading bytes: [UInt8]) throws(JSONProblem) {
    guard bytes.count <= Limit.inputBytes else {
      throw JSONProblem(expected: "at most \(Limit.inputBytes) bytes", offset: Limit.inputBytes)
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw JSONProblem(expected: "UTF-8", offset: 0)
    }
    var reader = JSONReader(bytes: bytes)
    self = try reader.value(depth: 0)
    try reader.finish()
  }
}

/// Source: RFC 8259; beyond it no key may occur twice in an object.
private struct JSONReader {
  let bytes: [UInt8]
  var position = 0
  var valuesLeft = Limit.values

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func finish() throws(JSONProblem) {
    skipSpace()
    guard position == bytes.count else { throw unexpected("the end") }
  }

  mutating func value(depth: Int) throws(JSONProblem) -> JSONValue {
    guard depth <= Limit.depth else { throw unexpected("at most \(Limit.depth) levels") }
    guard valuesLeft > 0 else { throw unexpected("at most \(Limit.values) values") }
    valuesLeft -= 1
    skipSpace()
    guard let byte = peek else { throw unexpected("a value") }
    switch byte {
    case UInt8(ascii: "{"): return .object(try members(depth))
    case UInt8(ascii: "["): return .array(try items(depth))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .boolean(true))
    case UInt8(ascii: "f"): return try word("false", .boolean(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return .number(try number())
    }
  }

  private mutating func members(_ depth: Int) throws(JSONProblem) -> [JSONValue.Member] {
    position += 1
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    skipSpace()
    if take("}") { return members }
    repeat {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw unexpected("a key") }
      let key = try string()
      guard keys.insert(key).inserted else { throw unexpected("the key \(key) once") }
      skipSpace()
      guard take(":") else { throw unexpected("a colon") }
      members.append(.init(key, try value(depth: depth + 1)))
      skipSpace()
    } while take(",")
    guard take("}") else { throw unexpected("a comma or }") }
    return members
  }

  private mutating func items(_ depth: Int) throws(JSONProblem) -> [JSONValue] {
    position += 1
    var items: [JSONValue] = []
    skipSpace()
    if take("]") { return items }
    repeat {
      items.append(try value(depth: depth + 1))
      skipSpace()
    } while take(",")
    guard take("]") else { throw unexpected("a comma or ]") }
    return items
  }

  private mutating func string() throws(JSONProblem) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): text += try escaped().utf8
      case 0..<0x20: throw unexpected("no control character in a string")
      default: text.append(byte)
      }
    }
    throw unexpected("the end of a string")
  }

  private mutating func escaped() throws(JSONProblem) -> String {
    guard let byte = peek else { throw unexpected("an escaped character") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var units = [try codeUnit()]
      if UTF16.isLeadSurrogate(units[0]), take("\\"), take("u") { units.append(try codeUnit()) }
      guard let text = String(validating: units, as: UTF16.self) else {
        throw unexpected("both halves of a surrogate pair")
      }
      return text
    default: throw unexpected("one of \"\\/bfnrtu after a backslash")
    }
  }

  private mutating func codeUnit() throws(JSONProblem) -> UInt16 {
    let digits = bytes[position...].prefix(4)
    guard digits.count == 4, digits.first != UInt8(ascii: "+"),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw unexpected("four hexadecimal digits") }
    position += 4
    return unit
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(JSONProblem) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw unexpected(word) }
    position += word.utf8.count
    return value
  }

  private mutating func number() throws(JSONProblem) -> String {
    let start = position
    _ = take("-")
    if !take("0") { try digits() }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits()
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func digits() throws(JSONProblem) {
    let count = bytes[position...].prefix { (0x30...0x39).contains($0) }.count
    guard count > 0 else { throw unexpected("a value") }
    position += count
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard let byte = peek, UInt32(byte) == character.value else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d {
      position += 1
    }
  }

  private func unexpected(_ expected: String) -> JSONProblem {
    JSONProblem(expected: expected, offset: position)
  }
}
