/// Takes values off a message from left to right, and never reads past its end.
struct MessageCursor: ~Copyable, ~Escapable {
  private let message: Span<UInt8>
  private(set) var offset: Int

  /// A record's head, and where its data lies.
  struct Record {
    var type: RecordType
    var `class`: UInt16
    var timeToLive: UInt32
    var data: Range<Int>
  }

  @_lifetime(copy message)
  init(_ message: Span<UInt8>, at offset: Int) {
    self.message = message
    self.offset = offset
  }

  var remaining: Int { message.count - offset }

  mutating func number() throws(MessageError) -> UInt16 {
    guard remaining >= 2 else { throw .truncated(offset: offset) }
    defer { offset += 2 }
    return message.number(at: offset)
  }

  /// A name without compression, with its root's zero.
  mutating func plainName() throws(MessageError) -> [UInt8] {
    let start = offset
    try skipName(allowsPointer: false)
    var name: [UInt8] = []
    name.reserveCapacity(offset - start)
    for index in start..<offset { name.append(message[index]) }
    return name
  }

  /// A pointer ends a name, so nothing is followed and nothing can go round.
  mutating func skipName(allowsPointer: Bool) throws(MessageError) {
    let start = offset
    while true {
      guard remaining >= 1 else { throw .truncated(offset: offset) }
      let length = message[offset]
      if length & 0xc0 == 0xc0, allowsPointer {
        guard remaining >= 2 else { throw .truncated(offset: offset) }
        offset += 2
        return
      }
      guard length & 0xc0 == 0 else { throw .unusualLabel(length, offset: offset) }
      guard remaining > Int(length) else { throw .truncated(offset: offset) }
      offset += 1 + Int(length)
      guard offset - start <= Limit.nameBytes else { throw .nameTooLong(offset: start) }
      if length == 0 { return }
    }
  }

  mutating func record() throws(MessageError) -> Record {
    try skipName(allowsPointer: true)
    let type = RecordType(rawValue: try number())
    let `class` = try number()
    let high = try number()
    let low = try number()
    let count = Int(try number())
    guard remaining >= count else { throw .truncated(offset: offset) }
    offset += count
    return Record(
      type: type, class: `class`, timeToLive: UInt32(high) << 16 | UInt32(low),
      data: (offset - count)..<offset)
  }
}
