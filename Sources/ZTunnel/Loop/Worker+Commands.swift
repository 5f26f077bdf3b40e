import AgentProtocol
import Linux
import MeshModel
import TLS

extension Worker {
  func handle(_ command: WorkerCommand) {
    switch command {
    case .configure(let configuration):
      self.configuration = configuration
      forgetDNSDecisions()
    case .model(let mesh, let scope): replaceModel(mesh, scope)
    case .addPod(let namespace, let listeners): addPod(namespace, listeners)
    case .replaceListener(let listener): replaceListener(listener)
    case .dns(let uid, let ports): setDNSPorts(ports, of: uid)
    case .removePod(let uid): removePod(uid)
    case .credentials(let identity, let credentials):
      self.credentials[identity] = credentials
      if credentials != nil {
        rejudgeTunnels(of: identity)
        wakeWaiting()
      }
    case .trust(let trust): replaceTrust(trust)
    case .inspect(let request, let section): inspect(request, section)
    case .drain(let deadline): startDrain(until: deadline)
    case .accepted(let handed): take(handed)
    }
  }

  // MARK: Model

  private func replaceModel(_ mesh: MeshIndex, _ scope: PolicyScope) {
    self.mesh = mesh
    forgetDNSDecisions()
    for pod in pods.values { introduce(pod) }
    rejudge(scope)
    endStaleTunnels()
    wakeWaiting()
  }

  /// Asks policy again for the live connections the change may concern, and cuts those it denies.
  private func rejudge(_ scope: PolicyScope) {
    guard !scope.isEmpty else { return }
    for connection in Array(connections.values) {
      guard var facts = connection.facts, let socket = connection.socket,
        let pod = pods[connection.podUID]
      else { continue }
      let sourceUID = connection.labels.key.sourceWorkload
      guard scope.includes(destination: pod.workloadUID, source: sourceUID) else { continue }
      if connection.transport == .local {
        // The kernel proved the pod; who the pod is may have changed.
        facts.source = mesh.workload(uid: sourceUID)?.identity
      }
      guard case .deny(let denial) = verdict(facts, for: pod) else { continue }
      refusedInbound(
        id: randomNumber(), .policy(denial), facts, source: connection.source, in: pod,
        endedLiveConnection: true)
      socket.abort(flag: .denied, reason: "policy changed: \(denial)")
    }
  }

  /// Ends our tunnel connections whose far end is another workload now, or whose own pod is.
  private func endStaleTunnels() {
    for tunnel in Array(tunnels.values) {
      switch tunnel.purpose {
      case .client(let key):
        if !stillLeads(key) {
          tunnel.fail(.connect, "\(key.address.ip) no longer belongs to \(key.workloadUID)")
        } else if tunnel.pod.workload?.identity != key.source {
          tunnel.fail(.identity, "the pod is no longer \(key.source)")
        }
      case .server:
        if tunnel.pod.workload?.identity != tunnel.localIdentity {
          tunnel.fail(.identity, "the pod is no longer \(tunnel.localIdentity)")
        }
      }
    }
  }

  /// Whether the address is still that of the workload the tunnel was made for.
  ///
  /// A workload with a host name only has whatever address the name had.
  private func stillLeads(_ key: TunnelKey) -> Bool {
    // The far end of a tunnel inside another proved a name; the outer one has the address.
    if key.inner != nil { return true }
    guard let workload = mesh.workload(uid: key.workloadUID) else { return false }
    if workload.addresses.isEmpty { return !workload.hostname.isEmpty }
    guard workload.addresses.contains(key.address.ip) else { return false }
    let owner = mesh.workload(at: key.address.ip, on: workload.network)
    return workload.isHostNetwork || owner == nil || owner?.uid == key.workloadUID
  }

  /// Tries again what waited for the model or a certificate.
  private func wakeWaiting() {
    let setups = waiting
    waiting = []
    for setup in setups { setup.wake() }
    let tunnels = waitingTunnels
    waitingTunnels = []
    for tunnel in tunnels where !beginServing(tunnel) { waitingTunnels.append(tunnel) }
  }

  /// Makes room among those that wait; false when there is none.
  func mayWait() -> Bool {
    if waiting.count >= ZTunnelLimit.waitingPerKey { waiting.removeAll { $0.isOver } }
    return waiting.count < ZTunnelLimit.waitingPerKey
  }

  // MARK: Pods

  private func addPod(_ namespace: PodNamespace, _ sockets: [ListenerSocket]) {
    let pod = ServedPod(namespace)
    pods[pod.uid] = pod
    podsByWorkload[pod.workloadUID] = pod
    localWorkloads.insert(pod.workloadUID)
    for socket in sockets {
      pod.listeners.append(ListenerHandler(socket, of: pod, worker: self))
    }
    introduce(pod)
    wakeWaiting()
  }

  /// Serves the pod as what the model says it is, once it says so.
  private func introduce(_ pod: ServedPod) {
    pod.workload = mesh.workload(uid: pod.workloadUID)
    guard let workload = pod.workload else { return }
    pod.baggage = ConnectHeaders.baggage(of: workload)
    guard !pod.isListening, drain == nil else { return }
    pod.isListening = true
    for listener in pod.listeners { start(listener, of: pod) }
  }

  private func start(_ listener: ListenerHandler, of pod: ServedPod) {
    do throws(LinuxError) {
      try listener.start()
    } catch {
      report(.podFailed(uid: pod.uid, reason: "a listener cannot be watched: \(error)"))
    }
  }

  private func replaceListener(_ socket: ListenerSocket) {
    guard let pod = pods[socket.podUID] else { return }
    for old in pod.listeners where old.listener.kind == socket.kind { old.stop() }
    pod.listeners.removeAll { $0.listener.kind == socket.kind }
    let listener = ListenerHandler(socket, of: pod, worker: self)
    pod.listeners.append(listener)
    if pod.isListening, drain == nil { start(listener, of: pod) }
  }

  /// Closes everything that keeps the pod's namespace alive.
  private func removePod(_ uid: String) {
    guard let pod = pods.removeValue(forKey: uid) else {
      tellControl(.podReleased(uid: uid))
      return
    }
    pod.isRemoved = true
    if podsByWorkload[pod.workloadUID] === pod {
      podsByWorkload[pod.workloadUID] = nil
      localWorkloads.remove(pod.workloadUID)
    }
    for listener in pod.listeners { listener.stop() }
    pod.listeners = []
    endDNS(of: pod)
    for tunnel in Array(tunnels.values) where tunnel.pod === pod {
      tunnel.fail(.connect, "the pod was removed")
    }
    endSockets(of: pod)
    // The last references die with this batch; then the control thread may close its own.
    tellControl(.podReleased(uid: uid))
  }

  // MARK: Drain

  private func startDrain(until deadline: Instant) {
    drain = drain ?? Drain(deadline: deadline)
    drain?.deadline = deadline
    for pod in pods.values {
      for listener in pod.listeners { listener.stop() }
      pod.listeners = []
      for handler in pod.dnsHandlers { handler.stop() }
      pod.dnsHandlers = []
    }
    for tunnel in Array(tunnels.values) where tunnel.isServer { tunnel.startDraining() }
  }

  /// Reports once everything has ended, cutting what is left at the deadline.
  func finishDrain() {
    guard var drain, !drain.isReported else { return }
    if drain.deadline <= now {
      drain.cut += UInt32(clamping: connections.count)
      cutEverything()
      for tunnel in Array(tunnels.values) { tunnel.fail(.connect, "ztunnel ended") }
    }
    if applicationSockets == 0, !tunnels.values.contains(where: \.isServer) {
      drain.isReported = true
      for tunnel in Array(tunnels.values) { tunnel.startDraining() }
      tellControl(.drained(worker: number, cut: drain.cut))
    }
    self.drain = drain
  }

  // MARK: Inspection

  private func inspect(_ request: UInt64, _ section: InspectionSection) {
    let most = AgentProtocol.Limit.inspectionRecords
    let part: WorkerInspection =
      switch section {
      case .connections: .connections(connections.values.prefix(most).map { $0.record(at: now) })
      case .tunnels: .tunnels(tunnels.values.prefix(most).map(\.record))
      case .metrics: .metrics(labels.samples)
      case .dns: .dns(dns.table.samples)
      case .summary, .certificates:
        .counts(
          WorkerCounts(
            connections: UInt64(connections.count), tunnels: UInt64(tunnels.count),
            droppedRecords: reports.droppedMessages, failedAccepts: failedAccepts,
            revoked: revoked))
      }
    tellControl(.inspected(request: request, worker: number, part))
  }
}
