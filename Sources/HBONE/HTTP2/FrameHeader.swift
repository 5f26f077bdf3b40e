/// The nine bytes before every HTTP/2 frame, in network byte order.
///
///     length 24 | type 8 | flags 8 | reserved 1 | stream 31
///
/// Source: RFC 9113, section 4.1.
public struct FrameHeader: Equatable, Sendable {
  public static let size = 9

  /// Bytes that follow the header.
  public var length: Int
  public var type: FrameType
  public var flags: FrameFlags
  public var stream: StreamID

  public init(length: Int, type: FrameType, flags: FrameFlags = [], stream: StreamID) {
    self.length = length
    self.type = type
    self.flags = flags
    self.stream = stream
  }

  /// Reads at `offset`; nil while fewer than `size` bytes have come.
  public init?(from bytes: Span<UInt8>, at offset: Int = 0) {
    guard bytes.count - offset >= Self.size else { return nil }
    length = Int(bytes.bigEndian32(at: offset) >> 8)
    type = FrameType(rawValue: bytes[offset + 3])
    flags = FrameFlags(rawValue: bytes[offset + 4])
    stream = StreamID(bytes.bigEndian32(at: offset + 5) & 0x7fff_ffff)
  }

  public var bytes: [9 of UInt8] {
    [
      UInt8(truncatingIfNeeded: length >> 16), UInt8(truncatingIfNeeded: length >> 8),
      UInt8(truncatingIfNeeded: length), type.rawValue, flags.rawValue,
      UInt8(truncatingIfNeeded: stream.rawValue >> 24),
      UInt8(truncatingIfNeeded: stream.rawValue >> 16),
      UInt8(truncatingIfNeeded: stream.rawValue >> 8),
      UInt8(truncatingIfNeeded: stream.rawValue),
    ]
  }
}

/// What a frame is for; unknown ones are skipped (RFC 9113, section 4.1).
public struct FrameType: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  public static let data = FrameType(rawValue: 0)
  public static let headers = FrameType(rawValue: 1)
  public static let priority = FrameType(rawValue: 2)
  public static let resetStream = FrameType(rawValue: 3)
  public static let settings = FrameType(rawValue: 4)
  public static let pushPromise = FrameType(rawValue: 5)
  public static let ping = FrameType(rawValue: 6)
  public static let goAway = FrameType(rawValue: 7)
  public static let windowUpdate = FrameType(rawValue: 8)
  public static let continuation = FrameType(rawValue: 9)
}

public struct FrameFlags: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  public static let endStream = FrameFlags(rawValue: 0x1)
  /// The same bit, on SETTINGS and PING.
  public static let acknowledge = FrameFlags(rawValue: 0x1)
  public static let endHeaders = FrameFlags(rawValue: 0x4)
  public static let padded = FrameFlags(rawValue: 0x8)
  public static let priority = FrameFlags(rawValue: 0x20)
}

extension Span<UInt8> {
  func bigEndian16(at offset: Int) -> UInt16 {
    UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  func bigEndian32(at offset: Int) -> UInt32 {
    UInt32(self[offset]) << 24 | UInt32(self[offset + 1]) << 16
      | UInt32(self[offset + 2]) << 8 | UInt32(self[offset + 3])
  }

  func bigEndian64(at offset: Int) -> UInt64 {
    UInt64(bigEndian32(at: offset)) << 32 | UInt64(bigEndian32(at: offset + 4))
  }
}
