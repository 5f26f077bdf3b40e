@testable import HBONE

extension [UInt8] {
  /// Reads hexadecimal, blanks between.
  init(hex: String) {
    let digits = hex.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    precondition(digits.count.isMultiple(of: 2), "half a byte in \(hex)")
    self = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  var hex: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}

/// A reproducible source of chance (SplitMix64); a failing run prints its seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}

func encoded(_ fields: [HeaderField], with encoder: inout HeaderEncoder) -> [UInt8] {
  var output: [UInt8] = []
  encoder.beginBlock(into: &output)
  for field in fields { encoder.encode(field, into: &output) }
  return output
}

extension HeaderDecoder {
  mutating func fields(_ block: [UInt8]) throws(CompressionError) -> [HeaderField] {
    try decode(block.span, maximumSize: Limit.serverHeaderListBytes).fields
  }
}
