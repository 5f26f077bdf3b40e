import AgentProtocol
import HBONE
import Linux
import MeshModel

/// One connection of a pod on its way out: from accept to flowing bytes.
///
/// Nothing is read from the application before its far end is there, so every candidate can be
/// tried without losing a byte; the first 200 or finished TCP connect ends that.
final class OutboundSetup: Setup {
  enum Step {
    case waiting(reason: String)
    /// Before it tries again what was refused.
    case resting
    case resolving(HostLookup, Hop)
    case dialing(AppSocket, Hop?)
    /// For room on a tunnel connection of the key, or for one to come up.
    case waitingForTunnel(Hop, TunnelKey)
    case waitingForAnswer(Tunnel, StreamID, Hop, TunnelKey)
    case over
  }

  let worker: Worker
  let pod: ServedPod
  let client: AppSocket
  let source: SocketAddress
  let originalDestination: SocketAddress
  private let arrived: Instant
  var step = Step.waiting(reason: "")
  private var hops: [Hop] = []
  private var nextHop = 0
  private var redials = 0
  /// Whether a candidate took no tunnels.
  private var wasRefused = false
  private(set) var service: ServiceKey?
  /// Who the far end proved to be; nil before, and without a tunnel.
  var provenIdentity: SPIFFEID?
  /// Why the last candidate failed, for the record when none is left.
  private var failure: (flag: ResponseFlag, reason: String) = (.none, "")

  init(
    _ client: AppSocket, from source: SocketAddress, to destination: SocketAddress,
    in pod: ServedPod, worker: Worker
  ) {
    self.client = client
    self.source = source
    originalDestination = destination
    self.pod = pod
    self.worker = worker
    arrived = worker.now
  }

  var isOver: Bool {
    if case .over = step { return true }
    return false
  }

  // MARK: Deciding

  /// Plans the route; waits when this node does not know the pod yet.
  func begin() {
    guard let workload = pod.workload else {
      wait(for: "the model does not know workload \(pod.workloadUID)")
      return
    }
    let plan = worker.mesh.plan(
      from: workload, to: originalDestination, turn: worker.turns.take(originalDestination),
      localPods: worker.localWorkloads)
    switch plan {
    case .passthrough(let address):
      guard address.port != AgentPort.outbound || !worker.isOwnListener(address) else {
        refuse(.failure(flag: .connect, reason: "\(address) is ztunnel's own"))
        return
      }
      dial(address, nil)
    case .candidates(let hops, let service):
      self.hops = hops
      self.service = service
      tryNext()
    case .refuse(let refusal):
      refuse(.failure(flag: .connect, reason: "\(refusal)"))
    }
  }

  /// The model or an identity arrived: try again what waited for it.
  func wake() {
    guard case .waiting = step else { return }
    beginAnew()
  }

  /// Plans once more: what was true before may have changed.
  private func beginAnew() {
    (hops, nextHop, service) = ([], 0, nil)
    begin()
  }

  func wait(for reason: String) {
    guard worker.mayWait() else {
      refuse(.failure(flag: .identity, reason: "\(reason), and too many wait already"))
      return
    }
    step = .waiting(reason: reason)
    let left = ZTunnelLimit.identityWait - worker.now.since(arrived)
    client.expire(after: max(left, .zero))
    worker.waiting.append(self)
  }

  private func tryNext() {
    guard nextHop < hops.count else {
      refuseAfterFailures()
      return
    }
    let hop = hops[nextHop]
    nextHop += 1
    guard hop.hostname.isEmpty else {
      resolve(hop)
      return
    }
    go(hop)
  }

  /// Begins with a hop whose address is known.
  func go(_ hop: Hop) {
    switch hop.transport {
    case .plaintext: dial(hop.address, hop)
    case .local: dialLocal(hop)
    case .hbone: openTunnel(to: hop, proving: hop.identities, hop.workloadUID)
    case .doubleHBONE:
      guard let gateway = hop.gateway else {
        failed(.connect, "\(hop.workloadUID) is on another network without an entry")
        return
      }
      openTunnel(to: hop, proving: gateway.identities, gateway.workloadUID)
    }
  }

  func failed(_ flag: ResponseFlag, _ reason: String) {
    failure = (flag, reason)
    tryNext()
  }

  // MARK: Plain TCP

  /// Dials from inside the source pod's namespace, so the packets carry the pod's own address.
  private func dial(_ address: SocketAddress, _ hop: Hop?) {
    do throws(LinuxError) {
      let socket = try Socket.stream(for: address.ip, in: pod.shared.namespace)
      try socket.setNoDelay()
      try socket.setKeepAlive(.ours)
      _ = try socket.connect(to: address)
      try awaitDial(socket, in: pod, hop, within: ZTunnelLimit.tcpConnect)
    } catch {
      failed(.connect, "\(error)")
    }
  }

  /// Both ends are enrolled here: the kernel proves the source, policy is asked as for a tunnel.
  private func dialLocal(_ hop: Hop) {
    guard let (destination, facts) = localFacts(hop) else {
      failed(.connect, "\(hop.workloadUID) is being removed from this node")
      return
    }
    if case .deny(let denial) = worker.verdict(facts, for: destination) {
      refuseLocally(denial, facts, hop, at: destination)
      return
    }
    do throws(LinuxError) {
      let socket = try worker.dialApplication(
        in: destination, from: facts.sourceIP, to: hop.address)
      try awaitDial(
        socket, in: destination, hop, within: ZTunnelLimit.applicationConnect)
    } catch {
      failed(.connect, "\(error)")
    }
  }

  /// What policy may ask of a connection between two pods of this node; nil when one is gone.
  private func localFacts(_ hop: Hop) -> (ServedPod, ConnectionFacts)? {
    guard let destination = worker.podsByWorkload[hop.workloadUID],
      let sourceWorkload = pod.workload
    else { return nil }
    let clientIP =
      source.ip.isIPv4 == hop.address.ip.isIPv4
      ? source.ip
      : sourceWorkload.addresses.first { $0.isIPv4 == hop.address.ip.isIPv4 } ?? hop.address.ip
    let facts = ConnectionFacts(
      source: sourceWorkload.identity, sourceIP: clientIP, destinationIP: hop.address.ip,
      destinationPort: hop.address.port)
    return (destination, facts)
  }

  private func awaitDial(
    _ socket: consuming Socket, in place: ServedPod, _ hop: Hop?, within limit: Duration
  ) throws(LinuxError) {
    let upstream = AppSocket(socket, in: place, isClient: false, worker: worker)
    upstream.setup = self
    step = .dialing(upstream, hop)
    client.expire(after: limit)
    do throws(LinuxError) {
      try upstream.start()
    } catch {
      upstream.close(withReset: true)
      throw error
    }
  }

  override func socketReady(_ socket: AppSocket, _ readiness: Readiness) {
    if socket === client {
      // A client that gave up; a half-close alone is served to the end.
      if readiness.contains(.error) { abandon() }
      return
    }
    guard case .dialing(let upstream, let hop) = step, upstream === socket else { return }
    do throws(LinuxError) {
      guard try upstream.socket?.connectResult(readiness) == .connected else { return }
    } catch {
      upstream.close(withReset: true)
      failed(.connect, "\(error)")
      return
    }
    if let hop, hop.transport == .local, !mayStillPass(upstream, hop) { return }
    establish(upstream, hop)
  }

  /// The policy may have changed while the application took its time to answer.
  private func mayStillPass(_ upstream: AppSocket, _ hop: Hop) -> Bool {
    guard let (destination, facts) = localFacts(hop) else {
      upstream.close(withReset: true)
      failed(.connect, "\(hop.workloadUID) was removed from this node")
      return false
    }
    guard case .deny(let denial) = worker.verdict(facts, for: destination) else { return true }
    refuseLocally(denial, facts, hop, at: destination)
    return false
  }

  private func establish(_ upstream: AppSocket, _ hop: Hop?) {
    step = .over
    client.deadline = nil
    client.setup = nil
    upstream.setup = nil
    client.link = .socket(upstream)
    upstream.link = .socket(client)
    worker.opened(client, self, hop)
    if let hop, hop.transport == .local { worker.openedLocally(upstream, self, hop) }
    worker.queue(client)
    worker.queue(upstream)
  }

  // MARK: Tunnel

  override func streamWasReset(_ code: ErrorCode) {
    guard case .waitingForAnswer(let tunnel, _, _, _) = step else { return }
    // Refused means never looked at: the far ztunnel was about to end this connection.
    tunnelFailed(
      TunnelFailure(
        flag: .connect, reason: "\(tunnel.peer) reset the CONNECT (\(code))",
        isTransportLoss: code == .refusedStream))
  }

  override func tunnelFailed(_ failure: TunnelFailure) {
    switch step {
    case .waitingForTunnel, .waitingForAnswer:
      if failure.isTransportLoss, redials < ZTunnelLimit.redials {
        redials += 1
        nextHop -= 1
      }
      if failure.isRefusal { wasRefused = true }
      failed(failure.flag, failure.reason)
    case .waiting, .resting, .resolving, .dialing, .over: return
    }
  }

  // MARK: Ends

  override func expired() {
    switch step {
    case .waiting(let reason):
      failure = (.identity, "\(reason) within \(ZTunnelLimit.identityWait)")
      refuse(.failure(flag: .identity, reason: failure.reason))
    case .resting: beginAnew()
    case .resolving(let lookup, let hop):
      lookup.cancel()
      failed(.connect, "no address for \(hop.hostname) within \(ZTunnelLimit.hostLookup)")
    case .dialing(let upstream, let hop):
      upstream.setup = nil
      upstream.close(withReset: true)
      let limit =
        hop?.transport == .local ? ZTunnelLimit.applicationConnect : ZTunnelLimit.tcpConnect
      failed(.connect, "no answer to TCP connect within \(limit)")
    case .waitingForAnswer(let tunnel, let stream, _, _):
      tunnel.resetStream(stream)
      failed(
        .connect, "no answer to CONNECT from \(tunnel.peer) within \(ZTunnelLimit.connectAnswer)")
    case .waitingForTunnel(_, let key):
      worker.stopWaiting(self, key)
      failed(
        .connect,
        "no room on a tunnel connection to \(key.address) within "
          + "\(ZTunnelLimit.tunnelRoom)")
    case .over: return
    }
  }

  override func cancel() { abandon() }

  /// The client is gone: nothing to answer, nothing to keep.
  private func abandon() {
    leaveStep()
    client.close(withReset: true)
  }

  private func leaveStep() {
    let step = step
    self.step = .over
    switch step {
    case .resolving(let lookup, _): lookup.cancel()
    case .dialing(let upstream, _):
      upstream.setup = nil
      upstream.close(withReset: true)
    case .waitingForAnswer(let tunnel, let stream, _, _): tunnel.resetStream(stream)
    case .waitingForTunnel(_, let key): worker.stopWaiting(self, key)
    case .waiting, .resting, .over: break
    }
  }

  private func refuseAfterFailures() {
    if wasRefused, worker.now.since(arrived) < ZTunnelLimit.refusedTunnelWait {
      wasRefused = false
      step = .resting
      client.expire(after: ZTunnelLimit.refusedTunnelRest)
      return
    }
    worker.failed(self, hops.last, failure.flag, failure.reason)
    abandon()
  }

  private func refuse(_ cause: Refusal.Cause) {
    worker.refused(self, nil, id: worker.randomNumber(), cause)
    abandon()
  }

  func refuse(
    status: UInt16, _ header: RefusalHeader?, _ hop: Hop, at peer: SocketAddress
  ) {
    let reason = header?.reason ?? "\(hop.farEnd(at: peer)) answered CONNECT with \(status)"
    worker.refused(
      self, hop, id: header?.id ?? worker.randomNumber(), .peer(status: status, reason: reason))
    abandon()
  }

  private func refuseLocally(
    _ denial: Verdict.Denial, _ facts: ConnectionFacts, _ hop: Hop, at destination: ServedPod
  ) {
    let id = worker.randomNumber()
    worker.refused(self, hop, id: id, .policy(denial))
    worker.refusedInbound(
      id: id, .policy(denial), facts, source: source, in: destination)
    abandon()
  }
}
