/// A value with a place on the wire.
protocol Coded {
  func write(to writer: inout Writer)
  init(from reader: inout Reader) throws(DecodingError)
}

/// Appends values to a payload.
struct Writer {
  /// The first byte of every payload.
  static let format: UInt8 = 2

  private(set) var bytes: [UInt8] = []

  static func payload(of message: some Coded) -> [UInt8] {
    var writer = Writer()
    writer.byte(format)
    message.write(to: &writer)
    return writer.bytes
  }

  mutating func byte(_ value: UInt8) {
    bytes.append(value)
  }

  mutating func integer(_ value: some FixedWidthInteger & UnsignedInteger) {
    var rest = UInt64(value)
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// Every byte of the number, the most significant first.
  mutating func fixed<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
    for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }

  /// Zigzag: small magnitudes stay short whatever their sign.
  mutating func signed(_ value: Int64) {
    integer(UInt64(bitPattern: value << 1 ^ value >> 63))
  }

  mutating func boolean(_ value: Bool) {
    byte(value ? 1 : 0)
  }

  mutating func text(_ value: String) {
    let utf8 = value.utf8
    guard utf8.count > Limit.textBytes else {
      integer(UInt64(utf8.count))
      bytes.append(contentsOf: utf8)
      return
    }
    var end = utf8.index(utf8.startIndex, offsetBy: Limit.textBytes)
    while end.samePosition(in: value.unicodeScalars) == nil { end = utf8.index(before: end) }
    text(String(value.unicodeScalars[..<end]))
  }

  mutating func blob(_ value: [UInt8]) {
    integer(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  mutating func list<Element>(_ values: [Element], _ write: (Element, inout Writer) -> Void) {
    integer(UInt64(values.count))
    for value in values { write(value, &self) }
  }

  mutating func list(_ values: [some Coded]) {
    list(values) { $0.write(to: &$1) }
  }

  mutating func optional(_ value: (some Coded)?) {
    boolean(value != nil)
    value?.write(to: &self)
  }
}
