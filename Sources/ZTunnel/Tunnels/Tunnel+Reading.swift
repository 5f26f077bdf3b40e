import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS

extension Tunnel {
  func read() {
    var reads = ZTunnelLimit.readsPerTurn
    while isReadable, !isClosed {
      guard reads > 0 else {
        worker.queue(self)
        return
      }
      reads -= 1
      let wanted = ZTunnelLimit.cipherReadBytes
      switch socket?.receive(into: &worker.cipher, atMost: wanted) ?? .wouldBlock {
      case .bytes(let count):
        if count < wanted, !isPeerClosed { isReadable = false }
        open()
        worker.cipher.removeAll()
      case .endOfFile:
        isReadable = false
        ended()
      case .wouldBlock:
        isReadable = false
      case .reset(let errno):
        fail(
          state == .handshaking ? .tlsFailure : .connect, "the peer reset (errno \(errno))",
          isTransportLoss: true)
      }
    }
  }

  private func ended() {
    let reason = tls?.transportEnded().map(String.init(describing:)) ?? "closed by the peer"
    fail(state == .handshaking ? .tlsFailure : .connect, reason, isTransportLoss: true)
  }

  /// Opens all records at hand; what they hold is handled batch by batch.
  private func open() {
    if state == .handshaking, !handshake() { return }
    while !isClosed {
      if !leftover.isEmpty {
        leftover.withReadable { worker.plain.append($0) }
        leftover.removeAll()
      }
      let limit = ZTunnelLimit.plainBytes
      let result =
        tls?.read(from: &worker.cipher, into: &worker.plain, atMost: limit, to: &cipherOut)
        ?? .wantsMore
      if !cipherOut.isEmpty { worker.flushLater(self) }
      switch result {
      case .bytes:
        parse()
      case .wantsMore:
        keepLeftover(from: 0)
        return
      case .closed:
        keepLeftover(from: 0)
        fail(.connect, "closed by the peer", isTransportLoss: true)
      case .failed(let failure):
        worker.plain.removeAll()
        // The session seals nothing more, but its alert waits in `cipherOut`.
        send()
        fail(flag(of: failure), "\(failure)")
      }
    }
  }

  private func parse() {
    var offset = 0
    while !isClosed {
      let step: (consumed: Int, event: Event?)
      do throws(ConnectionError) {
        step = try worker.plain.withReadable(from: offset) { bytes throws(ConnectionError) in
          try http2.receive(bytes, at: worker.now)
        }
      } catch {
        worker.plain.removeAll()
        takeControl()
        flush()
        fail(.http2Failure, "\(error)")
        return
      }
      if let event = step.event { handle(event, at: offset) }
      guard step.consumed > 0 || step.event != nil else { break }
      offset += step.consumed
    }
    for socket in touched {
      socket.deliverGathered()
      if socket.isEnding, !socket.isClosed { socket.finishWriting() }
    }
    touched.removeAll(keepingCapacity: true)
    keepLeftover(from: offset)
    closeIfDrained()
    if !isClosed, !http2.control.isEmpty { worker.flushLater(self) }
  }

  private func keepLeftover(from offset: Int) {
    if !isClosed, offset < worker.plain.count {
      worker.plain.withReadable(from: offset) { leftover.append($0) }
    }
    worker.plain.removeAll()
  }

  private func handle(_ event: Event, at offset: Int) {
    switch event {
    case .data(let stream, let start, let count, let isEnd):
      receive(stream, (offset + start)..<(offset + start + count), isEnd: isEnd)
    case .connectRequest(let stream, let request):
      totalStreams += 1
      worker.acceptStream(stream, request, on: self)
    case .response(let stream, let response):
      guard let setup = streams[stream]?.setup as? OutboundSetup else { return }
      setup.answered(response)
    case .reset(let stream, let code):
      streamWasReset(stream, code)
    case .windowOpened, .peerSettings:
      if case .peerSettings = event {
        hasSettings = true
        worker.streamsMayOpen(on: self)
      }
      unparkAll()
    case .goAway:
      // A client that goes away closes the connection itself.
      if state == .open, !isServer { state = .draining }
      closeIfDrained()
    case .pingAcknowledged:
      pingSent = nil
    }
  }

  private func receive(_ stream: StreamID, _ range: Range<Int>, isEnd: Bool) {
    guard let socket = streams[stream], !socket.isClosed else {
      // Nobody wants the bytes, but the other streams want the connection's credit back.
      if !range.isEmpty { http2.consumed(stream, count: range.count) }
      return
    }
    if let last = socket.gathered.last, last.upperBound == range.lowerBound {
      socket.gathered[socket.gathered.count - 1] = last.lowerBound..<range.upperBound
    } else if !range.isEmpty {
      socket.gathered.append(range)
    }
    if isEnd { socket.isEnding = true }
    if !socket.isTouched {
      socket.isTouched = true
      touched.append(socket)
    }
  }

  private func streamWasReset(_ stream: StreamID, _ code: ErrorCode) {
    guard let socket = streams[stream] else { return }
    forgetStream(stream)
    if let setup = socket.setup {
      setup.streamWasReset(code)
      return
    }
    guard code == .noError else {
      socket.link = .none
      socket.close(withReset: true, reason: "reset by the other side (\(code))")
      return
    }
    socket.streamIsOver()
  }
}
