import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS

extension Tunnel {
  /// Moves control frames in front of what is written next.
  func takeControl() {
    guard !http2.control.isEmpty else { return }
    http2.control.withBytes { plainOut.append($0) }
    http2.control.removeAll(keepingCapacity: false)
  }

  func flush() {
    guard tls?.isEstablished == true else {
      send()
      return
    }
    takeControl()
    repeat {
      while !plainOut.isEmpty, cipherOut.count < ZTunnelLimit.backlogBytes {
        let result = tls?.write(from: &plainOut, to: &cipherOut) ?? .failed(.closed)
        if case .failed(let failure) = result {
          plainOut.removeAll()
          fail(.tlsFailure, "\(failure)")
          return
        }
      }
      send()
    } while isWritable && !isClosed && backlogBytes > 0
    if backlogBytes < ZTunnelLimit.backlogBytes { unparkAll() }
  }

  func send() {
    while isWritable, !cipherOut.isEmpty, !isClosed {
      switch socket?.send(from: &cipherOut) ?? .wouldBlock {
      case .sent: break
      case .wouldBlock: isWritable = false
      case .failed(let errno):
        cipherOut.removeAll()
        fail(.connect, "the peer is gone (errno \(errno))", isTransportLoss: true)
      }
    }
  }

  func park(_ socket: AppSocket) {
    socket.isParked = true
    parked.append(socket)
  }

  func unparkAll() {
    guard !parked.isEmpty else { return }
    for socket in parked where socket.isParked {
      socket.isParked = false
      if !socket.isClosed { worker.queue(socket) }
    }
    parked.removeAll(keepingCapacity: true)
  }

  func endStream(_ stream: StreamID) {
    guard http2.canSend(stream) else { return }
    takeControl()
    let header = http2.writeDataHeader(stream, count: 0, endStream: true)
    plainOut.append(header)
    worker.flushLater(self)
  }

  func giveBack(_ stream: StreamID, _ count: Int) {
    http2.consumed(stream, count: count)
    if !http2.control.isEmpty { worker.flushLater(self) }
  }
}
