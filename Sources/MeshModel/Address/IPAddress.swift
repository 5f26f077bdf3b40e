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
