public import MeshModel

/// Lines of the log as bytes, written piece by piece on their way to the writer.
///
///     time level scope message name="text" name=12
///     {"level":"info","time":"…","scope":"…","message":"…","name":"text","name":12}
///
/// The access log has a line for every connection, so a line makes no value of its own.
public struct LogBatch: Sendable {
  public private(set) var bytes: [UInt8] = []
  /// Whole lines in it.
  public private(set) var lineCount = 0
  private let format: LogFormat

  public init(format: LogFormat) {
    self.format = format
  }

  /// What is in it, as a string.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  // MARK: Lines

  /// Begins a line; its fields follow, then `endLine`.
  public mutating func beginLine(
    level: String, timestamp: String, scope: String, message: String
  ) {
    switch format {
    case .text:
      append(timestamp)
      append(" ")
      append(level)
      append(" ")
      append(scope)
      append(" ")
      appendWithoutControls(message)
    case .json:
      append("{\"level\":")
      appendQuoted(level)
      append(",\"time\":")
      appendQuoted(timestamp)
      append(",\"scope\":")
      appendQuoted(scope)
      append(",\"message\":")
      appendQuoted(message)
    }
  }

  public mutating func endLine() {
    if format == .json { append("}") }
    append("\n")
    lineCount += 1
  }

  // MARK: Fields

  public mutating func field(_ name: String, _ value: String) {
    beginField(name)
    appendQuoted(value)
  }

  /// A field that is left out when there is nothing to say.
  public mutating func field(_ name: String, ifKnown value: String?) {
    if let value, !value.isEmpty { field(name, value) }
  }

  public mutating func field(_ name: String, _ value: SocketAddress) {
    beginField(name)
    bytes.append(UInt8(ascii: "\""))
    value.appendText(to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  public mutating func field(_ name: String, ifKnown value: SPIFFEID?) {
    guard let value else { return }
    beginField(name)
    bytes.append(UInt8(ascii: "\""))
    value.appendText(to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  public mutating func field(_ name: String, _ value: UInt64) {
    beginField(name)
    Decimal.append(value, to: &bytes)
  }

  public mutating func field(_ name: String, _ value: LogLine.Value) {
    switch value {
    case .text(let text): field(name, text)
    case .number(let number):
      beginField(name)
      append(String(number))
    case .unsigned(let number): field(name, number)
    case .boolean(let isTrue):
      beginField(name)
      append(isTrue ? "true" : "false")
    }
  }

  /// Sixteen hexadecimal digits.
  public mutating func field(_ name: String, hexadecimal value: UInt64) {
    beginField(name)
    bytes.append(UInt8(ascii: "\""))
    Hexadecimal.append(value, to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func beginField(_ name: String) {
    switch format {
    case .text:
      append(" ")
      append(name)
      append("=")
    case .json:
      append(",")
      appendQuoted(name)
      append(":")
    }
  }

  // MARK: Pieces

  private mutating func append(_ text: String) {
    bytes.append(contentsOf: text.utf8)
  }

  /// A JSON string; RFC 8259, section 7.
  private mutating func appendQuoted(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    if LogBatch.isPlain(text) {
      append(text)
    } else {
      for byte in text.utf8 { appendEscaped(byte) }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func appendEscaped(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): append("\\\"")
    case UInt8(ascii: "\\"): append("\\\\")
    case UInt8(ascii: "\n"): append("\\n")
    case UInt8(ascii: "\r"): append("\\r")
    case UInt8(ascii: "\t"): append("\\t")
    case ..<0x20, 0x7f:
      let digits = String(byte, radix: 16)
      append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
    default: bytes.append(byte)
    }
  }

  private static func isPlain(_ text: String) -> Bool {
    let utf8 = text.utf8Span.span
    for index in utf8.indices {
      let byte = utf8[index]
      if byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        return false
      }
    }
    return true
  }

  /// A line stays a line, whatever a peer made us say.
  private mutating func appendWithoutControls(_ text: String) {
    for byte in text.utf8 { bytes.append(byte < 0x20 ? UInt8(ascii: " ") : byte) }
  }
}
