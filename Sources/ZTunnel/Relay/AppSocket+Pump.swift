import HBONE
import Linux
import MeshModel

extension AppSocket {
  /// One direction of a plain relay.
  func pump(to peer: AppSocket) {
    var reads = ZTunnelLimit.readsPerTurn
    while isReadable, !hasEnded, !isClosed {
      // The peer's `drainPending` gives the next turn.
      if peer.hasPending || peer.setup != nil { return }
      guard reads > 0 else {
        worker.queue(self)
        return
      }
      reads -= 1
      let outcome =
        socket?.receive(into: &worker.plain, atMost: ZTunnelLimit.relayBytes) ?? .wouldBlock
      switch outcome {
      case .bytes(let count):
        if count < ZTunnelLimit.relayBytes, !isPeerClosed { isReadable = false }
        countRead(count)
        peer.deliver(&worker.plain)
      case .endOfFile:
        hasEnded = true
        isReadable = false
        peer.finishWriting()
        closeIfDone()
      case .wouldBlock:
        isReadable = false
      case .reset:
        wasReset()
      }
    }
  }

  /// Reads to the application's end, for nobody.
  func discard() {
    if isWritable, hasPending { drainPending() }
    while isReadable, !hasEnded, !isClosed {
      switch socket?.receive(into: &worker.plain, atMost: ZTunnelLimit.relayBytes) ?? .wouldBlock {
      case .bytes: worker.plain.removeAll()
      case .endOfFile:
        hasEnded = true
        isReadable = false
        closeIfDone()
      case .wouldBlock: isReadable = false
      case .reset: wasReset()
      }
    }
  }

  /// Reads straight into the tunnel connection's plaintext, behind room for the frame's header.
  func pump(into tunnel: Tunnel, _ stream: StreamID) {
    if isWritable, hasPending { drainPending() }
    var reads = ZTunnelLimit.readsPerTurn
    while isReadable, !hasEnded, !isClosed {
      let credit = tunnel.http2.sendCredit(stream)
      guard credit > 0, tunnel.backlogBytes < ZTunnelLimit.backlogBytes else {
        tunnel.park(self)
        return
      }
      guard reads > 0 else {
        worker.queue(self)
        return
      }
      reads -= 1
      let wanted = min(ZTunnelLimit.readBytes, credit)
      tunnel.takeControl()
      let outcome =
        socket?.receive(into: &tunnel.plainOut, atMost: wanted, leavingRoomFor: 9) ?? .wouldBlock
      switch outcome {
      case .bytes(let count):
        if count < wanted, !isPeerClosed { isReadable = false }
        let header = tunnel.http2.writeDataHeader(stream, count: count, endStream: false)
        tunnel.plainOut.writeHeader(header, beforeLast: count)
        countRead(count)
        worker.flushLater(tunnel)
      case .endOfFile:
        hasEnded = true
        isReadable = false
        tunnel.endStream(stream)
        closeIfDone()
      case .wouldBlock:
        isReadable = false
      case .reset:
        wasReset()
      }
    }
  }
}
