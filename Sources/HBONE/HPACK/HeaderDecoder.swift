/// One decoded header block.
struct HeaderList: Sendable {
  var fields: [HeaderField] = []
  /// Decoded bytes and 32 per field, of all fields, also those left out.
  var size = 0
  /// Every name and value has only bytes that HTTP/2 allows.
  var isWellFormed = true
  /// Beyond the limits; `fields` is incomplete then.
  var isTooLarge = false
}

/// The receiving half of HPACK.
///
/// What it allocates follows what has come, never a length the peer claims.
/// Source: RFC 7541.
struct HeaderDecoder: Sendable {
  private var table: DynamicTable
  /// What the peer may set the table to.
  private var sizeLimit: Int
  /// The limit has been lowered below the table's size: the next block must start by saying so.
  private var owesSizeUpdate = false
  /// Where Huffman strings are spelled out.
  private var name: [UInt8] = []
  private var value: [UInt8] = []

  init(tableSize: Int = 4_096) {
    table = DynamicTable(maximumSize: tableSize)
    sizeLimit = tableSize
  }

  /// Our SETTINGS_HEADER_TABLE_SIZE holds now, as the peer has acknowledged it.
  mutating func limitTable(to bytes: Int) {
    sizeLimit = bytes
    owesSizeUpdate = table.maximumSize > bytes
  }

  var tableSize: Int { table.size }

  /// Reads a whole block.
  mutating func decode(
    _ block: Span<UInt8>, maximumSize: Int
  ) throws(CompressionError) -> HeaderList {
    var list = HeaderList()
    var offset = 0
    try readSizeUpdates(block, at: &offset)
    while offset < block.count {
      let first = block[offset]
      if first & 0x80 != 0 {
        let index = try CompressedInteger.decode(block, at: &offset, prefixBits: 7)
        list.append(try entry(index), neverIndexed: false, maximumSize: maximumSize)
      } else if first & 0xe0 == 0x20 {
        throw .tableSizeUpdateLate
      } else {
        try readLiteral(block, at: &offset, into: &list, maximumSize: maximumSize)
      }
    }
    if name.capacity + value.capacity > Self.keptScratchBytes { (name, value) = ([], []) }
    return list
  }

  /// Spelling room kept between blocks, so that a burst of large headers is not paid for ever.
  private static let keptScratchBytes = 1_024

  private mutating func readSizeUpdates(
    _ block: Span<UInt8>, at offset: inout Int
  ) throws(CompressionError) {
    while offset < block.count, block[offset] & 0xe0 == 0x20 {
      let bytes = try CompressedInteger.decode(block, at: &offset, prefixBits: 5)
      guard bytes <= sizeLimit else { throw .tableSizeTooLarge(bytes, limit: sizeLimit) }
      table.resize(to: bytes)
      owesSizeUpdate = false
    }
    guard !owesSizeUpdate else { throw .tableSizeUpdateMissing }
  }

  /// A literal field: with indexing (01), without (0000), never indexed (0001).
  private mutating func readLiteral(
    _ block: Span<UInt8>, at offset: inout Int, into list: inout HeaderList, maximumSize: Int
  ) throws(CompressionError) {
    let first = block[offset]
    let isIndexed = first & 0x40 != 0
    let nameIndex = try CompressedInteger.decode(
      block, at: &offset, prefixBits: isIndexed ? 6 : 4)
    var named: TableEntry?
    if nameIndex > 0 {
      named = try entry(nameIndex)
    } else {
      try Self.readString(block, at: &offset, into: &name)
    }
    try Self.readString(block, at: &offset, into: &value)
    guard isIndexed || !list.isTooLarge else {
      list.size += TableEntry.overhead
      return
    }
    let isNameWellFormed = named?.isNameWellFormed ?? HeaderCharacters.isName(name.span)
    let nameText = named?.name ?? String(repairing: name.span)
    let nameCount = named.map { $0.nameByteCount } ?? name.count
    let read = TableEntry(
      name: nameText, value: String(repairing: value.span), nameByteCount: nameCount,
      valueByteCount: value.count, isNameWellFormed: isNameWellFormed,
      isValueWellFormed: HeaderCharacters.isValue(value.span))
    if isIndexed { table.insert(read) }
    list.append(read, neverIndexed: first & 0x10 != 0 && !isIndexed, maximumSize: maximumSize)
  }

  private func entry(_ index: Int) throws(CompressionError) -> TableEntry {
    guard index > 0, index <= StaticTable.count + table.count else { throw .indexInvalid(index) }
    return index <= StaticTable.count
      ? StaticTable.entries[index - 1] : table[index - StaticTable.count - 1]
  }

  /// A string into `output`, which is emptied first; it must lie wholly in the block.
  private static func readString(
    _ block: Span<UInt8>, at offset: inout Int, into output: inout [UInt8]
  ) throws(CompressionError) {
    output.removeAll(keepingCapacity: true)
    guard offset < block.count else { throw .truncated }
    let isHuffman = block[offset] & 0x80 != 0
    let count = try CompressedInteger.decode(block, at: &offset, prefixBits: 7)
    guard count <= block.count - offset else { throw .truncated }
    let end = offset + count
    if isHuffman {
      try HuffmanCode.hpack.decode(block.extracting(offset..<end), into: &output)
    } else {
      for index in offset..<end { output.append(block[index]) }
    }
    offset = end
  }
}

extension HeaderList {
  mutating func append(_ entry: TableEntry, neverIndexed: Bool, maximumSize: Int) {
    size += entry.size
    isWellFormed = isWellFormed && entry.isWellFormed
    isTooLarge = isTooLarge || size > maximumSize || fields.count >= Limit.headersPerList
    guard !isTooLarge else {
      fields.removeAll()
      return
    }
    fields.append(
      HeaderField(name: entry.name, value: entry.value, isNeverIndexed: neverIndexed))
  }
}
