import AgentProtocol
import MeshModel
import Telemetry

extension LogLine {
  /// The access log's line for a connection that ended.
  ///
  /// Bytes are from this side's own view: outbound, sent is what the application sent; inbound,
  /// sent is what it answered. Source: ambient-protocol.md, section 2.6.
  init(closed record: ConnectionRecord, index: MeshIndex, at now: WallTime) {
    let isFailed = record.flag != .none
    self.init(
      level: isFailed ? "error" : "info", time: now, scope: "access",
      message: "connection complete")
    let isOutbound = record.direction == .outbound
    let source = index.workload(uid: record.sourceWorkload)
    let destination = index.workload(uid: record.destinationWorkload)
    add("connection", record.id.hexadecimal)
    add("src.addr", record.source.description)
    add("src.workload", source?.name)
    add("src.namespace", source?.namespace ?? record.sourceIdentity?.namespace)
    add("src.identity", record.sourceIdentity?.description)
    add("src.cluster", source?.clusterID)
    if record.transport == .hbone {
      let tunnel = SocketAddress(ip: record.destination.ip, port: AgentPort.hbone)
      add("dst.addr", tunnel.description)
      add("dst.hbone_addr", record.destination.description)
    } else {
      add("dst.addr", record.destination.description)
    }
    add("dst.service", record.service?.hostname)
    add("dst.workload", destination?.name)
    add("dst.namespace", destination?.namespace ?? record.service?.namespace)
    add("dst.identity", record.destinationIdentity?.description)
    add("dst.cluster", destination?.clusterID)
    add("direction", record.direction.name)
    add("transport", record.transport.name)
    fields.append(
      ("bytes_sent", .unsigned(isOutbound ? record.receivedBytes : record.sentBytes)))
    fields.append(
      ("bytes_recv", .unsigned(isOutbound ? record.sentBytes : record.receivedBytes)))
    add("duration", "\(record.duration.milliseconds)ms")
    if isFailed {
      add("response_flags", record.flag.rawValue)
      add("error", record.reason.isEmpty ? record.flag.rawValue : record.reason)
    }
  }

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
