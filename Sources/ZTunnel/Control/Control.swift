import AgentProtocol
import Linux
import MeshModel
import Synchronization
import TLS

/// The control thread: talks to the node agent, owns pods and keys, tells the workers.
///
/// Workers serve on with all they know while the agent is away.
final class Control {
  enum Token {
    static let agent: UInt64 = 1
    static let reports: UInt64 = 2
    static let signals: UInt64 = 3
  }

  let poller: Poller
  let signals: SignalDescriptor
  let reports: Mailbox<WorkerReport>
  let peers: [WorkerPeer]
  var link: AgentLink
  var now = MonotonicClock.now()

  var configuration: Configuration?
  var mesh: MeshIndex?
  private var assembly = ModelAssembly()
  var pods: [String: ControlledPod] = [:]
  var removals: [String: Removal] = [:]
  var identities = IdentityKeeper()
  var trust = Trust.unheard
  var inspections: [UInt64: PendingInspection] = [:]
  var ending: Ending?
  private var memory = MemoryWatch()

  private var events: [PollEvent] = []
  private var reportBatch: [WorkerReport] = []

  init(
    agentPath: String, signals: consuming SignalDescriptor, reports: Mailbox<WorkerReport>,
    peers: [WorkerPeer]
  ) throws(LinuxError) {
    self.signals = signals
    self.reports = reports
    self.peers = peers
    link = AgentLink(path: agentPath, now: MonotonicClock.now())
    poller = try Poller()
    try poller.add(reports.number, token: Token.reports, .readable)
    try poller.add(self.signals.number, token: Token.signals, .readable)
  }

  func run() throws(LinuxError) {
    while true {
      try poller.wait(timeout: timeout, into: &events)
      now = MonotonicClock.now()
      for event in events { try handle(event) }
      if try link.connect(at: now, poller, token: Token.agent) { greet() }
      expireInspections()
      renewIdentities()
      trimMemory()
      flush()
      if finishEnding() { return }
    }
  }

  private var timeout: Duration? {
    var moments = inspections.values.map(\.deadline)
    if !link.isConnected { moments.append(link.retryAt) }
    if let ending { moments.append(ending.giveUp) }
    if memory.isWatching { moments.append(memory.nextLook) }
    var wait = moments.min().map { $0.since(now) }
    if link.isConnected, let wake = identities.nextWake {
      let seconds = max(wake.secondsSinceEpoch - WallClock.now().secondsSinceEpoch, 0)
      wait = min(wait ?? .seconds(3_600), .seconds(min(seconds, 3_600)))
    }
    return wait
  }

  private func handle(_ event: PollEvent) throws(LinuxError) {
    switch event.token {
    case Token.agent: readAgent()
    case Token.reports:
      reports.drain(into: &reportBatch)
      for report in reportBatch { handle(report) }
      reportBatch.removeAll(keepingCapacity: true)
    case Token.signals:
      while let signal = try signals.next() { received(signal) }
    default: break
    }
  }

  var workers: [Mailbox<WorkerCommand>] { peers.map(\.mailbox) }

  func tellWorkers(_ command: WorkerCommand) {
    for worker in workers where !worker.post(command) {
      // A worker that left 65 536 commands unread is dead; a fresh process serves better.
      CurrentProcess.writeError("ztunnel: a worker does not take commands any more")
      CurrentProcess.exit(code: 70)
    }
  }
}

// MARK: Agent

extension Control {
  /// Says who we are and what we hold, then hands over copies of every listener.
  private func greet() {
    let hello = Hello(
      processID: CurrentProcess.id, generation: mesh?.model.generation ?? 0,
      pods: pods.values.map(\.shared.pod), identities: identities.certified)
    send(.hello(hello))
    for pod in pods.values { sendListening(pod) }
    identities.wakeAll()
  }

  private func readAgent() {
    while link.isConnected {
      do throws(AgentLinkError) {
        guard let frame = try link.next() else { return }
        try receive(frame)
      } catch {
        lost(error)
      }
    }
  }

  private func receive(_ frame: consuming ReceivedFrame) throws(AgentLinkError) {
    let message: AgentMessage
    do throws(DecodingError) {
      message = try AgentMessage(decoding: frame.payload)
    } catch {
      throw .notAMessage(error)
    }
    var descriptors = DescriptorList()
    swap(&descriptors, &frame.descriptors)
    switch message {
    case .configure(let configuration):
      guard configuration.version == ProtocolVersion.current else {
        throw .otherVersion(configuration.version)
      }
      self.configuration = configuration
      tellWorkers(.configure(configuration))
      followDNSConfiguration()
    case .model(let change):
      do throws(PieceError) {
        apply(try assembly.finish(change))
      } catch {
        throw .pieces(error)
      }
    case .modelPart(let change):
      do throws(PieceError) {
        try assembly.add(change)
      } catch {
        throw .pieces(error)
      }
    case .trust(let update): apply(update)
    case .addPod(let pod): addPod(pod, &descriptors)
    case .removePod(let uid): removePod(uid)
    case .certificate(let certificate): received(certificate)
    case .certificateRefused(let identity, let reason):
      identities.refused(identity, reason: reason, at: WallClock.now(), jitter: jitter())
    case .inspect(let request, let section): inspect(request, section)
    case .drain(let deadline): end(within: deadline)
    }
  }

  private func lost(_ error: AgentLinkError) {
    CurrentProcess.writeError("ztunnel: agent: \(error)")
    link.disconnect(at: now)
    inspections = [:]
    assembly = ModelAssembly()
    identities.authorityLost(at: WallClock.now(), jitter: jitter())
  }

  func send(
    _ message: TunnelMessage, _ descriptors: consuming DescriptorList = DescriptorList()
  ) {
    do throws(AgentLinkError) {
      try link.send(message, descriptors)
    } catch {
      lost(error)
    }
  }

  private func flush() {
    do throws(AgentLinkError) {
      try link.flush()
    } catch {
      lost(error)
    }
  }

  /// 0 to 1, drawn anew each time.
  func jitter() -> Double {
    Double(Random.uint64() >> 11) / Double(1 << 53)
  }
}

// MARK: Model

extension Control {
  private func apply(_ change: ModelChange) {
    guard change.isFull || mesh != nil else {
      send(
        .modelRejected(
          generation: change.generation, reason: "a difference came before any whole model"))
      return
    }
    let old = mesh ?? MeshIndex(Model())
    let new = old.applying(change)
    mesh = new
    tellWorkers(.model(new, rejudge: new.changedPolicyScope(from: old)))
    for pod in pods.values { updateIdentity(of: pod.shared.pod) }
    send(.modelApplied(generation: change.generation))
  }

  func updateIdentity(of pod: Pod) {
    let identity = mesh?.workload(uid: pod.workloadUID)?.identity
    for released in identities.setIdentity(identity, ofPod: pod.uid) {
      tellWorkers(.credentials(released, nil))
    }
  }
}

// MARK: Memory

extension Control {
  private func trimMemory() {
    let sockets = peers.reduce(0) { $0 + $1.sockets.load(ordering: .relaxed) }
    if memory.shouldTrim(sockets: sockets, at: now) { CurrentProcess.trimHeap() }
  }
}

// MARK: Reports of workers

extension Control {
  private func handle(_ report: WorkerReport) {
    switch report {
    case .messages(let messages): for message in messages { forward(message) }
    case .listenerBroken(let listener): remake(listener)
    case .podReleased(let uid): released(uid)
    case .inspected(let request, let worker, let part): collect(request, worker, part)
    case .drained(let worker, let cut): drained(worker, cut)
    }
  }

  private func forward(_ message: TunnelMessage) {
    do throws(AgentLinkError) {
      try link.sendRecord(message)
    } catch {
      lost(error)
    }
  }
}
