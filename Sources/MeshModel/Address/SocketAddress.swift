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
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits),
      port > 0
    else { return nil }
    let host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      guard let ip = IPAddress(String(host.dropFirst().dropLast())), host.contains(":") else {
        return nil
      }
      self.init(ip: ip, port: port)
    } else {
      guard !host.contains(":"), let ip = IPAddress(String(host)) else { return nil }
      self.init(ip: ip, port: port)
    }
  }

  public var description: String {
    ip.isIPv4 ? "\(ip):\(port)" : "[\(ip)]:\(port)"
  }
}
