import AgentProtocol
import Linux
import MeshModel

/// An inspection that workers have yet to answer.
struct PendingInspection {
  var section: InspectionSection
  var silent: Set<Int>
  var parts: [WorkerInspection] = []
  var deadline: Instant
}

extension Control {
  func inspect(_ request: UInt64, _ section: InspectionSection) {
    if section == .certificates {
      let records = identities.records(at: WallClock.now(), under: trust)
      send(.inspection(request: request, .certificates(records)))
      return
    }
    inspections[request] = PendingInspection(
      section: section, silent: Set(workers.indices), deadline: now + ZTunnelLimit.inspectionWait)
    tellWorkers(.inspect(request: request, section))
  }

  func collect(_ request: UInt64, _ worker: Int, _ part: WorkerInspection) {
    guard var pending = inspections[request] else { return }
    pending.parts.append(part)
    pending.silent.remove(worker)
    inspections[request] = pending
    if pending.silent.isEmpty { answer(request, pending) }
  }

  /// Answers with what has come; a worker that is stuck does not hide the others.
  func expireInspections() {
    for (request, pending) in inspections where pending.deadline <= now {
      answer(request, pending)
    }
  }

  private func answer(_ request: UInt64, _ pending: PendingInspection) {
    inspections[request] = nil
    let most = AgentProtocol.Limit.inspectionRecords
    let inspection: Inspection
    switch pending.section {
    case .summary, .certificates:
      inspection = .summary(summary(pending))
    case .connections:
      let records = pending.parts.flatMap(\.connections).sorted { $0.id < $1.id }
      inspection = .connections(Array(records.prefix(most)))
    case .tunnels:
      inspection = .tunnels(Array(pending.parts.flatMap(\.tunnels).prefix(most)))
    case .dns:
      inspection = .dns(DNSSample.summed(pending.parts.map(\.dns), limit: most))
    case .metrics:
      inspection = .metrics(MetricSample.summed(pending.parts.map(\.metrics), limit: most))
    }
    send(.inspection(request: request, inspection))
  }

  private func summary(_ pending: PendingInspection) -> Summary {
    var summary = Summary()
    summary.generation = mesh?.model.generation ?? 0
    summary.threads = UInt32(clamping: workers.count)
    summary.pods = UInt32(clamping: pods.count)
    summary.silentWorkers = UInt32(clamping: pending.silent.count)
    summary.droppedRecords = link.droppedRecords
    summary.isDraining = ending != nil
    for case .counts(let counts) in pending.parts {
      summary.droppedRecords += counts.droppedRecords
      summary.failedAccepts += counts.failedAccepts
      summary.liveConnections += counts.connections
      summary.tunnelConnections += counts.tunnels
      summary.revokedInbound += counts.revoked.inbound
      summary.revokedOutbound += counts.revoked.outbound
    }
    do throws(LinuxError) {
      summary.residentBytes = try CurrentProcess.residentBytes()
      summary.openDescriptors = UInt32(clamping: try CurrentProcess.openDescriptorCount())
    } catch {
      // Without /proc both stay 0, which no process has.
    }
    return summary
  }
}

extension WorkerInspection {
  fileprivate var connections: [ConnectionRecord] {
    if case .connections(let records) = self { return records }
    return []
  }

  fileprivate var tunnels: [TunnelRecord] {
    if case .tunnels(let records) = self { return records }
    return []
  }

  fileprivate var dns: [DNSSample] {
    if case .dns(let samples) = self { return samples }
    return []
  }

  fileprivate var metrics: [MetricSample] {
    if case .metrics(let samples) = self { return samples }
    return []
  }
}
