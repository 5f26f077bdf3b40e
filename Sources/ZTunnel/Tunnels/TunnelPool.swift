import AgentProtocol
import HBONE
import Linux
import MeshModel

/// What a tunnel connection is good for: one pod's traffic, under one identity, to one workload.
///
/// With the destination's uid in it no stream ever goes to a new pod that took over an address,
/// and with all the identities it might have proven, none goes to one that proved another.
struct TunnelKey: Hashable {
  var podUID: String
  var source: SPIFFEID
  /// Whom the far end must prove to be: any of these.
  var expected: [SPIFFEID]
  /// Where it takes tunnels.
  var address: SocketAddress
  var workloadUID: String
  /// Not nil: a tunnel inside another, for one connection alone.
  var inner: UInt64?
}

/// The tunnel connections of one key, and who waits for one.
struct PooledTunnels {
  /// Up, full ones included: they come back when a stream ends.
  var up: [Tunnel] = []
  /// At most one comes up at a time.
  var dialing: Tunnel?
  /// In the order they came.
  var waiting: [OutboundSetup] = []
  /// Of a tunnel inside another: what brings its bytes to the outer one's stream.
  var carrier: AppSocket?

  var isEmpty: Bool { up.isEmpty && dialing == nil && waiting.isEmpty }
}

extension Worker {
  /// Finds or dials a tunnel connection and opens the set-up's stream on it, now or later.
  func openStream(for setup: OutboundSetup, _ key: TunnelKey) {
    guard let pod = pods[key.podUID] else {
      setup.tunnelFailed(
        TunnelFailure(flag: .connect, reason: "the pod is being removed"))
      return
    }
    var pool = pod.pools[key] ?? PooledTunnels()
    // The fullest first, so that the others can go idle and close.
    for tunnel in pool.up where tunnel.takesStreams {
      if setup.open(on: tunnel) { return }
    }
    if let failure = pool.hopelessness(key) {
      setup.tunnelFailed(failure)
      return
    }
    guard pool.waiting.count < ZTunnelLimit.waitingPerKey else {
      setup.tunnelFailed(
        TunnelFailure(
          flag: .connect,
          reason: "\(pool.waiting.count) connections wait for a tunnel to \(key.address) already"))
      return
    }
    pool.waiting.append(setup)
    pod.pools[key] = pool
    dialIfNeeded(pod, key)
  }

  /// The set-up has given up.
  func stopWaiting(_ setup: OutboundSetup, _ key: TunnelKey) {
    guard let pod = pods[key.podUID], var pool = pod.pools[key] else { return }
    pool.waiting.removeAll { $0 === setup }
    pod.pools[key] = pool.isEmpty ? nil : pool
    // It came up for this set-up alone.
    if key.inner != nil { pool.dialing?.fail(.none, "nobody waits for it any more") }
  }

  private func dialIfNeeded(_ pod: ServedPod, _ key: TunnelKey) {
    guard var pool = pod.pools[key] else { return }
    pool.waiting.removeAll { $0.isOver }
    guard pool.dialing == nil, !pool.waiting.isEmpty, key.inner == nil, !pool.isUnsettled,
      pool.up.count < ZTunnelLimit.tunnelsPerKey
    else {
      pod.pools[key] = pool.isEmpty ? nil : pool
      return
    }
    let peer = key.address
    do throws(LinuxError) {
      let socket = try Socket.stream(for: peer.ip, in: pod.shared.namespace)
      try socket.setNoDelay()
      try socket.setKeepAlive(.ours)
      // A refusal known at once arrives as an event as well.
      _ = try socket.connect(to: peer)
      let tunnel = Tunnel(
        id: takeIdentifier(), pod: pod, purpose: .client(key), peer: peer,
        localIdentity: key.source, socket: socket, state: .connecting, worker: self)
      pool.dialing = tunnel
      pod.pools[key] = pool
      try tunnel.start()
      tunnel.expire(after: ZTunnelLimit.tcpConnect)
    } catch {
      let waiting = pool.waiting
      pool.dialing?.abandon()
      pool.dialing = nil
      pool.waiting = []
      pod.pools[key] = pool.isEmpty ? nil : pool
      let failure = TunnelFailure(flag: .connect, reason: "\(error)")
      for setup in waiting { setup.tunnelFailed(failure) }
    }
  }

  func tunnelIsUp(_ tunnel: Tunnel, _ key: TunnelKey) {
    guard var pool = tunnel.pod.pools[key], pool.dialing === tunnel else { return }
    pool.dialing = nil
    pool.up.append(tunnel)
    tunnel.pod.pools[key] = pool
    serveWaiting(tunnel, key)
    dialIfNeeded(tunnel.pod, key)
  }

  /// A stream ended or the peer allows more, or none.
  func streamsMayOpen(on tunnel: Tunnel) {
    guard case .client(let key) = tunnel.purpose else { return }
    // Most streams end while nobody waits.
    if tunnel.pod.pools[key]?.waiting.isEmpty == false {
      serveWaiting(tunnel, key)
      failHopeless(tunnel.pod, key)
      dialIfNeeded(tunnel.pod, key)
    }
    // It served one connection, and that is over.
    if key.inner != nil, tunnel.streams.isEmpty, tunnel.totalStreams > 0 {
      tunnel.state = .draining
    }
  }

  /// Those that wait for streams a peer does not allow need not wait on.
  private func failHopeless(_ pod: ServedPod, _ key: TunnelKey) {
    guard var pool = pod.pools[key], !pool.waiting.isEmpty,
      let failure = pool.hopelessness(key)
    else { return }
    let waiting = pool.waiting
    pool.waiting = []
    pod.pools[key] = pool
    for setup in waiting { setup.tunnelFailed(failure) }
  }

  private func serveWaiting(_ tunnel: Tunnel, _ key: TunnelKey) {
    guard var pool = tunnel.pod.pools[key], !pool.waiting.isEmpty else { return }
    var served = 0
    for setup in pool.waiting {
      guard setup.isOver || (tunnel.takesStreams && setup.open(on: tunnel)) else { break }
      served += 1
    }
    guard served > 0 else { return }
    pool.waiting.removeFirst(served)
    tunnel.pod.pools[key] = pool
  }

  /// Those that waited for it fail over; those that come later dial anew.
  func tunnelIsDown(_ tunnel: Tunnel, _ key: TunnelKey, _ failure: TunnelFailure) {
    guard var pool = tunnel.pod.pools[key] else { return }
    pool.up.removeAll { $0 === tunnel }
    var failed: [OutboundSetup] = []
    if pool.dialing === tunnel {
      pool.dialing = nil
      failed = pool.waiting
      pool.waiting = []
    }
    // Its last bytes are still on their way; what is left after that has nowhere to go.
    pool.carrier?.expire(after: ZTunnelLimit.linger)
    pool.carrier = nil
    tunnel.pod.pools[key] = pool.isEmpty ? nil : pool
    for setup in failed { setup.tunnelFailed(failure) }
    dialIfNeeded(tunnel.pod, key)
  }
}

// MARK: A tunnel inside another

extension Worker {
  /// Brings up a tunnel whose bytes travel on a stream of another one, for one set-up.
  ///
  /// It runs over one end of a socket pair, as it would over TCP; `carrier` moves what arrives at
  /// the other end to the outer stream.
  func openInner(
    _ socket: consuming Socket, carriedBy carrier: AppSocket, for setup: OutboundSetup,
    _ key: TunnelKey
  ) {
    let inner = Tunnel(
      id: takeIdentifier(), pod: setup.pod, purpose: .client(key), peer: key.address,
      localIdentity: key.source, socket: socket, state: .handshaking, worker: self)
    setup.pod.pools[key] = PooledTunnels(dialing: inner, waiting: [setup], carrier: carrier)
    do throws(LinuxError) {
      try inner.start()
    } catch {
      setup.pod.pools[key] = nil
      carrier.abort(flag: .connect, reason: "\(error)")
      inner.abandon()
      setup.tunnelFailed(TunnelFailure(flag: .connect, reason: "\(error)"))
      return
    }
    inner.beginClient(key)
  }
}

extension PooledTunnels {
  /// How many streams one of them takes is not known yet: whoever waits may fit on it.
  fileprivate var isUnsettled: Bool { up.contains { $0.state == .open && !$0.hasSettings } }

  /// Why no connection need wait: the peer allows no streams at all, now.
  ///
  /// It may allow them later, so the connection that heard this is kept, and no other is dialled
  /// beside it.
  fileprivate func hopelessness(_ key: TunnelKey) -> TunnelFailure? {
    guard up.contains(where: \.forbidsStreams) else { return nil }
    return TunnelFailure(
      flag: .connect,
      reason: "\(key.address) allows no streams (SETTINGS_MAX_CONCURRENT_STREAMS is 0)")
  }
}

extension KeepAlive {
  static let ours = KeepAlive(
    idle: ZTunnelLimit.keepAliveIdle, interval: ZTunnelLimit.keepAliveInterval,
    probes: ZTunnelLimit.keepAliveProbes)
}

extension Tunnel {
  /// Whether the peer has said that it takes no streams.
  fileprivate var forbidsStreams: Bool {
    state == .open && http2.hasPeerSettings && http2.peerStreamLimit == 0
  }

  /// Forgets a connection that could not even be watched.
  func abandon() {
    worker.bury(self)
    worker.tunnels[id] = nil
    _ = socket.take()
  }
}
