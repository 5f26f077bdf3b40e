// What the caller wants said.
extension HTTP2Connection {
  /// Asks for a tunnel to `authority`.
  ///
  /// Nil at the peer's stream cap, or when the connection takes no new streams.
  public mutating func open(authority: String, headers: [HeaderField]) -> StreamID? {
    precondition(role == .client, "a server opens no tunnels")
    guard !isDraining, activeStreams < min(peer.maxConcurrentStreams, Limit.openedStreams),
      nextStream <= StreamID.last.rawValue
    else { return nil }
    let stream = StreamID(nextStream)
    nextStream += 2
    insertStream(stream)
    let request = [
      HeaderField(name: ":method", value: "CONNECT"),
      HeaderField(name: ":authority", value: authority),
    ]
    sendHeaders(stream, request, headers, endStream: false)
    return stream
  }

  /// Answers a CONNECT, once; does nothing when the client has reset the stream meanwhile.
  public mutating func respond(
    _ stream: StreamID, status: UInt16, headers: [HeaderField], endStream: Bool
  ) {
    precondition(role == .server, "a client answers nothing")
    guard let index = streams.find(stream), streams[index].state != .closed else { return }
    precondition(streams[index].progress == .requested, "stream \(stream) was answered before")
    streams[index].progress = (200..<300).contains(status) ? .established : .refused
    sendHeaders(
      stream, [HeaderField(name: ":status", value: String(status))], headers, endStream: endStream)
    if endStream { endSending(at: index) }
  }

  private mutating func sendHeaders(
    _ stream: StreamID, _ pseudo: [HeaderField], _ regular: [HeaderField], endStream: Bool
  ) {
    let frameSize = peer.maxFrameSize
    control.appendHeaders(stream, endStream: endStream, frameSize: frameSize) { output in
      encoder.beginBlock(into: &output)
      for field in pseudo { encoder.encode(field, into: &output) }
      for field in regular { encoder.encode(field, into: &output) }
    }
  }

  /// How many bytes the next DATA frame may carry: min(stream window, connection window, frame).
  public func sendCredit(_ stream: StreamID) -> Int {
    guard let index = streams.find(stream), mayCarryData(streams[index]) else { return 0 }
    let window = min(streams[index].sendWindow, window.send)
    return max(0, min(window, peer.maxFrameSize, Limit.sentFrameBytes))
  }

  /// False before a server has answered, and once this side has ended or any side reset it.
  public func canSend(_ stream: StreamID) -> Bool {
    streams.find(stream).map { mayCarryData(streams[$0]) } ?? false
  }

  private func mayCarryData(_ stream: Stream) -> Bool {
    stream.sendsOpen && (role == .client || stream.progress != .requested)
  }

  /// The header of a DATA frame whose `count` payload bytes the caller writes right behind it.
  public mutating func writeDataHeader(
    _ stream: StreamID, count: Int, endStream: Bool
  ) -> [9 of UInt8] {
    guard let index = streams.find(stream), mayCarryData(streams[index]) else {
      preconditionFailure("stream \(stream) cannot send: ask canSend first")
    }
    let credit = max(0, min(streams[index].sendWindow, window.send, peer.maxFrameSize))
    precondition(count >= 0 && count <= credit, "\(count) bytes with a credit of \(credit)")
    streams[index].sendWindow -= count
    window.send -= count
    allowances.sentData()
    if endStream { endSending(at: index) }
    return FrameHeader(
      length: count, type: .data, flags: endStream ? .endStream : [], stream: stream
    ).bytes
  }

  /// Ends the stream at once both ways; the number stays known until `closed`.
  public mutating func reset(_ stream: StreamID, _ code: ErrorCode) {
    guard let index = streams.find(stream), streams[index].state != .closed else { return }
    end(at: index)
    sendReset(stream, code)
  }

  /// The caller is finished with the stream: one that is still open is reset, as cancelled, or
  /// without error when a server has said all it had to say.
  public mutating func closed(_ stream: StreamID) {
    guard let index = streams.find(stream) else { return }
    if streams[index].state != .closed {
      let isAnswered = role == .server && streams[index].state == .halfClosedLocal
      reset(stream, isAnswered ? .noError : .cancel)
    }
    returnCredit(streams[index].held)
    streams.remove(at: index)
  }

  /// Takes no new streams any more.
  ///
  /// With `.noError` a server drains: it announces, still takes what was on its way, and names the
  /// last stream when the peer has heard of it, or when this is called again. Any other code ends
  /// at once. The connection can be closed when `isDrained` and `liveStreams` is zero.
  public mutating func goAway(_ code: ErrorCode) {
    switch (drain, code, role) {
    case (.final, _, _):
      return
    case (.none, .noError, .server):
      drain = .announced
      control.appendGoAway(lastStream: .last, .noError)
      control.appendPing(Self.drainPing, isAcknowledgement: false)
    case (.none, _, _), (.announced, _, _):
      finishDrain(code)
    }
  }

  /// Asks for a sign of life, `pingAcknowledged` with the same payload.
  public mutating func ping(_ payload: UInt64) {
    control.appendPing(payload, isAcknowledgement: false)
  }
}
