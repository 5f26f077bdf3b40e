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
