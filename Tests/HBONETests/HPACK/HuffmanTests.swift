import Testing
import TestSupport

@testable import HBONE

@Suite struct `Huffman strings` {
  static func decoded(_ bytes: [UInt8]) throws(CompressionError) -> [UInt8] {
    var output: [UInt8] = []
    try HuffmanCode.hpack.decode(bytes.span, into: &output)
    return output
  }

  @Test(arguments: 0...255)
  func `each byte survives alone and among others`(byte: Int) throws {
    for text in [
      [UInt8(byte)], [0x61, UInt8(byte), 0x7a], Array(repeating: UInt8(byte), count: 9),
    ] {
      var output: [UInt8] = []
      HuffmanCode.hpack.encode(text.span, into: &output)
      #expect(output.count == HuffmanCode.hpack.encodedCount(of: text.span))
      #expect(try Self.decoded(output) == text)
    }
  }

  @Test(arguments: UInt64(1)...20)
  func `random strings survive`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let text = (0..<Int.random(in: 0...2_000, using: &generator)).map { _ in
      UInt8.random(in: 0...255, using: &generator)
    }
    var output: [UInt8] = []
    HuffmanCode.hpack.encode(text.span, into: &output)
    #expect(try Self.decoded(output) == text)
  }

  @Test(arguments: [
    ("00", "padding of zeros"), ("ff", "a whole byte of padding"),
    ("1fff", "eleven bits of padding"), ("fffffffc", "the end-of-string symbol"),
    ("ffffffff", "the end-of-string symbol and padding"),
  ])
  func `bad ends are refused`(hex: String, says: String) {
    let bytes = [UInt8](hex: hex)
    #expect(throws: CompressionError.huffmanInvalid, "\(says)") { try Self.decoded(bytes) }
  }

  @Test(arguments: [("", ""), ("1f", "a"), ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com")])
  func `known strings are read`(hex: String, text: String) throws {
    #expect(try Self.decoded([UInt8](hex: hex)) == Array(text.utf8))
  }
}
