import Glibc

/// The numbers of rtnetlink, from linux/netlink.h, linux/rtnetlink.h and linux/fib_rules.h.
enum RouteNetlink {
  static let error: UInt16 = 2
  static let done: UInt16 = 3
  static let newLink: UInt16 = 16
  static let deleteLink: UInt16 = 17
  static let getLink: UInt16 = 18
  static let newAddress: UInt16 = 20
  static let deleteAddress: UInt16 = 21
  static let getAddress: UInt16 = 22
  static let newRoute: UInt16 = 24
  static let deleteRoute: UInt16 = 25
  static let getRoute: UInt16 = 26
  static let newRule: UInt16 = 32
  static let deleteRule: UInt16 = 33
  static let getRule: UInt16 = 34

  static let request: UInt16 = 0x1
  static let acknowledge: UInt16 = 0x4
  static let dumpInterrupted: UInt16 = 0x10
  static let replace: UInt16 = 0x100
  static let exclusive: UInt16 = 0x200
  static let dump: UInt16 = 0x300
  static let create: UInt16 = 0x400
  /// The kernel's words follow an error.
  static let hasErrorAttributes: UInt16 = 0x200

  static let headerBytes = 16
}

/// A request in the making, in the machine's own byte order, as netlink speaks.
///
///     length 32 | type 16 | flags 16 | sequence 32 | port 32 | payload, padded to 4
struct NetlinkRequest {
  let type: UInt16
  let flags: UInt16
  private(set) var payload: [UInt8] = []

  init(type: UInt16, flags: UInt16) {
    self.type = type
    self.flags = flags
  }

  mutating func append(_ byte: UInt8) { payload.append(byte) }
  mutating func append(_ number: UInt16) { payload.append(native: number) }
  mutating func append(_ number: UInt32) { payload.append(native: number) }

  /// Appends `length 16 | kind 16 | value, padded to 4`.
  mutating func append(attribute kind: UInt16, _ value: [UInt8]) {
    payload.append(native: UInt16(4 + value.count))
    payload.append(native: kind)
    payload += value
    while payload.count % 4 != 0 { payload.append(0) }
  }

  mutating func append(attribute kind: UInt16, _ number: UInt32) {
    var bytes: [UInt8] = []
    bytes.append(native: number)
    append(attribute: kind, bytes)
  }

  func encoded(sequence: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(native: UInt32(RouteNetlink.headerBytes + payload.count))
    bytes.append(native: type)
    bytes.append(native: flags)
    bytes.append(native: sequence)
    bytes.append(native: UInt32(0))
    return bytes + payload
  }
}

/// One message of the kernel's answer.
struct NetlinkMessage {
  let type: UInt16
  let flags: UInt16
  let sequence: UInt32
  let payload: [UInt8]

  /// Takes a datagram apart; nil when its lengths do not add up.
  static func all(in datagram: Span<UInt8>) -> [NetlinkMessage]? {
    var messages: [NetlinkMessage] = []
    var offset = 0
    while offset + RouteNetlink.headerBytes <= datagram.count {
      let length = Int(datagram.native32(at: offset))
      guard length >= RouteNetlink.headerBytes, offset + length <= datagram.count else {
        return nil
      }
      let body = (offset + RouteNetlink.headerBytes)..<(offset + length)
      messages.append(
        NetlinkMessage(
          type: datagram.native16(at: offset + 4), flags: datagram.native16(at: offset + 6),
          sequence: datagram.native32(at: offset + 8), payload: body.map { datagram[$0] }))
      offset += (length + 3) & ~3
    }
    return messages
  }

  /// The attributes that follow a fixed part of `offset` bytes; what is malformed ends the list.
  func attributes(from offset: Int) -> [UInt16: [UInt8]] {
    NetlinkMessage.attributes(payload, from: offset)
  }

  static func attributes(_ bytes: [UInt8], from first: Int) -> [UInt16: [UInt8]] {
    var attributes: [UInt16: [UInt8]] = [:]
    var offset = first
    let span = bytes.span
    while offset + 4 <= bytes.count {
      let length = Int(span.native16(at: offset))
      guard length >= 4, offset + length <= bytes.count else { break }
      // The two high bits say "nested" and "network order".
      let kind = span.native16(at: offset + 2) & 0x3fff
      attributes[kind] = Array(bytes[(offset + 4)..<(offset + length)])
      offset += (length + 3) & ~3
    }
    return attributes
  }

  /// The errno an error or done message carries, 0 for success, and the kernel's words.
  var failure: (errno: CInt, words: String) {
    guard payload.count >= 4 else { return (0, "") }
    let code = CInt(bitPattern: payload.span.native32(at: 0))
    guard flags & RouteNetlink.hasErrorAttributes != 0, type == RouteNetlink.error else {
      return (-code, "")
    }
    let attributes = attributes(from: 4 + RouteNetlink.headerBytes)
    return (-code, attributes[1].map(text) ?? "")
  }
}

/// A text attribute without its final NUL.
func text(_ bytes: [UInt8]) -> String {
  String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
}

/// A 32-bit attribute; nil when it has another size.
func number(_ bytes: [UInt8]?) -> UInt32? {
  guard let bytes, bytes.count == 4 else { return nil }
  return bytes.span.native32(at: 0)
}

extension Span<UInt8> {
  func native16(at offset: Int) -> UInt16 {
    UInt16(littleEndian: UInt16(self[offset]) | UInt16(self[offset + 1]) << 8)
  }

  func native32(at offset: Int) -> UInt32 {
    var number: UInt32 = 0
    for index in 0..<4 { number |= UInt32(self[offset + index]) << UInt32(8 * index) }
    return UInt32(littleEndian: number)
  }
}

extension [UInt8] {
  mutating func append<Number: FixedWidthInteger>(native number: Number) {
    var rest = number.littleEndian
    for _ in 0..<(Number.bitWidth / 8) {
      append(UInt8(truncatingIfNeeded: rest))
      rest >>= 8
    }
  }
}
