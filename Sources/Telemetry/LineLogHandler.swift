import Linux
public import Logging

/// The handler behind every swift-log logger of this process.
public struct LineLogHandler: LogHandler {
  let scope: String
  let writer: LogWriter
  let format: LogFormat
  public var logLevel = Logger.Level.info
  public var metadata: Logger.Metadata = [:]

  public init(scope: String, writer: LogWriter, format: LogFormat) {
    self.scope = scope
    self.writer = writer
    self.format = format
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    let line = LogLine(
      level: event.level.rawValue, time: WallClock.now(), scope: scope,
      message: event.message.description,
      fields: all.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value.description)) })
    writer.write(line.rendered(as: format))
  }
}
