/// Integers as HPACK spells them: the low bits of a byte, and more bytes when those are all ones.
///
/// Source: RFC 7541, section 5.1.
enum CompressedInteger {
  /// Reads at `offset` and moves it on; the bits above `prefixBits` are somebody else's.
  static func decode(
    _ bytes: Span<UInt8>, at offset: inout Int, prefixBits: Int
  ) throws(CompressionError) -> Int {
    guard offset < bytes.count else { throw .truncated }
    let prefix = 1 << prefixBits - 1
    var value = Int(bytes[offset]) & prefix
    offset += 1
    guard value == prefix else { return value }
    var shift = 0
    while true {
      guard offset < bytes.count else { throw .truncated }
      guard shift <= 28 else { throw .integerTooLarge }
      let byte = Int(bytes[offset])
      offset += 1
      value += (byte & 0x7f) << shift
      shift += 7
      guard value <= Limit.compressedInteger else { throw .integerTooLarge }
      guard byte & 0x80 != 0 else { return value }
    }
  }

  /// Appends `value` with `pattern` in the bits above the prefix.
  static func encode(_ value: Int, prefixBits: Int, pattern: UInt8, into output: inout [UInt8]) {
    let prefix = 1 << prefixBits - 1
    guard value >= prefix else {
      output.append(pattern | UInt8(truncatingIfNeeded: value))
      return
    }
    output.append(pattern | UInt8(truncatingIfNeeded: prefix))
    var rest = value - prefix
    while rest >= 0x80 {
      output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    output.append(UInt8(truncatingIfNeeded: rest))
  }
}
