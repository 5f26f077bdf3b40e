import AgentProtocol
import MeshModel

extension RandomValues {
  static let agentCases = 10
  static let tunnelCases = 16

  /// A message of the given case, counted from 0 in the order of declaration.
  mutating func agentMessage(case number: Int) -> AgentMessage {
    switch number {
    case 0: .configure(configuration())
    case 1: .model(change())
    case 2: .addPod(pod())
    case 3: .removePod(uid: text())
    case 4:
      .certificate(
        IssuedCertificate(
          identity: identity(), chain: list { $0.blob() }, roots: list { $0.blob() }))
    case 5: .certificateRefused(identity: identity(), reason: text())
    case 6: .inspect(request: unsigned(), section: member())
    case 7: .drain(deadline: duration())
    case 8: .modelPart(change())
    default: .trust(trust())
    }
  }

  private mutating func trust() -> TrustUpdate {
    let revocations: TrustUpdate.Revocations =
      switch number(0...2) {
      case 0: .off
      case 1: .unknown(reason: text())
      default: .lists(list { $0.blob() })
      }
    return TrustUpdate(
      number: unsigned(), revocations: revocations,
      bundles: list { values in
        TrustUpdate.Bundle(trustDomain: values.text(), roots: values.list { $0.blob() })
      })
  }

  mutating func tunnelMessage(case number: Int) -> TunnelMessage {
    switch number {
    case 0:
      .hello(
        Hello(
          version: port(), processID: Int32(bitPattern: half()), generation: unsigned(),
          pods: list { $0.pod() }, identities: list { $0.identity() }))
    case 1: .podListening(uid: text())
    case 2: .podFailed(uid: text(), reason: text())
    case 3: .podRemoved(uid: text())
    case 4: .signingRequest(SigningRequest(identity: identity(), request: blob()))
    case 5: .modelApplied(generation: unsigned())
    case 6: .modelRejected(generation: unsigned(), reason: text())
    case 7: .canaryArrived(uid: text(), nonce: unsigned())
    case 8: .connectionsClosed(list { $0.connection() })
    case 9: .refused(refusal())
    case 10: .inspection(request: unsigned(), inspection())
    case 11: .trustApplied(number: unsigned())
    case 12: .trustRejected(number: unsigned(), reason: text())
    case 13: .dnsListening(uid: text())
    default: .drained(cut: half())
    }
  }

  mutating func configuration() -> Configuration {
    let first = port()
    return Configuration(
      version: port(), nodeName: text(), trustDomain: text(), canary4: socketAddress(),
      canary6: socketAddress(), mark: half(), reservedPorts: first...max(first, port()),
      dnsCapture: boolean(), clusterDomain: text())
  }

  mutating func pod() -> Pod {
    Pod(uid: text(), workloadUID: text(), hasListeners: boolean(), dnsCapture: boolean())
  }

  mutating func connection() -> ConnectionRecord {
    let transports: [Transport] = [
      .passthrough, .hbone, .local, .plaintext, .waypoint, .doubleHBONE,
    ]
    var record = ConnectionRecord(
      id: unsigned(), direction: direction(), source: socketAddress(), opened: wallTime())
    record.transport = transports[number(0...5)]
    record.podUID = text()
    record.sourceWorkload = text()
    record.destinationWorkload = text()
    record.sourceIdentity = optional { $0.identity() }
    record.destinationIdentity = optional { $0.identity() }
    record.originalDestination = socketAddress()
    record.destination = socketAddress()
    record.service = optional { $0.serviceKey() }
    record.duration = duration()
    record.receivedBytes = unsigned()
    record.sentBytes = unsigned()
    record.flag = member()
    record.reason = text()
    record.dryRunMatches = list {
      DryRunMatch(
        policy: $0.policyKey(), action: $0.boolean() ? .allow : .deny, wouldAllow: $0.boolean())
    }
    return record
  }

  mutating func denial() -> Verdict.Denial {
    switch number(0...5) {
    case 0: .matched(policy: policyKey(), rule: number(0...300))
    case 1:
      .noAllowMatched(
        nearest: optional {
          NearMiss(
            policy: $0.policyKey(), rule: $0.number(0...9), field: $0.text(),
            expected: $0.text(), actual: $0.text())
        })
    case 2: .missingPolicy(policyKey())
    case 3:
      .aroundWaypoint(
        WaypointBypass(
          owner: boolean() ? .service(serviceKey()) : .workload(text()), waypoint: gateway(),
          expected: list { $0.identity() }, actual: optional { $0.identity() }))
    case 4: .couldForgeHeader(port: port())
    default: .unknownWorkload
    }
  }

  mutating func cause() -> Refusal.Cause {
    switch number(0...2) {
    case 0: .policy(denial())
    case 1: .peer(status: port(), reason: text())
    default: .failure(flag: member(), reason: text())
    }
  }

  mutating func refusal() -> Refusal {
    Refusal(
      id: unsigned(), direction: direction(), at: wallTime(), generation: unsigned(),
      sourceIdentity: optional { $0.identity() },
      destinationIdentity: optional { $0.identity() }, source: socketAddress(),
      destination: socketAddress(), cause: cause(), endedLiveConnection: boolean(),
      podUID: text())
  }

  mutating func inspection() -> Inspection {
    switch member(InspectionSection.self) {
    case .summary:
      var summary = Summary()
      summary.generation = unsigned()
      summary.threads = half()
      summary.pods = half()
      summary.liveConnections = unsigned()
      summary.tunnelConnections = unsigned()
      summary.residentBytes = unsigned()
      summary.openDescriptors = half()
      summary.silentWorkers = half()
      summary.droppedRecords = unsigned()
      summary.failedAccepts = unsigned()
      summary.revokedInbound = unsigned()
      summary.revokedOutbound = unsigned()
      summary.isDraining = boolean()
      return .summary(summary)
    case .connections: return .connections(list { $0.connection() })
    case .tunnels: return .tunnels(list { $0.tunnel() })
    case .certificates: return .certificates(list { $0.certificate() })
    case .metrics: return .metrics(list { $0.sample() })
    case .dns: return .dns(list { $0.dnsSample() })
    }
  }

  mutating func tunnel() -> TunnelRecord {
    TunnelRecord(
      direction: direction(), podUID: text(), peer: socketAddress(),
      peerIdentity: optional { $0.identity() }, localIdentity: identity(), liveStreams: half(),
      totalStreams: unsigned(), age: duration(), state: text())
  }

  mutating func certificate() -> CertificateRecord {
    CertificateRecord(
      identity: identity(), serialNumber: text(), notBefore: wallTime(), notAfter: wallTime(),
      renewal: wallTime(), state: text(), rootCount: half())
  }

  mutating func sample() -> MetricSample {
    var sample = MetricSample(
      reporter: direction(), sourceWorkload: text(), destinationWorkload: text(),
      sourceIdentity: optional { $0.identity() },
      destinationIdentity: optional { $0.identity() }, service: optional { $0.serviceKey() },
      isMutualTLS: boolean(), flag: member())
    sample.opened = unsigned()
    sample.closed = unsigned()
    sample.failed = unsigned()
    sample.receivedBytes = unsigned()
    sample.sentBytes = unsigned()
    return sample
  }

  mutating func dnsSample() -> DNSSample {
    var sample = DNSSample(sourceWorkload: text(), queryType: text(), isStream: boolean())
    sample.requests = unsigned()
    sample.upstreamRequests = unsigned()
    sample.upstreamFailures = unsigned()
    sample.totalDuration = unsigned()
    for index in sample.durations.indices { sample.durations[index] = unsigned() }
    return sample
  }
}
