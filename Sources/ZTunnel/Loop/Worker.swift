import AgentProtocol
import Linux
import MeshModel
import Synchronization
import TLS

/// One thread of the tunnel engine: its poller, and every connection it accepted or dialled.
///
/// A connection lives and dies on one worker; nothing here is shared, nothing locks.
final class Worker {
  let number: Int
  let poller: Poller
  let mailbox: Mailbox<WorkerCommand>
  /// All workers, this one included.
  let peers: [WorkerPeer]
  let control: Mailbox<WorkerReport>

  /// Read once per batch of events.
  private(set) var now = MonotonicClock.now()
  private var slots = SlotTable()
  private var timers = TimerHeap()
  private var queued: [Handler] = []
  private var unflushed: [Tunnel] = []
  private var graveyard: [Handler] = []
  private var events: [PollEvent] = []
  private var commands: [WorkerCommand] = []

  // MARK: Scratch, empty between events

  var cipher = Buffer(capacity: ZTunnelLimit.cipherReadBytes)
  var plain = Buffer(capacity: ZTunnelLimit.plainBytes)
  var chunks = ChunkStock()

  // MARK: What the control thread published

  var configuration: Configuration?
  var mesh = MeshIndex(Model())
  var credentials: [SPIFFEID: Credentials] = [:]
  var trust = Trust.unheard
  var pods: [String: ServedPod] = [:]
  /// Pod by the workload it is in the model.
  var podsByWorkload: [String: ServedPod] = [:]
  var localWorkloads: Set<String> = []

  // MARK: What this worker holds

  var connections: [UInt64: Connection] = [:]
  var tunnels: [UInt64: Tunnel] = [:]
  /// Open, set up or being set up.
  var applicationSockets = 0
  var labels = LabelTable()
  let dns = DNSService()
  var hosts = HostNames()
  /// Outbound connections that wait for the model or for an identity.
  var waiting: [OutboundSetup] = []
  var waitingTunnels: [Tunnel] = []
  /// Inbound tunnel connections whose handshake is not done, oldest first.
  var handshakes: [Tunnel] = []
  var turns = Turns(first: Random.uint64())
  private var nextIdentifier: UInt64 = 0
  private var randomState = Random.uint64()
  var drain: Drain?
  /// Connections that died between accept and our first question about them, and those refused for
  /// want of a descriptor.
  var failedAccepts: UInt64 = 0
  var revoked = Revoked()
  var reports = Reports()
  var reserve: SharedDescriptor?

  init(
    number: Int, peers: [WorkerPeer], control: Mailbox<WorkerReport>
  ) throws(LinuxError) {
    self.number = number
    self.peers = peers
    mailbox = peers[number].mailbox
    self.control = control
    poller = try Poller()
    try poller.add(mailbox.number, token: 0, .readable)
    takeReserve()
  }

  /// Serves until the process ends.
  func run() throws(LinuxError) {
    while true {
      try poller.wait(timeout: timeout, into: &events)
      now = MonotonicClock.now()
      for event in events { dispatch(event) }
      takeTurns()
      expireTimers()
      flushTunnels()
      finishDrain()
      peers[number].sockets.store(slots.count, ordering: .relaxed)
      peers[number].tunnels.store(tunnels.count, ordering: .relaxed)
      if !graveyard.isEmpty { graveyard.removeAll(keepingCapacity: true) }
      chunks.release(at: now)
      reports.tell(control, at: now)
    }
  }

  private var timeout: Duration? {
    if !queued.isEmpty { return .zero }
    var next = reports.due
    if let timer = timers.earliest { next = min(next ?? timer, timer) }
    if let rest = chunks.due { next = min(next ?? rest, rest) }
    if let drain, !drain.isReported { next = min(next ?? drain.deadline, drain.deadline) }
    return next.map { $0.since(now) }
  }

  private func dispatch(_ event: PollEvent) {
    guard event.token != 0 else {
      mailbox.drain(into: &commands)
      for command in commands { handle(command) }
      commands.removeAll(keepingCapacity: true)
      return
    }
    guard let handler = slots.handler(event.token), !handler.isClosed else { return }
    handler.ready(event.readiness)
  }

  private func takeTurns() {
    guard !queued.isEmpty else { return }
    let turns = queued
    queued.removeAll(keepingCapacity: true)
    for handler in turns {
      handler.isQueued = false
      if !handler.isClosed { handler.turn() }
    }
  }

  private func expireTimers() {
    while let token = timers.popDue(at: now) {
      guard let handler = slots.handler(token), !handler.isClosed else { continue }
      handler.isTimed = false
      guard let deadline = handler.deadline else { continue }
      if deadline <= now {
        handler.deadline = nil
        handler.expired()
      } else {
        watchDeadline(of: handler)
      }
    }
  }

  private func flushTunnels() {
    while let tunnel = unflushed.popLast() {
      tunnel.isUnflushed = false
      if !tunnel.isClosed { tunnel.flush() }
    }
  }
}

// MARK: Services to handlers

extension Worker {
  /// Gives the handler a slot and watches its descriptor.
  func watch(_ handler: Handler, _ number: CInt, _ interest: Readiness) throws(LinuxError) {
    let token = slots.insert(handler)
    do throws(LinuxError) {
      try poller.add(number, token: token, interest)
    } catch {
      _ = slots.remove(token)
      throw error
    }
    handler.token = token
  }

  /// Takes the handler out of its slot; it stays in memory until the batch ends.
  func bury(_ handler: Handler) {
    guard !handler.isClosed else { return }
    handler.isClosed = true
    handler.deadline = nil
    if handler.token != 0 { _ = slots.remove(handler.token) }
    graveyard.append(handler)
  }

  var socketCount: Int { slots.count }

  func queue(_ handler: Handler) {
    guard !handler.isQueued else { return }
    handler.isQueued = true
    queued.append(handler)
  }

  func flushLater(_ tunnel: Tunnel) {
    guard !tunnel.isUnflushed else { return }
    tunnel.isUnflushed = true
    unflushed.append(tunnel)
  }

  /// One entry per handler: a deadline moved later is found when the entry comes up.
  ///
  /// A deadline moved earlier than a standing entry is served by a second entry.
  func watchDeadline(of handler: Handler) {
    guard let deadline = handler.deadline, handler.token != 0 else { return }
    if handler.isTimed, let entry = handler.timerEntry, entry <= deadline { return }
    handler.isTimed = true
    handler.timerEntry = deadline
    timers.insert(handler.token, at: deadline)
  }

  func takeReserve() {
    do throws(LinuxError) {
      reserve = SharedDescriptor(try mailboxDescriptorCopy())
    } catch {
      // Without a reserve the listener only rests; the next rest tries again.
      reserve = nil
    }
  }

  private func mailboxDescriptorCopy() throws(LinuxError) -> OwnedDescriptor {
    try Socket.stream(for: .v4(0)).takeDescriptor()
  }
}

// MARK: Ends

extension Worker {
  /// Ends every application connection that has a socket in the pod's namespace.
  func endSockets(of pod: ServedPod) {
    for handler in slots.all {
      if let socket = handler as? AppSocket, socket.pod === pod {
        socket.cut("the pod was removed")
      } else if let canary = handler as? Canary, canary.pod === pod {
        canary.close()
      }
    }
    waiting.removeAll { $0.isOver }
  }

  func cutEverything() {
    for handler in slots.all {
      if let socket = handler as? AppSocket { socket.cut("ztunnel ended") }
    }
  }

  /// Unique within the process: the worker's number is in the upper bits.
  func takeIdentifier() -> UInt64 {
    nextIdentifier += 1
    return UInt64(number) << 48 | nextIdentifier
  }

  /// For ids and traces, not for secrets.
  ///
  /// SplitMix64. Source: Steele, Lea and Flood, 2014.
  func randomNumber() -> UInt64 {
    randomState &+= 0x9e37_79b9_7f4a_7c15
    var bits = randomState
    bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
    return bits ^ bits >> 31
  }
}

/// How far the end is.
struct Drain {
  var deadline: Instant
  var cut: UInt32 = 0
  var isReported = false
}
