import MeshModel

// How streams end, by rule or by fault.
extension HTTP2Connection {
  /// Nobody has opened it: a server opens none, a client goes up by two.
  func isIdle(_ stream: StreamID) -> Bool {
    guard !stream.rawValue.isMultiple(of: 2) else { return true }
    return switch role {
    case .client: stream.rawValue >= nextStream
    case .server: stream > highestPeerStream
    }
  }

  /// The stream is over for both sides; the caller may still hold it.
  mutating func end(at index: Int) {
    streams[index].state = .closed
    activeStreams -= 1
  }

  /// The peer sends no more on it.
  mutating func endReceiving(at index: Int) {
    switch streams[index].state {
    case .open: streams[index].state = .halfClosedRemote
    case .halfClosedLocal: end(at: index)
    case .halfClosedRemote, .closed: break
    }
  }

  mutating func endSending(at index: Int) {
    switch streams[index].state {
    case .open: streams[index].state = .halfClosedLocal
    case .halfClosedRemote: end(at: index)
    case .halfClosedLocal, .closed: break
    }
  }

  /// The peer broke a rule that costs it the stream; the event is for a caller that knows of it.
  mutating func streamError(
    _ stream: StreamID, _ code: ErrorCode, at now: Instant
  ) throws(ConnectionError) -> Event? {
    try allowances.streamError(at: now)
    sendReset(stream, code)
    guard let index = streams.find(stream), streams[index].state != .closed else { return nil }
    end(at: index)
    return .reset(stream, code)
  }

  mutating func sendReset(_ stream: StreamID, _ code: ErrorCode) {
    control.appendReset(stream, code)
    recentResets.insert(stream)
  }

  mutating func finishDrain(_ code: ErrorCode) {
    drain = .final(lastStream: highestPeerStream)
    control.appendGoAway(lastStream: highestPeerStream, code)
  }

  /// The last stream is named and new ones are refused; with no stream left, the time to close.
  public var isDrained: Bool {
    switch drain {
    case .none, .announced: false
    case .final: true
    }
  }

  /// What a GOAWAY may name: no more than an earlier one has.
  var lastTakenStream: StreamID {
    switch drain {
    case .none, .announced: highestPeerStream
    case .final(let lastStream): lastStream
    }
  }
}
