/// Takes values off the front of a payload.
struct Reader: ~Copyable, ~Escapable {
  private let bytes: Span<UInt8>
  private(set) var offset = 0

  /// Checks the format byte; the message's case comes next.
  @_lifetime(copy payload)
  init(payload: Span<UInt8>) throws(DecodingError) {
    bytes = payload
    let format = try byte()
    guard format == Writer.format else { throw .unknownFormat(format) }
  }

  var remaining: Int { bytes.count - offset }

  func finish() throws(DecodingError) {
    guard remaining == 0 else { throw .trailingBytes(remaining) }
  }

  mutating func byte() throws(DecodingError) -> UInt8 {
    guard offset < bytes.count else { throw .truncated(offset: offset) }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func integer() throws(DecodingError) -> UInt64 {
    let start = offset
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      let bits = UInt64(next & 0x7f)
      // The tenth byte holds the one bit that is left.
      guard shift < 63 || (shift == 63 && bits <= 1) else { throw .overflow(offset: start) }
      value |= bits << shift
      if next & 0x80 == 0 { return value }
      shift += 7
    }
  }

  mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(
    as: Value.Type = Value.self
  ) throws(DecodingError) -> Value {
    let start = offset
    guard let value = Value(exactly: try integer()) else { throw .overflow(offset: start) }
    return value
  }

  /// Every byte of a number, the most significant first.
  mutating func fixed<Value: FixedWidthInteger & UnsignedInteger>(
    as: Value.Type = Value.self
  ) throws(DecodingError) -> Value {
    var value: Value = 0
    for _ in 0..<(Value.bitWidth / 8) { value = value << 8 | Value(try byte()) }
    return value
  }

  mutating func signed() throws(DecodingError) -> Int64 {
    let zigzag = try integer()
    return Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
  }

  mutating func boolean(_ kind: DecodingError.Kind = .boolean) throws(DecodingError) -> Bool {
    let start = offset
    switch try byte() {
    case 0: return false
    case 1: return true
    default: throw .invalid(kind, offset: start)
    }
  }

  mutating func text() throws(DecodingError) -> String {
    let start = offset
    let count = try count(limit: Limit.textBytes)
    guard count <= remaining else { throw .truncated(offset: offset) }
    defer { offset += count }
    do {
      return String(copying: try UTF8Span(validating: bytes.extracting(offset..<(offset + count))))
    } catch {
      throw .notText(offset: start)
    }
  }

  mutating func blob(limit: Int = Limit.blobBytes) throws(DecodingError) -> [UInt8] {
    let count = try count(limit: limit)
    guard count <= remaining else { throw .truncated(offset: offset) }
    var blob: [UInt8] = []
    blob.reserveCapacity(count)
    for index in offset..<(offset + count) { blob.append(bytes[index]) }
    offset += count
    return blob
  }

  /// Every element takes at least one byte, so a count beyond the rest is refused at once.
  mutating func list<Element>(
    _ read: (inout Reader) throws(DecodingError) -> Element
  ) throws(DecodingError) -> [Element] {
    let count = try count(limit: Limit.listElements)
    guard count <= remaining else { throw .truncated(offset: offset) }
    var elements: [Element] = []
    for _ in 0..<count { elements.append(try read(&self)) }
    return elements
  }

  mutating func list<Element: Coded>(of: Element.Type = Element.self) throws(DecodingError)
    -> [Element]
  {
    try list { reader throws(DecodingError) in try Element(from: &reader) }
  }

  mutating func optional<Value: Coded>(_: Value.Type = Value.self) throws(DecodingError) -> Value? {
    try boolean(.optional) ? try Value(from: &self) : nil
  }

  /// An enumeration with one byte for its member.
  mutating func member<Member: RawRepresentable>(
    _ kind: DecodingError.Kind
  ) throws(DecodingError) -> Member where Member.RawValue == UInt8 {
    let start = offset
    let tag = try byte()
    guard let member = Member(rawValue: tag) else {
      throw .unknownTag(UInt64(tag), of: kind, offset: start)
    }
    return member
  }

  func unknown(_ tag: UInt8, of kind: DecodingError.Kind) -> DecodingError {
    .unknownTag(UInt64(tag), of: kind, offset: offset - 1)
  }

  private mutating func count(limit: Int) throws(DecodingError) -> Int {
    let start = offset
    let count = try integer()
    guard count <= UInt64(limit) else { throw .tooLong(count, limit: limit, offset: start) }
    return Int(count)
  }
}
