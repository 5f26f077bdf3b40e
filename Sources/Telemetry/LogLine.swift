public import MeshModel

/// How lines are written.
public enum LogFormat: String, CaseIterable, Sendable {
  case text, json
}

/// One line of the log: `time level scope message key=value`, or the same as a JSON object.
public struct LogLine {
  public enum Value: Equatable {
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
    switch format {
    case .text: text
    case .json: json
    }
  }

  private var text: String {
    let pairs = fields.map { field in
      switch field.value {
      case .text(let value): "\(field.name)=\(LogLine.quoted(value))"
      case .number(let value): "\(field.name)=\(value)"
      case .unsigned(let value): "\(field.name)=\(value)"
      case .boolean(let value): "\(field.name)=\(value)"
      }
    }
    let plain = LogLine.withoutControls(message)
    return ([time.timestamp, level, scope, plain] + pairs).joined(separator: " ")
  }

  private var json: String {
    var members = [
      "\"level\":\(LogLine.quoted(level))", "\"time\":\(LogLine.quoted(time.timestamp))",
      "\"scope\":\(LogLine.quoted(scope))", "\"message\":\(LogLine.quoted(message))",
    ]
    members += fields.map { field in
      let name = LogLine.quoted(field.name)
      return switch field.value {
      case .text(let value): "\(name):\(LogLine.quoted(value))"
      case .number(let value): "\(name):\(value)"
      case .unsigned(let value): "\(name):\(value)"
      case .boolean(let value): "\(name):\(value)"
      }
    }
    return "{" + members.joined(separator: ",") + "}"
  }

  /// A JSON string; RFC 8259, section 7.
  public static func quoted(_ text: String) -> String {
    guard text.utf8.contains(where: mustBeEscaped) else { return "\"\(text)\"" }
    var quoted = "\""
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
    return quoted + "\""
  }

  private static func mustBeEscaped(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == 0x7f || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// A line stays a line, whatever a peer made us say.
  private static func withoutControls(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 ? " " : $0 }))
  }
}
