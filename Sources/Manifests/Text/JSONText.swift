import MeshCompiler

extension ManifestText {
  /// Reads every value of a JSON text; several may follow one another.
  mutating func readJSON(_ text: String, file: String, _ limits: ManifestLimits) {
    var document = 1
    var reader = JSONReader(Array(text.utf8), limits)
    do throws(TextProblem) {
      while let value = try reader.next() {
        guard document <= limits.documentsPerFile else {
          throw TextProblem(
            .tooLarge, line: value.line, "expected at most \(limits.documentsPerFile) documents")
        }
        add(value, file: file, document: document)
        document += 1
      }
    } catch {
      refuse(error, file: file, document: document)
    }
  }
}

/// Reads JSON values from bytes that are UTF-8.
///
/// Source: RFC 8259; beyond it, several values may follow one another, and no key occurs twice.
struct JSONReader {
  private let bytes: [UInt8]
  private let limits: ManifestLimits
  private var position = 0
  private var line = 1
  private var nodesLeft: Int

  init(_ bytes: [UInt8], _ limits: ManifestLimits) {
    self.bytes = bytes
    self.limits = limits
    nodesLeft = limits.nodesPerFile
  }

  /// The next value; nil at the end of the text.
  mutating func next() throws(TextProblem) -> ManifestValue? {
    skipSpace()
    return position < bytes.count ? try value(depth: 0) : nil
  }

  private mutating func value(depth: Int) throws(TextProblem) -> ManifestValue {
    guard depth <= limits.depth else {
      throw TextProblem(
        .tooDeep, line: line, "expected at most \(limits.depth) levels of objects and arrays")
    }
    guard nodesLeft > 0 else {
      throw TextProblem(
        .tooManyNodes, line: line, "expected at most \(limits.nodesPerFile) values")
    }
    nodesLeft -= 1
    skipSpace()
    let start = line
    guard let byte = peek else { throw unexpected("a value") }
    switch byte {
    case UInt8(ascii: "{"):
      return ManifestValue(.mapping(try entries(depth)), line: start)
    case UInt8(ascii: "["):
      return ManifestValue(.sequence(try items(depth)), line: start)
    case UInt8(ascii: "\""):
      return ManifestValue(.string(try string()), line: start)
    case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"):
      return ManifestValue(try word(), line: start)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return ManifestValue(try number(), line: start)
    default:
      throw unexpected("a value")
    }
  }

  private mutating func entries(_ depth: Int) throws(TextProblem) -> [ManifestValue.Entry] {
    position += 1
    var entries: [ManifestValue.Entry] = []
    var keys: Set<String> = []
    skipSpace()
    if take("}") { return entries }
    repeat {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw unexpected("a key in double quotes") }
      let keyLine = line
      let key = try string()
      guard keys.insert(key).inserted else {
        throw TextProblem(
          .duplicateKey, line: keyLine,
          "expected each key once in an object, found \(shown(key)) again")
      }
      skipSpace()
      guard take(":") else { throw unexpected("a colon after the key \(shown(key))") }
      entries.append(.init(key: key, line: keyLine, value: try value(depth: depth + 1)))
      skipSpace()
    } while take(",")
    guard take("}") else { throw unexpected("a comma or }") }
    return entries
  }

  private mutating func items(_ depth: Int) throws(TextProblem) -> [ManifestValue] {
    position += 1
    var items: [ManifestValue] = []
    skipSpace()
    if take("]") { return items }
    repeat {
      items.append(try value(depth: depth + 1))
      skipSpace()
    } while take(",")
    guard take("]") else { throw unexpected("a comma or ]") }
    return items
  }

  private mutating func string() throws(TextProblem) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        text += try escaped().utf8
      case 0..<0x20:
        position -= 1
        throw unexpected("the end of a string on its own line")
      default:
        text.append(byte)
      }
    }
    throw unexpected("the end of a string")
  }

  private mutating func escaped() throws(TextProblem) -> String {
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
      let first = try codeUnit()
      var units = [first]
      if UTF16.isLeadSurrogate(first), take("\\"), take("u") { units.append(try codeUnit()) }
      guard let text = String(validating: units, as: UTF16.self) else {
        throw TextProblem(.syntax, line: line, "not JSON: half of a surrogate pair")
      }
      return text
    default:
      throw TextProblem(
        .syntax, line: line, "not JSON: expected one of \"\\/bfnrtu after a backslash")
    }
  }

  private mutating func codeUnit() throws(TextProblem) -> UInt16 {
    let digits = bytes[position...].prefix(4)
    guard digits.count == 4, digits.first != UInt8(ascii: "+"),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw unexpected("four hexadecimal digits after \\u") }
    position += 4
    return unit
  }

  private mutating func word() throws(TextProblem) -> ManifestValue.Content {
    let letters = bytes[position...].prefix(6).prefix { (0x61...0x7a).contains($0) }
    guard let content = ManifestValue.Content(jsonWord: String(decoding: letters, as: UTF8.self))
    else { throw unexpected("true, false or null") }
    position += letters.count
    return content
  }

  private mutating func number() throws(TextProblem) -> ManifestValue.Content {
    let token = bytes[position...].prefix { byte in
      (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte)
    }
    guard let number = ManifestValue.Content(jsonNumber: String(decoding: token, as: UTF8.self))
    else { throw unexpected("a number") }
    position += token.count
    return number
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard let byte = peek, UInt32(byte) == character.value else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\n"): line += 1
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
      default: return
      }
      position += 1
    }
  }

  private func unexpected(_ expected: String) -> TextProblem {
    guard position < bytes.count else {
      return TextProblem(
        .syntax, line: line, "not JSON: expected \(expected), found the end of the file")
    }
    let rest = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
    let found = rest.unicodeScalars.first.map { shown(String($0)) } ?? "nothing"
    return TextProblem(.syntax, line: line, "not JSON: expected \(expected), found \(found)")
  }
}
