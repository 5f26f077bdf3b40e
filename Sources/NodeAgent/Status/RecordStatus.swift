import AgentProtocol
import MeshCompiler
import MeshModel
import Telemetry

extension DiagnosticStatus {
  init(_ diagnostic: Diagnostic) {
    self.init(
      severity: diagnostic.severity.description, code: diagnostic.code.rawValue,
      file: diagnostic.file, document: diagnostic.document, line: diagnostic.line,
      object: diagnostic.object?.description ?? "", field: diagnostic.field,
      message: diagnostic.message)
  }
}

extension CertificateStatus {
  init(_ record: CertificateRecord) {
    self.init(
      identity: record.identity.description, serialNumber: record.serialNumber,
      notBefore: record.notBefore.timestamp, notAfter: record.notAfter.timestamp,
      renewal: record.renewal.timestamp, state: record.state, roots: record.rootCount)
  }
}

extension ConnectionStatus {
  init(_ record: ConnectionRecord, podName: (String) -> String) {
    self.init(
      id: record.id.hexadecimal, direction: record.direction.name,
      transport: record.transport.name, pod: podName(record.podUID),
      sourceWorkload: record.sourceWorkload, destinationWorkload: record.destinationWorkload,
      sourceIdentity: record.sourceIdentity?.description,
      destinationIdentity: record.destinationIdentity?.description,
      source: record.source.description,
      originalDestination: record.originalDestination.description,
      destination: record.destination.description, service: record.service?.description,
      openedAt: record.opened.timestamp, durationMilliseconds: record.duration.milliseconds,
      receivedBytes: record.receivedBytes, sentBytes: record.sentBytes)
  }
}

extension TunnelStatus {
  init(_ record: TunnelRecord, podName: (String) -> String) {
    self.init(
      direction: record.direction.name, pod: podName(record.podUID),
      peer: record.peer.description, peerIdentity: record.peerIdentity?.description,
      localIdentity: record.localIdentity.description, liveStreams: record.liveStreams,
      totalStreams: record.totalStreams, ageMilliseconds: record.age.milliseconds,
      state: record.state)
  }
}

extension RefusalStatus {
  /// The refusal alone, as the log tells it.
  init(_ refusal: Refusal) { self.init(RefusalRing.Entry(refusal)) }

  init(_ entry: RefusalRing.Entry) {
    let refusal = entry.latest
    let denial = refusal.cause.denial
    self.init(
      id: refusal.id.hexadecimal, at: refusal.at.timestamp, firstAt: entry.first.timestamp,
      count: entry.count, direction: refusal.direction.name,
      generation: refusal.generation, sourceIdentity: refusal.sourceIdentity?.description,
      destinationIdentity: refusal.destinationIdentity?.description,
      source: refusal.source.description, destination: refusal.destination.description,
      cause: refusal.cause.name, policy: denial?.policy?.description, rule: denial?.rule,
      nearest: denial?.nearest.map(NearMissStatus.init), reason: refusal.cause.text,
      endedLiveConnection: refusal.endedLiveConnection)
  }
}

extension NearMissStatus {
  init(_ nearest: NearMiss) {
    self.init(
      policy: nearest.policy.description, rule: nearest.rule, field: nearest.field,
      expected: nearest.expected, actual: nearest.actual)
  }
}
