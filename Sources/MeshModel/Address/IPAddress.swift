/// An IPv4 or IPv6 address as a plain value; a v4-mapped IPv6 address is always held as IPv4.
public enum IPAddress: Hashable, Sendable {
  /// The four bytes, most significant first.
  case v4(UInt32)
  /// The sixteen bytes as two halves, most significant first.
  case v6(high: UInt64, low: UInt64)

  public static func v6Normalised(high: UInt64, low: UInt64) -> IPAddress {
    high == 0 && low >> 32 == 0xffff
      ? .v4(UInt32(truncatingIfNeeded: low)) : .v6(high: high, low: low)
  }

  /// Reads four or sixteen bytes in network order; nil for any other count.
  public init?(bytes: some Collection<UInt8>) {
    switch bytes.count {
    case 4:
      self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      let low = bytes.dropFirst(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      self = .v6Normalised(high: high, low: low)
    default:
      return nil
    }
  }

  /// The address in network order: four bytes or sixteen.
  public var bytes: [UInt8] {
    switch self {
    case .v4(let bits):
      (0..<4).map { UInt8(truncatingIfNeeded: bits >> (24 - 8 * $0)) }
    case .v6(let high, let low):
      (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> (56 - 8 * ($0 % 8))) }
    }
  }

  public var isIPv4: Bool {
    switch self {
    case .v4: true
    case .v6: false
    }
  }

  public var isLoopback: Bool {
    switch self {
    case .v4(let bits): bits >> 24 == 127
    case .v6(let high, let low): high == 0 && low == 1
    }
  }

  public var isUnspecified: Bool {
    switch self {
    case .v4(let bits): bits == 0
    case .v6(let high, let low): high == 0 && low == 0
    }
  }
}

extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
  /// Reads dotted IPv4 or any RFC 4291 text form of IPv6, without zone or brackets.
  public init?(_ text: String) {
    if text.utf8.contains(UInt8(ascii: ":")) {
      guard let address = IPAddress(parsingV6: text) else { return nil }
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

  private static func parseV4(_ text: some StringProtocol) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      let digits = part.utf8
      guard (1...3).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
        digits.count == 1 || digits.first != UInt8(ascii: "0"), let octet = UInt8(part)
      else { return nil }
      bits = bits << 8 | UInt32(octet)
    }
    return bits
  }

  private init?(parsingV6 text: String) {
    guard text.utf8.count <= 45 else { return nil }
    let halves = text.split(separator: "::", omittingEmptySubsequences: false)
    guard halves.count <= 2, let front = IPAddress.groups(halves[0], isLast: halves.count == 1)
    else {
      return nil
    }
    var groups = front
    if halves.count == 2 {
      guard let back = IPAddress.groups(halves[1], isLast: true), front.count + back.count <= 7
      else {
        return nil
      }
      groups += [UInt16](repeating: 0, count: 8 - front.count - back.count) + back
    }
    guard groups.count == 8 else { return nil }
    let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    self = .v6Normalised(high: high, low: low)
  }

  private static func groups(_ text: Substring, isLast: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      if isLast, index == parts.count - 1, part.contains(".") {
        guard let bits = parseV4(part) else { return nil }
        groups += [UInt16(truncatingIfNeeded: bits >> 16), UInt16(truncatingIfNeeded: bits)]
        continue
      }
      guard (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
        let group = UInt16(part, radix: 16)
      else { return nil }
      groups.append(group)
    }
    return groups
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
