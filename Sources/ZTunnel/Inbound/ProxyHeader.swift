import MeshModel

/// What an application behind a tunnel is told before the first byte: who connects, and to what.
///
///     signature 12 | version and command | family | length 2 | source | destination |
///     source port 2 | destination port 2 | TLV: type 1 | length 2 | identity
///
/// Source: the PROXY protocol, version 2, section 2.2; ambient-protocol.md, section 1.9.
struct ProxyHeader: Equatable {
  var source: SocketAddress
  /// What the CONNECT asked for.
  var destination: SocketAddress
  /// Written as type 0xD0; nothing is written without one.
  var identity: SPIFFEID?

  var bytes: [UInt8] {
    let isIPv4 = source.ip.isIPv4 && destination.ip.isIPv4
    var body = address(source.ip, isIPv4: isIPv4) + address(destination.ip, isIPv4: isIPv4)
    body += Self.big(source.port) + Self.big(destination.port)
    if let identity {
      // A SPIFFE id is at most 2 048 bytes.
      let text = Array(identity.description.utf8)
      body += [Self.identityType] + Self.big(UInt16(clamping: text.count)) + text
    }
    return Self.signature + [0x21, isIPv4 ? 0x11 : 0x21] + Self.big(UInt16(clamping: body.count))
      + body
  }

  private static let signature: [UInt8] = [
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a,
  ]
  private static let identityType: UInt8 = 0xd0

  private static func big(_ number: UInt16) -> [UInt8] {
    [UInt8(number >> 8), UInt8(number & 0xff)]
  }

  /// In a header of IPv6 addresses an IPv4 one stands as `::ffff:a.b.c.d`.
  private func address(_ ip: IPAddress, isIPv4: Bool) -> [UInt8] {
    guard !isIPv4, ip.isIPv4 else { return ip.bytes }
    return [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + ip.bytes
  }
}
