/// A block of addresses: those that share the first `prefixLength` bits with `base`.
public struct CIDR: Hashable, Sendable {
  public let base: IPAddress
  public let prefixLength: Int

  /// Nil when the prefix is longer than the address.
  public init?(base: IPAddress, prefixLength: Int) {
    guard prefixLength >= 0, prefixLength <= (base.isIPv4 ? 32 : 128) else { return nil }
    self.base = base
    self.prefixLength = prefixLength
  }

  /// The block of one address.
  public init(_ address: IPAddress) {
    base = address
    prefixLength = address.isIPv4 ? 32 : 128
  }

  /// Whether it holds one address only.
  public var isSingle: Bool { prefixLength == (base.isIPv4 ? 32 : 128) }

  /// The same block with its lowest address as base, so that equal blocks are equal values.
  public var canonical: CIDR {
    let lowest: IPAddress
    switch base {
    case .v4(let bits):
      lowest = .v4(prefixLength == 0 ? 0 : bits & (UInt32.max << (32 - prefixLength)))
    case .v6(let high, let low):
      let upper = min(prefixLength, 64)
      let lower = max(prefixLength - 64, 0)
      lowest = .v6(
        high: upper == 0 ? 0 : high & (UInt64.max << (64 - upper)),
        low: lower == 0 ? 0 : low & (UInt64.max << (64 - lower)))
    }
    return CIDR(base: lowest, prefixLength: prefixLength) ?? self
  }

  public func contains(_ address: IPAddress) -> Bool {
    switch (base, address) {
    case (.v4(let a), .v4(let b)):
      return prefixLength == 0 || (a ^ b) >> (32 - prefixLength) == 0
    case (.v6(let aHigh, let aLow), .v6(let bHigh, let bLow)):
      if prefixLength == 0 { return true }
      if prefixLength <= 64 { return (aHigh ^ bHigh) >> (64 - prefixLength) == 0 }
      return aHigh == bHigh && (aLow ^ bLow) >> (128 - prefixLength) == 0
    case (.v4, .v6), (.v6, .v4):
      return false
    }
  }
}

extension CIDR: CustomStringConvertible, LosslessStringConvertible {
  /// Reads `10.0.0.0/8`, `fd00::/8`, or a single address, which stands for its full length.
  ///
  /// A block of v4-mapped addresses, `::ffff:10.0.0.0/104`, is the IPv4 block it maps.
  public init?(_ text: String) {
    let parts = text.utf8.split(
      separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let base = IPAddress(utf8: first) else { return nil }
    let full = base.isIPv4 ? 32 : 128
    guard parts.count == 2 else {
      self.init(base: base, prefixLength: full)
      return
    }
    guard let length = Decimal.parse(parts[1], atMost: 128) else { return nil }
    let isMapped = base.isIPv4 && first.contains(UInt8(ascii: ":"))
    self.init(base: base, prefixLength: isMapped ? length - 96 : length)
  }

  public var description: String { "\(base)/\(prefixLength)" }
}
