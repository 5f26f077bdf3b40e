/// The Huffman code of HPACK, built from nothing but the length of each symbol's code.
///
/// The code is canonical: shorter codes first, and symbols in order among codes of one length.
/// Source: RFC 7541, appendix B.
struct HuffmanCode: Sendable {
  static let hpack = HuffmanCode()

  /// Bits of the code of each byte, and of the end of string, which never appears.
  private static let lengths: [UInt8] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
  ]
  private static let endOfString = 256
  private static let longest = 30
  /// Codes up to this many bits are found with one look.
  private static let quickBits = 8

  /// One row per code length: the first code, and where its symbol stands in `symbols`.
  private struct Row {
    var firstCode: UInt32 = 0
    var firstSymbol = 0
    var count: UInt32 = 0
  }

  private var codes = [UInt32](repeating: 0, count: lengths.count)
  private var rows = [Row](repeating: Row(), count: longest + 1)
  private var symbols: [UInt16] = []
  /// Length in the high byte and symbol in the low one, by the next eight bits; 0 for long codes.
  private var quick = [UInt16](repeating: 0, count: 1 << quickBits)

  private init() {
    var code: UInt32 = 0
    for length in 1...Self.longest {
      code <<= 1
      rows[length].firstCode = code
      rows[length].firstSymbol = symbols.count
      for (symbol, symbolLength) in Self.lengths.enumerated() where Int(symbolLength) == length {
        codes[symbol] = code
        symbols.append(UInt16(symbol))
        if length <= Self.quickBits {
          let first = Int(code) << (Self.quickBits - length)
          for index in first..<first + 1 << (Self.quickBits - length) {
            quick[index] = UInt16(length) << 8 | UInt16(symbol)
          }
        }
        code += 1
        rows[length].count += 1
      }
    }
  }
}

extension HuffmanCode {
  /// Bytes that `bytes` takes when encoded.
  func encodedCount(of bytes: Span<UInt8>) -> Int {
    var bits = 0
    for index in bytes.indices { bits += Int(Self.lengths[Int(bytes[index])]) }
    return (bits + 7) / 8
  }

  /// Appends the code of `bytes`, filled up with ones to a whole byte.
  func encode(_ bytes: Span<UInt8>, into output: inout [UInt8]) {
    var pending: UInt64 = 0
    var pendingBits = 0
    for index in bytes.indices {
      let symbol = Int(bytes[index])
      let length = Int(Self.lengths[symbol])
      pending = pending << UInt64(length) | UInt64(codes[symbol])
      pendingBits += length
      while pendingBits >= 8 {
        pendingBits -= 8
        output.append(UInt8(truncatingIfNeeded: pending >> UInt64(pendingBits)))
      }
    }
    guard pendingBits > 0 else { return }
    let padding = 8 - pendingBits
    output.append(UInt8(truncatingIfNeeded: pending << UInt64(padding) | (1 << padding - 1)))
  }

  /// Appends what `bytes` spells: at most 8/5 of its count, as the shortest code has five bits.
  func decode(_ bytes: Span<UInt8>, into output: inout [UInt8]) throws(CompressionError) {
    var window: UInt64 = 0  // the next bits, left-aligned, zeros below
    var available = 0
    var index = 0
    while true {
      while available <= 56, index < bytes.count {
        window |= UInt64(bytes[index]) << UInt64(56 - available)
        available += 8
        index += 1
      }
      let found = quick[Int(window >> 56)]
      var length = Int(found >> 8)
      var symbol = Int(found & 0xff)
      if length == 0 { (length, symbol) = longSymbol(at: window) }
      guard length <= available else {
        // Too few bits for a symbol: what is left is padding, or nothing.
        let isPadding = available < 8 && ~window >> UInt64(64 - available) == 0
        guard available == 0 || isPadding else { throw .huffmanInvalid }
        return
      }
      guard symbol != Self.endOfString else { throw .huffmanInvalid }
      output.append(UInt8(truncatingIfNeeded: symbol))
      window <<= UInt64(length)
      available -= length
    }
  }

  /// The symbol of a code longer than `quickBits`; some code always matches, since it is complete.
  private func longSymbol(at window: UInt64) -> (length: Int, symbol: Int) {
    for length in Self.quickBits + 1...Self.longest {
      let row = rows[length]
      let code = UInt32(truncatingIfNeeded: window >> UInt64(64 - length))
      if code >= row.firstCode, code - row.firstCode < row.count {
        return (length, Int(symbols[row.firstSymbol + Int(code - row.firstCode)]))
      }
    }
    return (Self.longest, Self.endOfString)
  }
}
