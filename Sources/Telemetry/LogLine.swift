public import MeshModel

/// How lines are written.
public enum LogFormat: String, CaseIterable, Sendable {
  case text, json
}

/// One line of the log: `time level scope message key=value`, or the same as a JSON object.
public struct LogLine: Sendable {
  public enum Value: Equatable, Sendable {
    case text(String)
    case number(Int64)
    case unsigned(UInt64)
    case boolean(Bool)
  }

  public var level: String
  public var time: WallTime
  public var scope: String
  public var message: String
  /// In the order they are shown.
  public var fields: [(name: String, value: Value)]

  public init(
    level: String, time: WallTime, scope: String, message: String,
    fields: [(name: String, value: Value)] = []
  ) {
    self.level = level
    self.time = time
    self.scope = scope
    self.message = message
    self.fields = fields
  }

  public func rendered(as format: LogFormat) -> String {
    var line = ""
    append(to: &line, as: format)
    return line
  }

  /// Appends the line, without an end of line.
  public func append(to lines: inout String, as format: LogFormat) {
    switch format {
    case .text: appendText(to: &lines)
    case .json: appendJSON(to: &lines)
    }
  }

  private func appendText(to lines: inout String) {
    lines += time.timestamp
    lines += " "
    lines += level
    lines += " "
    lines += scope
    lines += " "
    lines += LogLine.withoutControls(message)
    for field in fields {
      lines += " "
      lines += field.name
      lines += "="
      LogLine.append(field.value, to: &lines)
    }
  }

  private func appendJSON(to lines: inout String) {
    let head = [("level", level), ("time", time.timestamp), ("scope", scope), ("message", message)]
    lines += "{"
    for (name, value) in head {
      if name != "level" { lines += "," }
      LogLine.appendQuoted(name, to: &lines)
      lines += ":"
      LogLine.appendQuoted(value, to: &lines)
    }
    for field in fields {
      lines += ","
      LogLine.appendQuoted(field.name, to: &lines)
      lines += ":"
      LogLine.append(field.value, to: &lines)
    }
    lines += "}"
  }

  private static func append(_ value: Value, to lines: inout String) {
    switch value {
    case .text(let text): appendQuoted(text, to: &lines)
    case .number(let number): lines += String(number)
    case .unsigned(let number): lines += String(number)
    case .boolean(let isTrue): lines += isTrue ? "true" : "false"
    }
  }

  /// A JSON string; RFC 8259, section 7.
  public static func quoted(_ text: String) -> String {
    var quoted = ""
    appendQuoted(text, to: &quoted)
    return quoted
  }

  private static func appendQuoted(_ text: String, to quoted: inout String) {
    quoted += "\""
    defer { quoted += "\"" }
    guard text.utf8.contains(where: mustBeEscaped) else {
      quoted += text
      return
    }
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
  }

  private static func mustBeEscaped(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// A line stays a line, whatever a peer made us say.
  private static func withoutControls(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 }) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
  }
}
