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
    switch self {
    case .v4:
      return bytes.map(String.init).joined(separator: ".")
    case .v6(let high, let low):
      let groups = (0..<8).map {
        UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> (48 - 16 * ($0 % 4)))
      }
      return IPAddress.compressed(groups)
    }
  }

  private enum Limit {
    /// The longest form: six full groups and a full dotted tail.
    static let textBytes = 45
  }

  private static func parseV4(_ text: some Collection<UInt8>) -> UInt32? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      guard let octet = Decimal.parse(part, atMost: 255) else { return nil }
      bits = bits << 8 | UInt32(octet)
    }
    return bits
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
