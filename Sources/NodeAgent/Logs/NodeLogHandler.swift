import Linux
import Logging

/// The handler behind every swift-log logger of this process.
struct NodeLogHandler: LogHandler {
  let scope: String
  let writer: LogWriter
  let format: LogFormat
  var logLevel = Logger.Level.info
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { $1 }
    let line = LogLine(
      level: event.level.rawValue, time: WallClock.now(), scope: scope,
      message: event.message.description,
      fields: all.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value.description)) })
    writer.write(line.rendered(as: format))
  }
}
