/// An address and a port, in host order.
public struct SocketAddress: Hashable, Sendable {
  public var ip: IPAddress
  public var port: UInt16

  public init(ip: IPAddress, port: UInt16) {
    self.ip = ip
    self.port = port
  }
}

extension SocketAddress: CustomStringConvertible, LosslessStringConvertible {
  /// Reads `10.0.0.7:80` or `[fd00::7]:80`; the port is 1 to 65535.
  public init?(_ text: String) {
    let bytes = text.utf8
    guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")),
      let port = Decimal.parse(bytes[bytes.index(after: colon)...], atMost: 65_535), port > 0
    else { return nil }
    var host = bytes[..<colon]
    let isBracketed = host.first == UInt8(ascii: "[") && host.last == UInt8(ascii: "]")
    if isBracketed { host = host.dropFirst().dropLast() }
    // Brackets stand around IPv6 and nothing else.
    guard host.contains(UInt8(ascii: ":")) == isBracketed, let ip = IPAddress(utf8: host) else {
      return nil
    }
    self.init(ip: ip, port: UInt16(port))
  }

  public var description: String {
    var bytes: [UInt8] = []
    appendText(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the bytes of `description`.
  public func appendText(to bytes: inout [UInt8]) {
    if !ip.isIPv4 { bytes.append(UInt8(ascii: "[")) }
    ip.appendText(to: &bytes)
    if !ip.isIPv4 { bytes.append(UInt8(ascii: "]")) }
    bytes.append(UInt8(ascii: ":"))
    Decimal.append(UInt64(port), to: &bytes)
  }
}
