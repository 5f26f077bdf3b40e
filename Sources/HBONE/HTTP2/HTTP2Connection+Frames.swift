import MeshModel

// Every frame but DATA and HEADERS.
extension HTTP2Connection {
  mutating func beginFrame(
    _ bytes: Span<UInt8>, at offset: inout Int, now: Instant
  ) throws(ConnectionError) -> Step {
    guard let header = FrameHeader(from: bytes, at: offset) else { return .needsMore }
    guard header.length <= local.maxFrameSize else {
      throw .frameTooLarge(header.type, length: header.length, limit: local.maxFrameSize)
    }
    if header.type == .data, peer.hasArrived, headerBlock.stream == nil {
      return try beginData(header, bytes, at: &offset, now: now)
    }
    try checkOrder(header)
    switch header.type {
    case .data:
      return try beginData(header, bytes, at: &offset, now: now)
    case .headers:
      return try beginHeaders(header, bytes, at: &offset, now: now)
    case .continuation:
      return try beginContinuation(header, at: &offset, now: now)
    case .priority, .resetStream, .settings, .ping, .goAway, .windowUpdate:
      return try takeControlFrame(header, bytes, at: &offset, now: now)
    case .pushPromise:
      throw .pushPromise
    default:
      try allowances.ignoredFrame(at: now)
      offset += FrameHeader.size
      skipRest(header.length)
      return .advanced
    }
  }

  /// SETTINGS come first, and nothing comes between the frames of a header block.
  private func checkOrder(_ header: FrameHeader) throws(ConnectionError) {
    guard peer.hasArrived || header.type == .settings && !header.flags.contains(.acknowledge) else {
      throw .settingsMissing(header.type)
    }
    if let stream = headerBlock.stream {
      guard header.type == .continuation, header.stream == stream else {
        throw .continuationMissing(header.type)
      }
    } else if header.type == .continuation {
      throw .continuationUnexpected
    }
  }

  private mutating func takeControlFrame(
    _ header: FrameHeader, _ bytes: Span<UInt8>, at offset: inout Int, now: Instant
  ) throws(ConnectionError) -> Step {
    let contiguous = try contiguousCount(of: header)
    guard bytes.count - offset >= FrameHeader.size + contiguous else { return .needsMore }
    let start = offset + FrameHeader.size
    let payload = bytes.extracting(start..<start + contiguous)
    if header.type == .goAway, let refused = refuseBeyond(payload) { return .event(refused) }
    offset = start + contiguous
    let event: Event?
    switch header.type {
    case .priority:
      try allowances.ignoredFrame(at: now)
      event = nil
    case .resetStream: event = try takeReset(header.stream, payload, now: now)
    case .settings: event = try takeSettings(header.flags, payload, now: now)
    case .ping: event = try takePing(header.flags, payload, now: now)
    case .goAway: event = try takeGoAway(header, payload, now: now)
    default: event = try takeWindowUpdate(header.stream, payload, now: now)
    }
    return event.map { .event($0) } ?? .advanced
  }

  /// Bytes of the payload that are needed at once, after its length and stream were checked.
  private func contiguousCount(of header: FrameHeader) throws(ConnectionError) -> Int {
    let isOnConnection: Bool?
    let isSizeValid: Bool
    switch header.type {
    case .priority: (isOnConnection, isSizeValid) = (false, header.length == 5)
    case .resetStream: (isOnConnection, isSizeValid) = (false, header.length == 4)
    case .settings:
      let isAcknowledgement = header.flags.contains(.acknowledge)
      isOnConnection = true
      isSizeValid = isAcknowledgement ? header.length == 0 : header.length.isMultiple(of: 6)
    case .ping: (isOnConnection, isSizeValid) = (true, header.length == 8)
    case .goAway: (isOnConnection, isSizeValid) = (true, header.length >= 8)
    default: (isOnConnection, isSizeValid) = (nil, header.length == 4)
    }
    if let isOnConnection, isOnConnection != (header.stream.rawValue == 0) {
      throw .streamMisplaced(header.type, header.stream)
    }
    guard isSizeValid else { throw .frameSizeInvalid(header.type, length: header.length) }
    guard header.length <= 6 * Limit.settingsPerFrame || header.type != .settings else {
      throw .abuse(.tooManySettings)
    }
    return header.type == .goAway ? 8 : header.length
  }

  // MARK: RST_STREAM

  private mutating func takeReset(
    _ stream: StreamID, _ payload: Span<UInt8>, now: Instant
  ) throws(ConnectionError) -> Event? {
    guard !isIdle(stream) else { throw .streamIdle(.resetStream, stream) }
    let index = streams.find(stream)
    let isEarly = role == .server && index.map { streams[$0].progress == .requested } ?? false
    try allowances.reset(beforeAnswer: isEarly, at: now)
    guard let index, streams[index].state != .closed else { return nil }
    end(at: index)
    return .reset(stream, ErrorCode(wire: payload.bigEndian32(at: 0)))
  }

  // MARK: SETTINGS

  private mutating func takeSettings(
    _ flags: FrameFlags, _ payload: Span<UInt8>, now: Instant
  ) throws(ConnectionError) -> Event? {
    try allowances.settings(at: now)
    if flags.contains(.acknowledge) {
      try settingsAcknowledged()
      return nil
    }
    let oldWindow = peer.initialWindowSize
    if !peer.hasArrived { peer.maxConcurrentStreams = .max }
    peer.hasArrived = true
    var offset = 0
    while offset < payload.count {
      let id = payload.bigEndian16(at: offset)
      let value = payload.bigEndian32(at: offset + 2)
      try peer.apply(id: id, value: value, from: role == .client ? .server : .client)
      if id == SettingID.headerTableSize.rawValue { encoder.limitTable(to: Int(value)) }
      offset += 6
    }
    let change = peer.initialWindowSize - oldWindow
    if change != 0 {
      try streams.forEach { stream throws(ConnectionError) in
        stream.sendWindow += change
        guard stream.sendWindow <= HTTP2Defaults.largestWindow else { throw .windowOverflow }
      }
    }
    control.appendSettingsAcknowledgement()
    return .peerSettings
  }

  /// What the peer was not bound to before: a smaller window and a smaller header table.
  private mutating func settingsAcknowledged() throws(ConnectionError) {
    guard !isAcknowledged else { throw .settingsAcknowledgementUnexpected }
    isAcknowledged = true
    decoder.limitTable(to: local.headerTableSize)
    let change = min(local.streamWindow - HTTP2Defaults.window, 0)
    if change < 0 { streams.forEach { $0.receiveWindow += change } }
  }

  // MARK: PING

  /// The payload of the PING whose echo ends a graceful drain; "skeindrn".
  static let drainPing: UInt64 = 0x736b_6569_6e64_726e

  private mutating func takePing(
    _ flags: FrameFlags, _ payload: Span<UInt8>, now: Instant
  ) throws(ConnectionError) -> Event? {
    try allowances.ping(at: now)
    let value = payload.bigEndian64(at: 0)
    guard flags.contains(.acknowledge) else {
      control.appendPing(value, isAcknowledgement: true)
      return nil
    }
    guard value == Self.drainPing else { return .pingAcknowledged(value) }
    if drain == .announced { finishDrain(.noError) }
    return nil
  }

  // MARK: GOAWAY

  /// One by one the streams of ours that the peer will not serve; nil when there is none left.
  private mutating func refuseBeyond(_ payload: Span<UInt8>) -> Event? {
    let lastStream = StreamID(payload.bigEndian32(at: 0) & 0x7fff_ffff)
    guard role == .client,
      let index = streams.first(where: { $0.id > lastStream && $0.state != .closed })
    else { return nil }
    let stream = streams[index].id
    end(at: index)
    recentResets.insert(stream)
    return .reset(stream, .refusedStream)
  }

  private mutating func takeGoAway(
    _ header: FrameHeader, _ payload: Span<UInt8>, now: Instant
  ) throws(ConnectionError) -> Event? {
    try allowances.settings(at: now)
    isPeerGoingAway = true
    skipRest(header.length - payload.count)
    return .goAway(
      lastStream: StreamID(payload.bigEndian32(at: 0) & 0x7fff_ffff),
      ErrorCode(wire: payload.bigEndian32(at: 4)))
  }

  // MARK: WINDOW_UPDATE

  private mutating func takeWindowUpdate(
    _ stream: StreamID, _ payload: Span<UInt8>, now: Instant
  ) throws(ConnectionError) -> Event? {
    let increment = Int(payload.bigEndian32(at: 0) & 0x7fff_ffff)
    guard stream.rawValue != 0 else {
      guard increment > 0 else { throw .windowIncrementZero }
      let before = window.send
      window.send += increment
      guard window.send <= HTTP2Defaults.largestWindow else { throw .windowOverflow }
      try allowances.windowUpdate(leaving: window.send, at: now)
      return before <= 0 ? .windowOpened(nil) : nil
    }
    guard !isIdle(stream) else { throw .streamIdle(.windowUpdate, stream) }
    guard let index = streams.find(stream), streams[index].state != .closed else {
      try allowances.windowUpdate(leaving: 0, at: now)
      return nil
    }
    guard increment > 0 else { return try streamError(stream, .protocolError, at: now) }
    let before = streams[index].sendWindow
    guard before + increment <= HTTP2Defaults.largestWindow else {
      return try streamError(stream, .flowControlError, at: now)
    }
    streams[index].sendWindow = before + increment
    try allowances.windowUpdate(leaving: before + increment, at: now)
    return before <= 0 && before + increment > 0 ? .windowOpened(stream) : nil
  }
}
