import MeshModel

// HEADERS and CONTINUATION.
extension HTTP2Connection {
  mutating func beginHeaders(
    _ header: FrameHeader, _ bytes: Span<UInt8>, at offset: inout Int, now: Instant
  ) throws(ConnectionError) -> Step {
    let isPadded = header.flags.contains(.padded)
    let prefix = (isPadded ? 1 : 0) + (header.flags.contains(.priority) ? 5 : 0)
    guard header.length >= prefix else {
      throw .frameSizeInvalid(.headers, length: header.length)
    }
    guard bytes.count - offset >= FrameHeader.size + prefix else { return .needsMore }
    let padding = isPadded ? Int(bytes[offset + FrameHeader.size]) : 0
    let count = header.length - prefix - padding
    guard count >= 0 else { throw .paddingTooLong(.headers) }
    try checkHeadersStream(header.stream)
    guard count <= Limit.headerBlockBytes else { throw .abuse(.headerBlockTooLong) }
    if count == 0 { try allowances.emptyFrame(at: now) }
    offset += FrameHeader.size + prefix
    let isEnd = header.flags.contains(.endStream)
    let isLast = header.flags.contains(.endHeaders)
    guard isLast, bytes.count - offset >= count else {
      headerBlock.stream = header.stream
      headerBlock.isEnd = isEnd
      headerBlock.continuations = 0
      reading = .fragment(left: count, padding: padding, isLast: isLast)
      return .advanced
    }
    let block = bytes.extracting(offset..<offset + count)
    offset += count
    skipRest(padding)
    let event = try finishHeaders(header.stream, block, isEnd: isEnd, now: now)
    return event.map { .event($0) } ?? .advanced
  }

  mutating func beginContinuation(
    _ header: FrameHeader, at offset: inout Int, now: Instant
  ) throws(ConnectionError) -> Step {
    headerBlock.continuations += 1
    guard headerBlock.continuations <= Limit.continuationsPerBlock else {
      throw .abuse(.tooManyContinuations)
    }
    guard headerBlock.bytes.count + header.length <= Limit.headerBlockBytes else {
      throw .abuse(.headerBlockTooLong)
    }
    if header.length == 0 { try allowances.emptyFrame(at: now) }
    offset += FrameHeader.size
    reading = .fragment(
      left: header.length, padding: 0, isLast: header.flags.contains(.endHeaders))
    return .advanced
  }

  mutating func takeFragment(
    _ bytes: Span<UInt8>, at offset: inout Int, left: Int, padding: Int, isLast: Bool, now: Instant
  ) throws(ConnectionError) -> Step {
    let taken = min(left, bytes.count - offset)
    for index in offset..<offset + taken { headerBlock.bytes.append(bytes[index]) }
    offset += taken
    guard taken == left else {
      reading = .fragment(left: left - taken, padding: padding, isLast: isLast)
      return .needsMore
    }
    skipRest(padding)
    guard isLast, let stream = headerBlock.stream else { return .advanced }
    let block = headerBlock
    headerBlock = HeaderBlock()
    let event = try finishHeaders(stream, block.bytes.span, isEnd: block.isEnd, now: now)
    return event.map { .event($0) } ?? .advanced
  }

  /// The numbers no header block can have.
  private func checkHeadersStream(_ stream: StreamID) throws(ConnectionError) {
    guard stream.rawValue != 0 else { throw .streamMisplaced(.headers, stream) }
    switch role {
    case .client:
      guard !isIdle(stream) else { throw .streamIdle(.headers, stream) }
    case .server:
      guard !stream.rawValue.isMultiple(of: 2) else { throw .streamNumberInvalid(stream) }
    }
  }

  /// A whole block; it is decoded even for a stream that is gone, as the tables depend on it.
  private mutating func finishHeaders(
    _ stream: StreamID, _ block: Span<UInt8>, isEnd: Bool, now: Instant
  ) throws(ConnectionError) -> Event? {
    let list: HeaderList
    do throws(CompressionError) {
      list = try decoder.decode(block, maximumSize: local.headerListBytes(for: role))
    } catch {
      throw .compression(error)
    }
    guard let index = streams.find(stream) else {
      if role == .server, stream > highestPeerStream {
        return try accept(stream, list, isEnd: isEnd, now: now)
      }
      return try lateHeaders(stream, now: now)
    }
    guard streams[index].state != .closed else { return nil }
    guard streams[index].receivesOpen else {
      return try streamError(stream, .streamClosed, at: now)
    }
    guard !list.isTooLarge else { return try streamError(stream, .enhanceYourCalm, at: now) }
    guard role == .client, streams[index].progress == .requested else {
      return try takeTrailers(list, at: index, isEnd: isEnd, now: now)
    }
    return try takeResponse(list, at: index, isEnd: isEnd, now: now)
  }

  /// For a stream that is gone: in silence when we reset it, an error otherwise.
  private mutating func lateHeaders(
    _ stream: StreamID, now: Instant
  ) throws(ConnectionError) -> Event? {
    guard !recentResets.contains(stream) else { return nil }
    guard role == .client else { throw .streamNumberInvalid(stream) }
    return try streamError(stream, .streamClosed, at: now)
  }

  /// A new stream at the server.
  private mutating func accept(
    _ stream: StreamID, _ list: HeaderList, isEnd: Bool, now: Instant
  ) throws(ConnectionError) -> Event? {
    highestPeerStream = stream
    let cap =
      isAcknowledged
      ? local.maxConcurrentStreams
      : max(local.maxConcurrentStreams, Limit.streamsBeforeAcknowledgement)
    guard !isDrained, activeStreams < cap, streams.count < cap * Limit.heldStreamsPerCap else {
      try allowances.refusal(at: now)
      sendReset(stream, .refusedStream)
      return nil
    }
    guard !list.isTooLarge else { return try streamError(stream, .enhanceYourCalm, at: now) }
    guard let request = HeaderRules.request(list, isEnd: isEnd) else {
      return try streamError(stream, .protocolError, at: now)
    }
    insertStream(stream)
    if isEnd, let index = streams.find(stream) { endReceiving(at: index) }
    return .connectRequest(stream, request)
  }

  private mutating func takeResponse(
    _ list: HeaderList, at index: Int, isEnd: Bool, now: Instant
  ) throws(ConnectionError) -> Event? {
    let stream = streams[index].id
    guard let response = HeaderRules.response(list, isEnd: isEnd) else {
      return try streamError(stream, .protocolError, at: now)
    }
    guard response.status >= 200 else {
      guard !isEnd else { return try streamError(stream, .protocolError, at: now) }
      try allowances.ignoredFrame(at: now)
      return nil
    }
    streams[index].progress = response.isSuccess ? .established : .refused
    if isEnd { endReceiving(at: index) }
    return .response(stream, response)
  }

  /// A tunnel has none (RFC 9113, section 8.5); an answer that refuses one may.
  private mutating func takeTrailers(
    _ list: HeaderList, at index: Int, isEnd: Bool, now: Instant
  ) throws(ConnectionError) -> Event? {
    let stream = streams[index].id
    guard streams[index].progress == .refused, role == .client, isEnd,
      HeaderRules.areTrailers(list)
    else { return try streamError(stream, .protocolError, at: now) }
    endReceiving(at: index)
    return .data(stream, offset: 0, count: 0, isEnd: true)
  }

  mutating func insertStream(_ stream: StreamID) {
    let receiveWindow =
      isAcknowledged ? local.streamWindow : max(local.streamWindow, HTTP2Defaults.window)
    streams.insert(
      Stream(id: stream, sendWindow: peer.initialWindowSize, receiveWindow: receiveWindow))
    activeStreams += 1
  }
}
