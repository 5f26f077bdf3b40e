/// What node agent and ztunnel say to each other, and how it looks on the wire.
///
/// In: messages, or the payload of one frame. Out: bytes, or a message or a `DecodingError`.
/// Never here: the socket, the frame's length prefix and the descriptors that travel beside it.
///
///     format 1 | case 1 | fields in order
///
/// Integers are LEB128 (zigzag when signed), text and bytes are prefixed with their count, an
/// optional with one byte 0 or 1. Decoding any bytes ends in a message or an error; it allocates
/// for what it has read, never for what a count claims.
extension AgentMessage {
  /// The payload of one frame.
  public func encoded() -> [UInt8] { Writer.payload(of: self) }

  /// Reads the payload of one frame, all of it.
  public init(decoding payload: Span<UInt8>) throws(DecodingError) {
    var reader = try Reader(payload: payload)
    try self.init(from: &reader)
    try reader.finish()
  }
}

extension TunnelMessage {
  /// The payload of one frame.
  public func encoded() -> [UInt8] { Writer.payload(of: self) }

  /// Reads the payload of one frame, all of it.
  public init(decoding payload: Span<UInt8>) throws(DecodingError) {
    var reader = try Reader(payload: payload)
    try self.init(from: &reader)
    try reader.finish()
  }
}
