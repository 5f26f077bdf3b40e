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

  public func rendered(as format: LogFormat) -> LogBatch {
    var batch = LogBatch(format: format)
    batch.append(self)
    return batch
  }
}

extension LogBatch {
  public mutating func append(_ line: LogLine) {
    beginLine(
      level: line.level, timestamp: line.time.timestamp, scope: line.scope, message: line.message)
    for field in line.fields { self.field(field.name, field.value) }
    endLine()
  }
}
