import Linux

extension Buffer {
  /// Lends what is readable from `offset` on; for a buffer that is a class's property, whose spans
  /// cannot outlive one access.
  func withReadable<Result, Failure: Error>(
    from offset: Int = 0, _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(readable.extracting(droppingFirst: offset))
  }

  /// Writes a frame's header into the room left before the last `count` readable bytes.
  mutating func writeHeader(_ header: [9 of UInt8], beforeLast count: Int) {
    var bytes = mutableReadable
    let start = bytes.count - count - 9
    for index in 0..<9 { bytes[start + index] = header[index] }
  }

  mutating func append(_ header: [9 of UInt8]) {
    for index in 0..<9 { append(header[index]) }
  }
}
