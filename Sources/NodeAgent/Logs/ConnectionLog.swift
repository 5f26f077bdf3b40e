import AgentProtocol
import MeshModel
import Telemetry

extension LogBatch {
  /// The access log's line for a connection that ended.
  ///
  /// Bytes are from this side's own view: outbound, sent is what the application sent; inbound,
  /// sent is what it answered. Source: ambient-protocol.md, section 2.6.
  mutating func append(closed record: ConnectionRecord, index: MeshIndex, timestamp: String) {
    let isFailed = record.flag != .none
    beginLine(
      level: isFailed ? "error" : "info", timestamp: timestamp, scope: "access",
      message: "connection complete")
    field("connection", hexadecimal: record.id)
    appendSource(of: record, index.workload(uid: record.sourceWorkload))
    appendDestination(of: record, index.workload(uid: record.destinationWorkload))
    field("direction", record.direction.name)
    field("transport", record.transport.name)
    let isOutbound = record.direction == .outbound
    field("bytes_sent", isOutbound ? record.receivedBytes : record.sentBytes)
    field("bytes_recv", isOutbound ? record.sentBytes : record.receivedBytes)
    field("duration", "\(record.duration.milliseconds)ms")
    if isFailed {
      field("response_flags", record.flag.rawValue)
      field("error", record.reason.isEmpty ? record.flag.rawValue : record.reason)
    }
    endLine()
  }

  private mutating func appendSource(of record: ConnectionRecord, _ workload: Workload?) {
    field("src.addr", record.source)
    field("src.workload", ifKnown: workload?.name)
    field("src.namespace", ifKnown: workload?.namespace ?? record.sourceIdentity?.namespace)
    field("src.identity", ifKnown: record.sourceIdentity)
    field("src.cluster", ifKnown: workload?.clusterID)
  }

  private mutating func appendDestination(of record: ConnectionRecord, _ workload: Workload?) {
    if record.transport == .hbone {
      field("dst.addr", SocketAddress(ip: record.destination.ip, port: AgentPort.hbone))
      field("dst.hbone_addr", record.destination)
    } else {
      field("dst.addr", record.destination)
    }
    field("dst.service", ifKnown: record.service?.hostname)
    field("dst.workload", ifKnown: workload?.name)
    field("dst.namespace", ifKnown: workload?.namespace ?? record.service?.namespace)
    field("dst.identity", ifKnown: record.destinationIdentity)
    field("dst.cluster", ifKnown: workload?.clusterID)
  }
}

extension LogLine {
  /// The line for a connection that was not allowed.
  init(refused refusal: Refusal, at now: WallTime) {
    self.init(level: "warn", time: now, scope: "access", message: "connection refused")
    let status = RefusalStatus(refusal)
    add("refusal", status.id)
    add("src.addr", status.source)
    add("src.identity", status.sourceIdentity)
    add("dst.addr", status.destination)
    add("dst.identity", status.destinationIdentity)
    add("direction", status.direction)
    add("cause", status.cause)
    add("policy", status.policy)
    if let rule = status.rule { fields.append(("rule", .number(Int64(rule)))) }
    add("nearest_policy", status.nearest?.policy)
    add("missed_field", status.nearest?.field)
    fields.append(("ended_live_connection", .boolean(status.endedLiveConnection)))
    add("error", status.reason)
  }

  private mutating func add(_ name: String, _ value: String?) {
    guard let value, !value.isEmpty else { return }
    fields.append((name, .text(value)))
  }
}
