// Modules: MeshModel HBONE
@testable import HBONE

/// Header blocks one after the other, each after two bytes of length: what is decoded must come
/// back the same from our encoder, within the limits.
@c(LLVMFuzzerTestOneInput)
public func fuzzHPACK(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  var decoder = HeaderDecoder()
  var encoder = HeaderEncoder()
  var echo = HeaderDecoder()
  var offset = 0
  while offset + 2 <= input.count {
    let length = min(Int(input[offset]) << 8 | Int(input[offset + 1]), input.count - offset - 2)
    offset += 2
    let block = Array(input[offset..<offset + length])
    offset += length
    do {
      let list = try decoder.decode(block.span, maximumSize: 16_384)
      precondition(list.isTooLarge || list.size <= 16_384)
      precondition(list.fields.count <= Limit.headersPerList)
      precondition(decoder.tableSize <= 4_096)
      var output: [UInt8] = []
      encoder.limitTable(to: length)
      encoder.beginBlock(into: &output)
      for field in list.fields { encoder.encode(field, into: &output) }
      let again = try echo.decode(output.span, maximumSize: 1 << 20)
      precondition(again.fields == list.fields, "\(again.fields) is not \(list.fields)")
      precondition(echo.tableSize == encoder.tableSize)
    } catch {
      return 0
    }
  }
  return 0
}
