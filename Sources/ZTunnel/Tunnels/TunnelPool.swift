import AgentProtocol
import Linux
import MeshModel

/// What a tunnel connection is good for: one pod's traffic, under one identity, to one workload.
///
/// With the destination's uid in it no stream ever goes to a new pod that took over an address.
struct TunnelKey: Hashable {
  var podUID: String
  var source: SPIFFEID
  var destination: SPIFFEID
  var address: IPAddress
  var workloadUID: String
}

/// The tunnel connections of one key, and who waits for one.
struct PooledTunnels {
  /// Up, full ones included: they come back when a stream ends.
  var up: [Tunnel] = []
  /// At most one comes up at a time.
  var dialing: Tunnel?
  /// In the order they came.
  var waiting: [OutboundSetup] = []

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

  private func dialIfNeeded(_ pod: ServedPod, _ key: TunnelKey) {
    guard var pool = pod.pools[key] else { return }
    pool.waiting.removeAll { $0.isOver }
    guard pool.dialing == nil, !pool.waiting.isEmpty else {
      pod.pools[key] = pool.isEmpty ? nil : pool
      return
    }
    let peer = SocketAddress(ip: key.address, port: AgentPort.hbone)
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
      pod.pools[key] = nil
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

  /// A stream ended or the peer allows more.
  func streamsMayOpen(on tunnel: Tunnel) {
    guard case .client(let key) = tunnel.purpose else { return }
    serveWaiting(tunnel, key)
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
    tunnel.pod.pools[key] = pool.isEmpty ? nil : pool
    for setup in failed { setup.tunnelFailed(failure) }
    dialIfNeeded(tunnel.pod, key)
  }
}

extension KeepAlive {
  static let ours = KeepAlive(
    idle: ZTunnelLimit.keepAliveIdle, interval: ZTunnelLimit.keepAliveInterval,
    probes: ZTunnelLimit.keepAliveProbes)
}

extension Tunnel {
  /// Forgets a connection that could not even be watched.
  func abandon() {
    worker.bury(self)
    worker.tunnels[id] = nil
    _ = socket.take()
  }
}
