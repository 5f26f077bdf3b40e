import AgentProtocol
import Linux
import MeshModel
import Telemetry

/// The owner of what happened: the last refusals, the connection log, the label sets of metrics.
actor RecordKeeper {
  private var ring = RefusalRing()
  private let writer: LogWriter
  private let format: LogFormat
  private var limiter = LabelSetLimiter()

  init(writer: LogWriter, format: LogFormat) {
    self.writer = writer
    self.format = format
  }

  /// Writes a line for each connection, all of them at once.
  func closed(_ records: [ConnectionRecord], index: MeshIndex) {
    let timestamp = WallClock.now().timestamp
    var batch = LogBatch(format: format)
    for record in records { batch.append(closed: record, index: index, timestamp: timestamp) }
    writer.write(batch)
  }

  func refused(_ refusal: Refusal) {
    ring.record(refusal)
    writer.write(LogLine(refused: refusal, at: WallClock.now()).rendered(as: format))
  }

  var refusals: [RefusalRing.Entry] { ring.newestFirst }
  var refusalCount: UInt64 { ring.total }
  var labelSetOverflows: UInt64 { limiter.overflows }

  func connectionMetrics(_ samples: [MetricSample], index: MeshIndex) -> ConnectionMetrics {
    ConnectionMetrics(samples: samples, index: index, limiter: &limiter)
  }
}
