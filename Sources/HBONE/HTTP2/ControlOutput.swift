/// Bytes the machine wants on the wire: everything but DATA.
///
/// Write them before any DATA frame whose header was made later, then remove them.
public struct ControlOutput: ~Copyable {
  private var storage: [UInt8] = []

  init() {}

  public var isEmpty: Bool { storage.isEmpty }
  public var count: Int { storage.count }

  public var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    borrowing get { storage.span }
  }

  public func withBytes<R: ~Copyable, E: Error>(
    _ body: (Span<UInt8>) throws(E) -> R
  ) throws(E) -> R {
    try body(storage.span)
  }

  /// Forgets what was written; without its capacity an idle connection holds no memory here.
  public mutating func removeAll(keepingCapacity: Bool = true) {
    storage.removeAll(keepingCapacity: keepingCapacity)
  }
}

extension ControlOutput {
  /// What a client says before anything else (RFC 9113, section 3.4).
  static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

  mutating func appendPreface() {
    storage.append(contentsOf: "\(Self.preface)".utf8)
  }

  mutating func appendSettings(_ entries: [(id: SettingID, value: Int)]) {
    append(FrameHeader(length: 6 * entries.count, type: .settings, stream: StreamID(0)))
    for (id, value) in entries {
      storage.append(UInt8(truncatingIfNeeded: id.rawValue >> 8))
      storage.append(UInt8(truncatingIfNeeded: id.rawValue))
      append32(UInt32(truncatingIfNeeded: value))
    }
  }

  mutating func appendSettingsAcknowledgement() {
    append(FrameHeader(length: 0, type: .settings, flags: .acknowledge, stream: StreamID(0)))
  }

  mutating func appendPing(_ payload: UInt64, isAcknowledgement: Bool) {
    append(
      FrameHeader(
        length: 8, type: .ping, flags: isAcknowledgement ? .acknowledge : [], stream: StreamID(0)))
    append32(UInt32(truncatingIfNeeded: payload >> 32))
    append32(UInt32(truncatingIfNeeded: payload))
  }

  mutating func appendWindowUpdate(_ stream: StreamID, increment: Int) {
    append(FrameHeader(length: 4, type: .windowUpdate, stream: stream))
    append32(UInt32(truncatingIfNeeded: increment))
  }

  mutating func appendReset(_ stream: StreamID, _ code: ErrorCode) {
    append(FrameHeader(length: 4, type: .resetStream, stream: stream))
    append32(code.rawValue)
  }

  mutating func appendGoAway(lastStream: StreamID, _ code: ErrorCode, debug: String = "") {
    append(FrameHeader(length: 8 + debug.utf8.count, type: .goAway, stream: StreamID(0)))
    append32(lastStream.rawValue)
    append32(code.rawValue)
    storage.append(contentsOf: debug.utf8)
  }

  /// HEADERS, and CONTINUATION where a frame may hold no more than `frameSize` bytes.
  mutating func appendHeaders(
    _ stream: StreamID, endStream: Bool, frameSize: Int, encode: (inout [UInt8]) -> Void
  ) {
    let start = storage.count
    append(FrameHeader(length: 0, type: .headers, stream: stream))
    encode(&storage)
    let blockStart = start + FrameHeader.size
    let count = storage.count - blockStart
    let flags: FrameFlags = endStream ? .endStream : []
    if count <= frameSize {
      let header = FrameHeader(
        length: count, type: .headers, flags: flags.union(.endHeaders), stream: stream)
      for index in 0..<FrameHeader.size { storage[start + index] = header.bytes[index] }
      return
    }
    let block = Array(storage[blockStart...])
    storage.removeSubrange(start...)
    var offset = 0
    while offset < count {
      let end = min(offset + frameSize, count)
      let isLast: FrameFlags = end == count ? .endHeaders : []
      append(
        FrameHeader(
          length: end - offset, type: offset == 0 ? .headers : .continuation,
          flags: offset == 0 ? flags.union(isLast) : isLast, stream: stream))
      storage.append(contentsOf: block[offset..<end])
      offset = end
    }
  }

  private mutating func append(_ header: FrameHeader) {
    let bytes = header.bytes
    for index in bytes.indices { storage.append(bytes[index]) }
  }

  private mutating func append32(_ value: UInt32) {
    storage.append(UInt8(truncatingIfNeeded: value >> 24))
    storage.append(UInt8(truncatingIfNeeded: value >> 16))
    storage.append(UInt8(truncatingIfNeeded: value >> 8))
    storage.append(UInt8(truncatingIfNeeded: value))
  }
}
