// Modules: MeshModel HBONE
@testable import HBONE

/// Any bytes encode and come back; any bytes decode or are refused, and what decodes is canonical.
@c(LLVMFuzzerTestOneInput)
public func fuzzHuffman(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: bytes, count: count))
  do {
    var code: [UInt8] = []
    HuffmanCode.hpack.encode(input.span, into: &code)
    precondition(code.count == HuffmanCode.hpack.encodedCount(of: input.span))
    var text: [UInt8] = []
    try HuffmanCode.hpack.decode(code.span, into: &text)
    precondition(text == input)
  } catch {
    preconditionFailure("our own code is refused: \(error)")
  }
  do {
    var text: [UInt8] = []
    try HuffmanCode.hpack.decode(input.span, into: &text)
    precondition(text.count * 5 <= input.count * 8)
    var code: [UInt8] = []
    HuffmanCode.hpack.encode(text.span, into: &code)
    precondition(code == input)
  } catch {
    return 0
  }
  return 0
}
