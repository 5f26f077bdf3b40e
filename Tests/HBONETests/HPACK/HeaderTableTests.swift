import Testing
import TestSupport

@testable import HBONE

private struct Refusal: CustomTestStringConvertible, Sendable {
  var says: String
  var hex: String
  var error: CompressionError
  var testDescription: String { says }
}

private let refusals: [Refusal] = [
  Refusal(says: "index 0", hex: "80", error: .indexInvalid(0)),
  Refusal(says: "an index beyond both tables", hex: "be", error: .indexInvalid(62)),
  Refusal(says: "a name beyond both tables", hex: "7e00", error: .indexInvalid(62)),
  Refusal(says: "half an integer", hex: "ff80", error: .truncated),
  Refusal(says: "an endless integer", hex: "ff8080808080808080", error: .integerTooLarge),
  Refusal(says: "an integer of 2^35", hex: "ffffffffff7f", error: .integerTooLarge),
  Refusal(says: "a name longer than the block", hex: "40ff808040", error: .truncated),
  Refusal(says: "a field without a value", hex: "400161", error: .truncated),
  Refusal(says: "a literal without a name", hex: "40", error: .truncated),
  Refusal(says: "a table of 4 097", hex: "3fe21f", error: .tableSizeTooLarge(4_097, limit: 4_096)),
  Refusal(says: "a size update after a field", hex: "8220", error: .tableSizeUpdateLate),
  Refusal(says: "a bad Huffman name", hex: "4081ff00", error: .huffmanInvalid),
]

@Suite struct `HPACK tables` {
  @Test(arguments: refusals)
  private func `a block that cannot be read says why`(row: Refusal) {
    let block = [UInt8](hex: row.hex)
    #expect(throws: row.error) {
      var decoder = HeaderDecoder()
      _ = try decoder.fields(block)
    }
  }

  @Test func `an entry larger than the table empties it`() throws {
    var decoder = HeaderDecoder(tableSize: 64)
    _ = try decoder.fields([UInt8](hex: "4001610162"))
    #expect(decoder.tableSize == 34)
    let value = [UInt8](repeating: 0x78, count: 40)
    _ = try decoder.fields([UInt8](hex: "40016128") + value)
    #expect(decoder.tableSize == 0)
  }

  @Test func `a lowered table must be acknowledged by the next block`() throws {
    var decoder = HeaderDecoder()
    decoder.limitTable(to: 100)
    #expect(throws: CompressionError.tableSizeUpdateMissing) {
      var stubborn = decoder
      _ = try stubborn.fields([0x82])
    }
    #expect(try decoder.fields([UInt8](hex: "3f45 82")).count == 1)
    #expect(try decoder.fields([0x82]).count == 1)
  }

  @Test func `shrinking the table evicts the oldest`() throws {
    var decoder = HeaderDecoder()
    _ = try decoder.fields([UInt8](hex: "4001610162 4001630164"))
    #expect(decoder.tableSize == 68)
    #expect(try decoder.fields([UInt8](hex: "3f03 be")) == [HeaderField(name: "c", value: "d")])
    #expect(decoder.tableSize == 34)
  }

  @Test func `the encoder announces the least and the last size between two blocks`() {
    var encoder = HeaderEncoder()
    encoder.limitTable(to: 0)
    encoder.limitTable(to: 100)
    var output: [UInt8] = []
    encoder.beginBlock(into: &output)
    #expect(output.hex == "20" + "3f45")
    output = []
    encoder.beginBlock(into: &output)
    #expect(output.isEmpty)
  }

  @Test func `a header that never changes becomes one byte`() {
    var encoder = HeaderEncoder()
    let fields = [
      HeaderField(name: ":method", value: "CONNECT"),
      HeaderField(name: "baggage", value: "k8s.namespace.name=shop"),
    ]
    _ = encoded(fields, with: &encoder)
    #expect(encoded(fields, with: &encoder).count == 2)
  }

  @Test func `a header that always changes takes one entry of the table`() {
    var encoder = HeaderEncoder()
    for number in 0..<50 {
      _ = encoded([HeaderField(name: "traceparent", value: "\(number)")], with: &encoder)
    }
    #expect(encoder.tableSize == 32 + 11 + 1)
  }

  @Test func `a header of the static table is one byte, whatever else was sent under its name`() {
    var encoder = HeaderEncoder()
    _ = encoded([HeaderField(name: ":status", value: "503")], with: &encoder)
    #expect(encoded([HeaderField(name: ":status", value: "200")], with: &encoder) == [0x88])
  }

  @Test func `a never-indexed header enters no table and stays marked`() throws {
    var encoder = HeaderEncoder()
    var decoder = HeaderDecoder()
    let secret = HeaderField(name: "x-secret", value: "s3cret", isNeverIndexed: true)
    let block = encoded([secret], with: &encoder)
    #expect(block[0] & 0xf0 == 0x10)
    #expect(try decoder.fields(block) == [secret])
    #expect(encoder.tableSize == 0)
    #expect(decoder.tableSize == 0)
  }

  @Test(arguments: UInt64(1)...40)
  func `both ends agree over random headers and table sizes`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var encoder = HeaderEncoder()
    var decoder = HeaderDecoder()
    for _ in 0..<60 {
      if Int.random(in: 0..<6, using: &generator) == 0 {
        encoder.limitTable(to: Int.random(in: 0...5_000, using: &generator))
      }
      let fields = (0..<Int.random(in: 0...8, using: &generator)).map { _ in
        HeaderField(
          name: "name-\(Int.random(in: 0..<12, using: &generator))",
          value: String(
            repeating: "v\(Int.random(in: 0..<3, using: &generator))é",
            count: Int.random(in: 0...60, using: &generator)),
          isNeverIndexed: Int.random(in: 0..<10, using: &generator) == 0)
      }
      #expect(try decoder.fields(encoded(fields, with: &encoder)) == fields)
      #expect(decoder.tableSize == encoder.tableSize)
    }
  }

  @Test func `a bomb of references is counted, not built`() throws {
    var decoder = HeaderDecoder()
    let entry = [UInt8](hex: "40 01 61 7f a11e") + [UInt8](repeating: 0x62, count: 4_000)
    let bomb = entry + [UInt8](repeating: 0xbe, count: 50_000)
    let list = try decoder.decode(bomb.span, maximumSize: 65_536)
    #expect(list.isTooLarge)
    #expect(list.fields.isEmpty)
    #expect(list.size == 50_001 * 4_033)
  }

  @Test func `bytes that are not UTF-8 are repaired and counted as sent`() throws {
    var decoder = HeaderDecoder()
    let list = try decoder.decode([UInt8](hex: "4001 6102 fffe").span, maximumSize: 1_000)
    #expect(list.fields == [HeaderField(name: "a", value: "\u{fffd}\u{fffd}")])
    #expect(list.size == 35)
    #expect(list.isWellFormed)
    #expect(decoder.tableSize == 35)
  }

  @Test(arguments: [
    ("0001410162", "an upper-case name"), ("0000 0162", "an empty name"),
    ("0001 20 0162", "a blank in a name"), ("0001610100", "a NUL"), ("000161020d0a", "a line end"),
    ("0001610220 62", "a leading blank"), ("000161026209", "a trailing tab"),
  ])
  func `bytes that HTTP/2 forbids make the list malformed, also from the table`(
    hex: String, says: String
  ) throws {
    var decoder = HeaderDecoder()
    var block = [UInt8](hex: hex)
    #expect(try !decoder.decode(block.span, maximumSize: 1_000).isWellFormed, "\(says)")
    block[0] = 0x40
    _ = try decoder.decode(block.span, maximumSize: 1_000)
    #expect(try !decoder.decode([UInt8(0xbe)].span, maximumSize: 1_000).isWellFormed, "\(says)")
  }
}
