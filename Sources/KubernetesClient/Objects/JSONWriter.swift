public import MeshCompiler

extension ManifestValue {
  /// As JSON on one line.
  public var json: [UInt8] {
    var bytes: [UInt8] = []
    write(into: &bytes)
    return bytes
  }

  private func write(into bytes: inout [UInt8]) {
    switch content {
    case .null: bytes += "null".utf8
    case .boolean(let value): bytes += (value ? "true" : "false").utf8
    case .integer(let value): bytes += "\(value)".utf8
    // No other number is JSON; an object of the API has none.
    case .number(let value): bytes += (value.isFinite ? "\(value)" : "null").utf8
    case .string(let text): Self.write(text, into: &bytes)
    case .sequence(let items):
      bytes.append(UInt8(ascii: "["))
      for (index, item) in items.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        item.write(into: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .mapping(let entries):
      bytes.append(UInt8(ascii: "{"))
      for (index, entry) in entries.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.write(entry.key, into: &bytes)
        bytes.append(UInt8(ascii: ":"))
        entry.value.write(into: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ text: String, into bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        bytes += "\\u00\(digits.utf8.count == 1 ? "0" : "")\(digits)".utf8
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

extension ManifestValue: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral {
  public init(stringLiteral text: String) { self.init(.string(text), line: 0) }

  public init(dictionaryLiteral entries: (String, ManifestValue)...) {
    self.init(
      .mapping(entries.map { Entry(key: $0.0, line: 0, value: $0.1) }), line: 0)
  }

  public static func text(_ text: String) -> ManifestValue { ManifestValue(.string(text), line: 0) }
  public static func whole(_ number: Int64) -> ManifestValue {
    ManifestValue(.integer(number), line: 0)
  }
  public static func flag(_ value: Bool) -> ManifestValue {
    ManifestValue(.boolean(value), line: 0)
  }
  public static func list(_ items: [ManifestValue]) -> ManifestValue {
    ManifestValue(.sequence(items), line: 0)
  }

  /// The text of a string; nil for anything else.
  public var text: String? {
    guard case .string(let text) = content else { return nil }
    return text
  }

  /// A number of seconds, or the like.
  public var whole: Int64? {
    guard case .integer(let number) = content else { return nil }
    return number
  }

  public var items: [ManifestValue] {
    guard case .sequence(let items) = content else { return [] }
    return items
  }

  /// The same mapping with `value` under `key`; anything else becomes a mapping of only that.
  public func with(_ key: String, _ value: ManifestValue) -> ManifestValue {
    guard case .mapping(var entries) = content else { return [key: value] }
    if let index = entries.firstIndex(where: { $0.key == key }) {
      entries[index].value = value
    } else {
      entries.append(Entry(key: key, line: 0, value: value))
    }
    return ManifestValue(.mapping(entries), line: line)
  }
}
