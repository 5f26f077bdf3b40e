import MeshModel

// DATA that comes in, and the credit for it.
extension HTTP2Connection {
  mutating func beginData(
    _ header: FrameHeader, _ bytes: Span<UInt8>, at offset: inout Int, now: Instant
  ) throws(ConnectionError) -> Step {
    let stream = header.stream
    guard stream.rawValue != 0 else { throw .streamMisplaced(.data, stream) }
    var padding = 0
    var overhead = 0
    if header.flags.contains(.padded) {
      guard header.length > 0 else { throw .frameSizeInvalid(.data, length: 0) }
      guard bytes.count - offset > FrameHeader.size else { return .needsMore }
      padding = Int(bytes[offset + FrameHeader.size])
      overhead = padding + 1
      guard overhead <= header.length else { throw .paddingTooLong(.data) }
    }
    guard header.length <= window.receive else { throw .windowExceeded }
    window.receive -= header.length
    let count = header.length - overhead
    let isEnd = header.flags.contains(.endStream)
    try countSmallFrame(count, overhead: overhead, isEnd: isEnd, now: now)
    offset += FrameHeader.size + (overhead > 0 ? 1 : 0)
    guard let index = streams.find(stream), streams[index].state != .closed else {
      return try dropData(header, rest: count + padding, now: now)
    }
    let fault = dataFault(at: index, length: header.length)
    if let fault {
      returnCredit(header.length)
      skipRest(count + padding)
      let event = try streamError(stream, fault, at: now)
      return event.map { .event($0) } ?? .advanced
    }
    streams[index].receiveWindow -= header.length
    if overhead > 0 { returnCredit(overhead, at: index) }
    reading = .data(stream, left: count, padding: padding, isEnd: isEnd)
    return takeData(
      bytes, at: &offset, stream: stream, left: count, padding: padding, isEnd: isEnd)
  }

  private mutating func countSmallFrame(
    _ count: Int, overhead: Int, isEnd: Bool, now: Instant
  ) throws(ConnectionError) {
    guard !isEnd else { return }
    if count == 0 || count < overhead {
      try allowances.emptyFrame(at: now)
    } else if count < Limit.tinyFrameBytes {
      try allowances.tinyFrame(at: now)
    }
  }

  /// Why this stream cannot take the frame, nil when it can.
  private func dataFault(at index: Int, length: Int) -> ErrorCode? {
    guard streams[index].receivesOpen else { return .streamClosed }
    guard role == .server || streams[index].progress != .requested else { return .protocolError }
    guard length <= streams[index].receiveWindow else { return .flowControlError }
    return nil
  }

  /// DATA for a stream that is over; its bytes still count for the connection.
  private mutating func dropData(
    _ header: FrameHeader, rest: Int, now: Instant
  ) throws(ConnectionError) -> Step {
    guard !isIdle(header.stream) else { throw .streamIdle(.data, header.stream) }
    returnCredit(header.length)
    skipRest(rest)
    guard streams.find(header.stream) == nil, !recentResets.contains(header.stream) else {
      return .advanced
    }
    let event = try streamError(header.stream, .streamClosed, at: now)
    return event.map { .event($0) } ?? .advanced
  }

  /// What has come of a DATA frame.
  mutating func takeData(
    _ bytes: Span<UInt8>, at offset: inout Int, stream: StreamID, left: Int, padding: Int,
    isEnd: Bool
  ) -> Step {
    guard let index = streams.find(stream), streams[index].state != .closed else {
      // It was reset between two pieces.
      returnCredit(left)
      skipRest(left + padding)
      return .advanced
    }
    let start = offset
    let count = min(left, bytes.count - start)
    guard count == left else {
      guard count > 0 else { return .needsMore }
      reading = .data(stream, left: left - count, padding: padding, isEnd: isEnd)
      offset += count
      streams[index].held += count
      return .event(.data(stream, offset: start, count: count, isEnd: false))
    }
    offset += count
    skipRest(padding)
    streams[index].held += count
    if isEnd { endReceiving(at: index) }
    guard count > 0 || isEnd else { return .advanced }
    return .event(.data(stream, offset: start, count: count, isEnd: isEnd))
  }

  // MARK: Credit

  /// The application has taken `count` bytes of the stream: the peer may send as many again.
  ///
  /// Goes out in batches of half a window. After `closed` it does nothing, as that gave all back.
  public mutating func consumed(_ stream: StreamID, count: Int) {
    guard let index = streams.find(stream) else { return }
    precondition(
      count >= 0 && count <= streams[index].held,
      "consumed \(count) of the \(streams[index].held) bytes that stream \(stream) had delivered")
    streams[index].held -= count
    returnCredit(count, at: index)
  }

  var connectionWindowTarget: Int { max(local.connectionWindow, HTTP2Defaults.window) }

  /// Credit for the connection alone.
  mutating func returnCredit(_ count: Int) {
    window.owed += count
    guard window.owed >= connectionWindowTarget / 2 else { return }
    control.appendWindowUpdate(StreamID(0), increment: window.owed)
    window.receive += window.owed
    window.owed = 0
  }

  /// Credit for the connection and, while the peer still sends on it, the stream.
  private mutating func returnCredit(_ count: Int, at index: Int) {
    returnCredit(count)
    guard streams[index].receivesOpen else { return }
    streams[index].owed += count
    let owed = streams[index].owed
    guard owed > 0, owed >= local.streamWindow / 2 else { return }
    control.appendWindowUpdate(streams[index].id, increment: owed)
    streams[index].receiveWindow += owed
    streams[index].owed = 0
  }
}
