/// The sending half of HPACK.
///
/// A header is remembered when its name is new. One whose value changes from tunnel to tunnel
/// (`traceparent`, `forwarded`) therefore costs one entry and is sent by reference to its name.
/// Source: RFC 7541.
struct HeaderEncoder: Sendable {
  private var table = DynamicTable(maximumSize: Limit.encoderTableBytes)
  /// Sizes to announce in the next block: the least since the last one, then the present one.
  private var leastUnannounced: Int?

  var tableSize: Int { table.size }

  /// The peer's SETTINGS_HEADER_TABLE_SIZE.
  mutating func limitTable(to bytes: Int) {
    let size = min(bytes, Limit.encoderTableBytes)
    guard size != table.maximumSize else { return }
    leastUnannounced = min(leastUnannounced ?? size, size)
    table.resize(to: size)
  }

  /// Call before the first field of each block.
  mutating func beginBlock(into output: inout [UInt8]) {
    guard let least = leastUnannounced else { return }
    leastUnannounced = nil
    if least < table.maximumSize {
      CompressedInteger.encode(least, prefixBits: 5, pattern: 0x20, into: &output)
    }
    CompressedInteger.encode(table.maximumSize, prefixBits: 5, pattern: 0x20, into: &output)
  }

  mutating func encode(_ field: HeaderField, into output: inout [UInt8]) {
    let (namedAt, fieldAt) = table.find(name: field.name, value: field.value)
    if let fieldAt, !field.isNeverIndexed {
      encodeIndex(StaticTable.count + 1 + fieldAt, into: &output)
      return
    }
    let isPseudo = field.name.utf8.first == UInt8(ascii: ":")
    // Of a name that is remembered, only a pseudo-header may be whole in the static table.
    let known = namedAt == nil || isPseudo ? Self.findStatic(field, isPseudo) : nil
    if let known, known.isWhole, !field.isNeverIndexed {
      encodeIndex(known.index, into: &output)
      return
    }
    if let namedAt {
      let pattern: UInt8 = field.isNeverIndexed ? 0x10 : 0
      CompressedInteger.encode(
        StaticTable.count + 1 + namedAt, prefixBits: 4, pattern: pattern, into: &output)
      Self.encodeRaw(field.value, into: &output)
      return
    }
    let entry = TableEntry(name: field.name, value: field.value)
    let isKept = !field.isNeverIndexed && entry.size <= table.maximumSize / 2
    CompressedInteger.encode(
      known?.index ?? 0, prefixBits: isKept ? 6 : 4,
      pattern: isKept ? 0x40 : field.isNeverIndexed ? 0x10 : 0, into: &output)
    if known == nil { Self.encodeString(field.name, into: &output) }
    Self.encodeString(field.value, into: &output)
    if isKept { table.insert(entry) }
  }

  /// Where the field, or at least its name, is in the static table, counted from 1.
  private static func findStatic(
    _ field: HeaderField, _ isPseudo: Bool
  ) -> (index: Int, isWhole: Bool)? {
    let entries =
      isPseudo
      ? StaticTable.entries.prefix(StaticTable.pseudoCount)
      : StaticTable.entries.dropFirst(StaticTable.pseudoCount)
    var named = 0
    for index in entries.indices where entries[index].name == field.name {
      if entries[index].value == field.value { return (index + 1, true) }
      if named == 0 { named = index + 1 }
    }
    return named > 0 ? (named, false) : nil
  }

  private func encodeIndex(_ index: Int, into output: inout [UInt8]) {
    CompressedInteger.encode(index, prefixBits: 7, pattern: 0x80, into: &output)
  }

  /// As it is: what is said once is not worth Huffman's time at both ends.
  private static func encodeRaw(_ text: String, into output: inout [UInt8]) {
    CompressedInteger.encode(text.utf8.count, prefixBits: 7, pattern: 0, into: &output)
    output.append(contentsOf: text.utf8)
  }

  /// Huffman when that is shorter.
  static func encodeString(_ text: String, into output: inout [UInt8]) {
    let bytes = text.utf8Span.span
    let huffmanCount = HuffmanCode.hpack.encodedCount(of: bytes)
    if huffmanCount < bytes.count {
      CompressedInteger.encode(huffmanCount, prefixBits: 7, pattern: 0x80, into: &output)
      HuffmanCode.hpack.encode(bytes, into: &output)
    } else {
      encodeRaw(text, into: &output)
    }
  }
}
