import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS

extension Tunnel {
  /// Whether this connection may carry another stream of ours.
  var takesStreams: Bool {
    state == .open && !isClosed && !http2.isDraining
      && streams.count < ZTunnelLimit.streamsPerTunnel
  }

  func resetStream(_ stream: StreamID, _ code: ErrorCode = .cancel) {
    http2.reset(stream, code)
    forgetStream(stream)
    worker.flushLater(self)
  }

  /// The stream is over on our side.
  func forgetStream(_ stream: StreamID) {
    guard streams.removeValue(forKey: stream) != nil else { return }
    http2.closed(stream)
    if !http2.control.isEmpty { worker.flushLater(self) }
    idleSince = worker.now
    worker.streamsMayOpen(on: self)
    closeIfDrained()
  }

  /// Takes no new streams; ends with the last one.
  func startDraining() {
    guard !isClosed else { return }
    guard state == .open else {
      if state != .draining { fail(.connect, "ztunnel is draining") }
      return
    }
    state = .draining
    http2.goAway(.noError)
    if isServer { expire(after: ZTunnelLimit.drainEcho) }
    worker.flushLater(self)
    closeIfDrained()
  }

  /// A client that did not echo the first GOAWAY in time is not waited for.
  func nameLastStream() {
    guard isServer, !http2.isDrained else { return }
    http2.goAway(.noError)
    worker.flushLater(self)
    closeIfDrained()
  }

  func closeIfDrained() {
    // The client may have streams on their way until it has heard of the end.
    guard state == .draining, streams.isEmpty, !isClosed, !isServer || http2.isDrained else {
      return
    }
    closeGracefully()
  }

  private func closeGracefully() {
    flush()
    guard !isClosed else { return }
    tls?.closeNotify(to: &cipherOut)
    send()
    fail(.none, "")
  }

  /// Keeps the connection proven, gives memory back, and ends it after long idleness.
  func tick() {
    guard hasSettings || state == .draining else {
      fail(.http2Failure, "no SETTINGS from \(peer) within \(ZTunnelLimit.settings)")
      return
    }
    if let pingSent, worker.now.since(pingSent) >= ZTunnelLimit.pingAnswer {
      fail(.connect, "no answer to a PING within \(ZTunnelLimit.pingAnswer)")
      return
    }
    if case .client = purpose, streams.isEmpty,
      worker.now.since(idleSince) >= ZTunnelLimit.tunnelIdle
    {
      closeGracefully()
      return
    }
    if pingSent == nil {
      pingSent = worker.now
      http2.ping(worker.now.nanoseconds)
      worker.flushLater(self)
    }
    plainOut.release()
    cipherOut.release()
    leftover.release()
    expire(after: ZTunnelLimit.pingInterval)
  }

  /// Ends the connection and everything on it.
  func fail(
    _ flag: ResponseFlag, _ reason: String, isTransportLoss: Bool = false, isRefusal: Bool = false
  ) {
    guard !isClosed else { return }
    let failure = TunnelFailure(
      flag: flag, reason: reason, isTransportLoss: isTransportLoss, isRefusal: isRefusal)
    let wasHandshaking = state != .open && state != .draining
    worker.bury(self)
    worker.tunnels[id] = nil
    _ = socket.take()
    let carried = streams
    streams = [:]
    parked = []
    for socket in carried.values {
      if let setup = socket.setup {
        setup.tunnelFailed(failure)
      } else {
        socket.link = .none
        socket.close(withReset: true, flag: flag, reason: "the tunnel ended: \(reason)")
      }
    }
    switch purpose {
    case .client(let key): worker.tunnelIsDown(self, key, failure)
    case .server:
      if wasHandshaking {
        worker.handshakeEnded(self)
        worker.refuseHandshake(self, flag, reason)
      }
    }
  }

  var record: TunnelRecord {
    let direction: Direction =
      switch purpose {
      case .client: .outbound
      case .server: .inbound
      }
    return TunnelRecord(
      direction: direction, podUID: pod.uid, peer: peer, peerIdentity: peerIdentity,
      localIdentity: localIdentity, liveStreams: UInt32(clamping: streams.count),
      totalStreams: totalStreams, age: worker.now.since(created), state: state.rawValue)
  }
}
