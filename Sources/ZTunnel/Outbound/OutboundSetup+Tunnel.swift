import AgentProtocol
import HBONE
import Linux
import MeshModel

// The part of a set-up that goes over tunnel connections.
//
//     hbone, waypoint   openTunnel ─ open ─ answered ─ bytes flow
//     double HBONE      openTunnel ─ open ─ answered ─ enter ─ open ─ answered ─ bytes flow
//                       └ to the entry of the other network ┘ └ in it, to the far end ┘
extension OutboundSetup {
  /// Finds or dials a tunnel connection to where the hop is dialled.
  func openTunnel(to hop: Hop, proving identities: [SPIFFEID], _ workloadUID: String) {
    guard let workload = pod.workload else {
      failed(.identity, "the model does not know workload \(pod.workloadUID)")
      return
    }
    guard worker.usableCredentials(of: workload.identity) != nil else {
      wait(for: "no certificate for \(workload.identity)")
      return
    }
    let key = TunnelKey(
      podUID: pod.uid, source: workload.identity, expected: identities, address: hop.dialled,
      workloadUID: workloadUID)
    step = .waitingForTunnel(hop, key)
    client.expire(after: ZTunnelLimit.tunnelRoom)
    worker.openStream(for: self, key)
  }

  /// Sends CONNECT; false when the connection has no room after all.
  func open(on tunnel: Tunnel) -> Bool {
    guard case .waitingForTunnel(let hop, let key) = step, case .client(key) = tunnel.purpose
    else { return true }
    var headers = ConnectHeaders.fields(
      baggage: pod.baggage, client: source, serviceHost: service?.hostname,
      traceHigh: worker.randomNumber(), traceLow: worker.randomNumber(),
      span: worker.randomNumber())
    if key.inner != nil, let network = pod.workload?.network {
      headers.append(HeaderField(name: ConnectHeaders.network, value: network))
    }
    guard let stream = tunnel.http2.open(authority: "\(hop.authority)", headers: headers) else {
      return false
    }
    tunnel.streams[stream] = client
    tunnel.totalStreams += 1
    step = .waitingForAnswer(tunnel, stream, hop, key)
    client.expire(after: ZTunnelLimit.connectAnswer)
    worker.flushLater(tunnel)
    return true
  }

  func answered(_ response: Response) {
    guard case .waitingForAnswer(let tunnel, let stream, let hop, let key) = step else { return }
    guard response.isSuccess else {
      step = .waiting(reason: "")
      tunnel.resetStream(stream)
      if response.status == 401 || response.status == 400 {
        refuse(
          status: response.status, RefusalHeader(in: response.headers), hop, at: tunnel.peer)
      } else {
        failed(
          .connect, "\(hop.farEnd(at: tunnel.peer)) answered CONNECT with \(response.status)")
      }
      return
    }
    guard hop.transport != .doubleHBONE || key.inner != nil else {
      enter(tunnel, stream, hop)
      return
    }
    step = .over
    provenIdentity = tunnel.peerIdentity
    client.deadline = nil
    client.setup = nil
    client.link = .stream(tunnel, stream)
    worker.opened(client, self, hop)
    if response.isEnd { client.finishWriting() }
    worker.queue(client)
  }

  /// The entry of the other network answered: what flows on this stream now is a tunnel of its own.
  private func enter(_ tunnel: Tunnel, _ stream: StreamID, _ hop: Hop) {
    guard let workload = pod.workload else {
      step = .waiting(reason: "")
      tunnel.resetStream(stream)
      failed(.identity, "the model does not know workload \(pod.workloadUID)")
      return
    }
    let key = TunnelKey(
      podUID: pod.uid, source: workload.identity, expected: hop.identities,
      address: tunnel.peer, workloadUID: hop.workloadUID, inner: worker.takeIdentifier())
    step = .waitingForTunnel(hop, key)
    client.expire(after: ZTunnelLimit.tunnelRoom)
    do throws(LinuxError) {
      try UnixSocket.pair().separate { (near, far) throws(LinuxError) in
        let carrier = AppSocket(near, in: pod, isClient: true, worker: worker)
        carrier.link = .stream(tunnel, stream)
        tunnel.streams[stream] = carrier
        try carrier.start()
        worker.openInner(far, carriedBy: carrier, for: self, key)
      }
    } catch {
      tunnel.resetStream(stream)
      failed(.connect, "\(error)")
    }
  }
}

// MARK: Host names

extension OutboundSetup {
  /// Finds the address of a workload that has only a name, then goes there.
  func resolve(_ hop: Hop) {
    let lookup = HostLookup(
      hop.hostname, preferringIPv4: originalDestination.ip.isIPv4,
      turn: worker.turns.take(hop.hostname), in: pod, worker: worker
    ) { [self] ip in
      step = .waiting(reason: "")
      guard let ip else {
        failed(.connect, "no address for \(hop.hostname), the only name of \(hop.workloadUID)")
        return
      }
      go(hop.resolved(to: ip))
    }
    step = .resolving(lookup, hop)
    client.expire(after: ZTunnelLimit.hostLookup)
    lookup.next()
  }
}

extension Hop {
  /// Who answers there, for an operator.
  func farEnd(at peer: SocketAddress) -> String {
    if gateway != nil { return "\(workloadUID), behind the entry \(peer) of its network," }
    return isWaypoint ? "waypoint \(peer)" : "\(peer)"
  }
}
