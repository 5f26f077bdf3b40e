extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
  /// Reads dotted IPv4 or any RFC 4291 text form of IPv6, without zone or brackets.
  public init?(_ text: String) {
    self.init(utf8: text.utf8)
  }

  /// Reads the bytes of a text; only ASCII digits, dots and colons can make an address.
  init?(utf8 text: some BidirectionalCollection<UInt8>) {
    guard text.count <= Limit.textBytes else { return nil }
    if text.contains(UInt8(ascii: ":")) {
      guard let address = IPAddress.parseV6(Array(text)[...]) else { return nil }
      self = address
    } else {
      guard let bits = IPAddress.parseV4(text) else { return nil }
      self = .v4(bits)
    }
  }

  /// IPv6 is written as RFC 5952 asks: lower case, the longest run of zeros as `::`.
  public var description: String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Limit.textBytes)
    appendText(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the bytes of `description`: logs and tunnels name addresses for every connection.
  public func appendText(to bytes: inout [UInt8]) {
    switch self {
    case .v4(let bits):
      for shift in stride(from: 24, through: 0, by: -8) {
        Decimal.append(UInt64(bits >> UInt32(shift) & 0xff), to: &bytes)
        if shift > 0 { bytes.append(UInt8(ascii: ".")) }
      }
    case .v6(let high, let low):
      let groups = (0..<8).map {
        UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> (48 - 16 * ($0 % 4)))
      }
      bytes.append(contentsOf: IPAddress.compressed(groups).utf8)
    }
  }

  private enum Limit {
    /// The longest form: six full groups and a full dotted tail.
    static let textBytes = 45
  }

  private static func parseV4(_ text: some Collection<UInt8>) -> UInt32? {
    var (bits, octet): (UInt32, UInt32) = (0, 0)
    var (dots, digits) = (0, 0)
    for byte in text {
      switch byte {
      case UInt8(ascii: "."):
        guard digits > 0, dots < 3 else { return nil }
        bits = bits << 8 | octet
        dots += 1
        (octet, digits) = (0, 0)
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        // No leading zero: some read it as octal.
        guard digits == 0 || octet > 0 else { return nil }
        octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
        digits += 1
        guard octet <= 255 else { return nil }
      default: return nil
      }
    }
    guard dots == 3, digits > 0 else { return nil }
    return bits << 8 | octet
  }

  private static func parseV6(_ text: ArraySlice<UInt8>) -> IPAddress? {
    let colon = UInt8(ascii: ":")
    let gap = text.indices.first {
      $0 + 1 < text.endIndex && text[$0] == colon && text[$0 + 1] == colon
    }
    var groups: [UInt16]
    if let gap {
      guard let front = self.groups(text[..<gap], isLast: false),
        let back = self.groups(text[(gap + 2)...], isLast: true), front.count + back.count <= 7
      else { return nil }
      groups = front + [UInt16](repeating: 0, count: 8 - front.count - back.count) + back
    } else {
      guard let all = self.groups(text, isLast: true), all.count == 8 else { return nil }
      groups = all
    }
    let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return .v6Normalised(high: high, low: low)
  }

  /// Groups between colons; only the last part of a text may end in dotted IPv4.
  private static func groups(_ text: ArraySlice<UInt8>, isLast: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      if isLast, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
        guard let bits = parseV4(part) else { return nil }
        groups += [UInt16(truncatingIfNeeded: bits >> 16), UInt16(truncatingIfNeeded: bits)]
      } else {
        guard let group = hexadecimal(part) else { return nil }
        groups.append(group)
      }
    }
    return groups
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
    guard (1...4).contains(digits.count) else { return nil }
    var value: UInt16 = 0
    for digit in digits {
      let nibble: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = digit - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): nibble = digit - UInt8(ascii: "A") + 10
      default: return nil
      }
      value = value << 4 | UInt16(nibble)
    }
    return value
  }

  private static func compressed(_ groups: [UInt16]) -> String {
    var longest = 0..<0
    var index = 0
    while index < groups.count {
      let end = groups[index...].firstIndex { $0 != 0 } ?? groups.count
      if end - index > max(longest.count, 1) { longest = index..<end }
      index = max(end, index + 1)
    }
    func text(_ part: ArraySlice<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    guard !longest.isEmpty else { return text(groups[...]) }
    return text(groups[..<longest.lowerBound]) + "::" + text(groups[longest.upperBound...])
  }
}
