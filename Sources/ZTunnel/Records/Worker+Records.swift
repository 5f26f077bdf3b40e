import AgentProtocol
import Linux
import MeshModel

// MARK: Outbound

extension Worker {
  /// An outbound connection's bytes begin to flow.
  func opened(_ client: AppSocket, _ setup: OutboundSetup, _ hop: Hop?) {
    let workload = setup.pod.workload
    let connection = Connection(
      id: takeIdentifier(), direction: .outbound, transport: hop.transport, podUID: setup.pod.uid,
      source: setup.source, originalDestination: setup.originalDestination,
      destination: hop?.address ?? setup.originalDestination, opened: now,
      openedAt: WallClock.now(), labels: labels.set(for: outboundLabels(setup, workload, hop)),
      facts: nil, dryRunMatches: [])
    register(connection, on: client)
  }

  /// The same connection as the destination pod's side sees it, when both are here.
  func openedLocally(_ upstream: AppSocket, _ setup: OutboundSetup, _ hop: Hop) {
    guard let pod = podsByWorkload[hop.workloadUID],
      let source = setup.pod.workload
    else { return }
    let facts = ConnectionFacts(
      source: source.identity, sourceIP: setup.source.ip, destinationIP: hop.address.ip,
      destinationPort: hop.address.port)
    openedInbound(upstream, facts, source: setup.source, hop.address, .local, in: pod)
  }

  /// No candidate was left, or the only one failed.
  func failed(
    _ setup: OutboundSetup, _ hop: Hop?, _ flag: ResponseFlag, _ reason: String
  ) {
    let workload = setup.pod.workload
    var key = outboundLabels(setup, workload, hop)
    key.flag = flag
    let labels = labels.set(for: key)
    labels.failed &+= 1
    if [.tlsFailure, .identity, .revoked].contains(flag) {
      reportRefusal(
        setup, hop, workload, id: randomNumber(), .failure(flag: flag, reason: reason))
    }
    let connection = Connection(
      id: takeIdentifier(), direction: .outbound, transport: hop.transport, podUID: setup.pod.uid,
      source: setup.source, originalDestination: setup.originalDestination,
      destination: hop?.address ?? setup.originalDestination, opened: now,
      openedAt: WallClock.now(), labels: labels, facts: nil, dryRunMatches: [])
    reports.add(connection.record(at: now, flag: flag, reason: reason), isUrgent: true, at: now)
  }

  func refused(_ setup: OutboundSetup, _ hop: Hop?, id: UInt64, _ cause: Refusal.Cause) {
    let workload = setup.pod.workload
    var key = outboundLabels(setup, workload, hop)
    key.flag = cause.flag
    labels.set(for: key).failed &+= 1
    reportRefusal(setup, hop, workload, id: id, cause)
  }

  private func reportRefusal(
    _ setup: OutboundSetup, _ hop: Hop?, _ workload: Workload?, id: UInt64, _ cause: Refusal.Cause
  ) {
    report(
      .refused(
        Refusal(
          id: id, direction: .outbound, at: WallClock.now(), generation: mesh.model.generation,
          sourceIdentity: workload?.identity, destinationIdentity: hop?.identity,
          source: setup.source, destination: hop?.address ?? setup.originalDestination,
          cause: cause, podUID: setup.pod.uid)))
  }

  private func outboundLabels(
    _ setup: OutboundSetup, _ workload: Workload?, _ hop: Hop?
  ) -> LabelKey {
    LabelKey(
      reporter: .outbound, sourceWorkload: setup.pod.workloadUID,
      destinationWorkload: hop?.workloadUID ?? "", sourceIdentity: workload?.identity,
      destinationIdentity: setup.provenIdentity ?? hop?.identity, service: setup.service,
      isMutualTLS: hop.transport.isProven, flag: .none)
  }
}

// MARK: Inbound

extension Worker {
  func openedInbound(
    _ socket: AppSocket, _ facts: ConnectionFacts, source: SocketAddress,
    _ target: SocketAddress, _ transport: Transport, in pod: ServedPod,
    service: ServiceKey? = nil, isForeign: Bool = false
  ) {
    var dryRun: [DryRunMatch] = []
    if let workload = pod.workload {
      dryRun = facts.dryRunMatches(for: workload, in: mesh)
    }
    let connection = Connection(
      id: takeIdentifier(), direction: .inbound, transport: transport, podUID: pod.uid,
      source: source, originalDestination: target, destination: target, opened: now,
      openedAt: WallClock.now(),
      labels: labels.set(
        for: inboundLabels(facts, transport, pod, service, isForeign: isForeign)),
      facts: facts, dryRunMatches: dryRun)
    register(connection, on: socket)
  }

  func failedInbound(
    _ facts: ConnectionFacts, source: SocketAddress, _ target: SocketAddress,
    _ transport: Transport, _ reason: String, in pod: ServedPod, isForeign: Bool = false
  ) {
    var key = inboundLabels(facts, transport, pod, isForeign: isForeign)
    key.flag = .connect
    let labels = labels.set(for: key)
    labels.failed &+= 1
    let connection = Connection(
      id: takeIdentifier(), direction: .inbound, transport: transport, podUID: pod.uid,
      source: source, originalDestination: target, destination: target, opened: now,
      openedAt: WallClock.now(), labels: labels, facts: facts, dryRunMatches: [])
    reports.add(connection.record(at: now, flag: .connect, reason: reason), isUrgent: true, at: now)
  }

  func refusedInbound(
    id: UInt64, _ cause: Refusal.Cause, _ facts: ConnectionFacts, source: SocketAddress,
    in pod: ServedPod, endedLiveConnection: Bool = false
  ) {
    var key = inboundLabels(facts, facts.source == nil ? .plaintext : .hbone, pod)
    key.flag = cause.flag
    labels.set(for: key).failed &+= 1
    report(
      .refused(
        Refusal(
          id: id, direction: .inbound, at: WallClock.now(), generation: mesh.model.generation,
          sourceIdentity: facts.source,
          destinationIdentity: pod.workload?.identity, source: source,
          destination: SocketAddress(ip: facts.destinationIP, port: facts.destinationPort),
          cause: cause, endedLiveConnection: endedLiveConnection, podUID: pod.uid)))
  }

  /// A peer that never got as far as CONNECT.
  func refuseHandshake(_ tunnel: Tunnel, _ flag: ResponseFlag, _ reason: String) {
    guard [.tlsFailure, .identity, .revoked].contains(flag),
      case .server(let local) = tunnel.purpose
    else { return }
    report(
      .refused(
        Refusal(
          id: randomNumber(), direction: .inbound, at: WallClock.now(),
          generation: mesh.model.generation, sourceIdentity: nil,
          destinationIdentity: tunnel.localIdentity, source: tunnel.peer, destination: local,
          cause: .failure(flag: flag, reason: reason), podUID: tunnel.pod.uid)))
  }

  private func inboundLabels(
    _ facts: ConnectionFacts, _ transport: Transport, _ pod: ServedPod,
    _ service: ServiceKey? = nil, isForeign: Bool = false
  ) -> LabelKey {
    let workload = pod.workload
    // The address of a peer on another network is somebody else's here.
    let source =
      isForeign ? nil : mesh.workload(at: facts.sourceIP, on: workload?.network ?? "")
    return LabelKey(
      reporter: .inbound, sourceWorkload: source?.uid ?? "",
      destinationWorkload: pod.workloadUID, sourceIdentity: facts.source,
      destinationIdentity: workload?.identity, service: service,
      isMutualTLS: transport != .plaintext, flag: .none)
  }
}

// MARK: Both

extension Worker {
  private func register(_ connection: Connection, on socket: AppSocket) {
    connection.labels.opened &+= 1
    connection.socket = socket
    socket.connection = connection
    connections[connection.id] = connection
  }

  /// The connection has ended: completes its record.
  func finish(_ connection: Connection, flag: ResponseFlag, reason: String) {
    connection.socket = nil
    connections[connection.id] = nil
    connection.labels.closed &+= 1
    reports.add(connection.record(at: now, flag: flag, reason: reason), isUrgent: false, at: now)
  }
}

extension Optional where Wrapped == Hop {
  fileprivate var transport: Transport {
    switch self?.transport {
    case nil: .passthrough
    case .local: .local
    case .hbone: self?.isWaypoint == true ? .waypoint : .hbone
    case .plaintext: .plaintext
    case .doubleHBONE: .doubleHBONE
    }
  }
}

extension Transport {
  /// Whether each end knows who the other is.
  fileprivate var isProven: Bool {
    switch self {
    case .hbone, .local, .waypoint, .doubleHBONE: true
    case .passthrough, .plaintext: false
    }
  }
}

extension Refusal.Cause {
  var flag: ResponseFlag {
    switch self {
    case .policy: .denied
    case .peer(let status, _): status == 401 ? .denied : .connect
    case .failure(let flag, _): flag
    }
  }
}
