public import MeshModel

/// The target of a CONNECT: `10.0.0.7:8080`, `[fd00::7]:8080` or `reviews.shop.svc:8080`.
///
/// Source: RFC 9113, section 8.5; RFC 9110, section 9.3.6; names as in RFC 1123, with `_`.
public struct ConnectAuthority: Hashable, Sendable {
  public enum Host: Hashable, Sendable {
    case address(IPAddress)
    /// Lower case, without the final dot.
    case name(String)
  }

  public let host: Host
  public let port: UInt16

  public init(host: Host, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// The address to go to, nil when a name stands there.
  public var socketAddress: SocketAddress? {
    switch host {
    case .address(let ip): SocketAddress(ip: ip, port: port)
    case .name: nil
    }
  }

  public enum ParseError: Error, Equatable, Sendable {
    case empty
    case tooLong(byteCount: Int)
    case portMissing
    case portInvalid(String)
    case hostInvalid(String)
  }

  public init(parsing text: String) throws(ParseError) {
    guard !text.isEmpty else { throw .empty }
    guard text.utf8.count <= Limit.authorityBytes else {
      throw .tooLong(byteCount: text.utf8.count)
    }
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
      text.utf8.last != UInt8(ascii: "]")
    else { throw .portMissing }
    port = try Self.port(text[text.index(after: colon)...])
    host = try Self.host(text[..<colon])
  }

  private static func port(_ text: Substring) throws(ParseError) -> UInt16 {
    guard !text.isEmpty else { throw .portMissing }
    guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      text.utf8.first != UInt8(ascii: "0"), let port = UInt16(text)
    else { throw .portInvalid(String(text)) }
    return port
  }

  private static func host(_ text: Substring) throws(ParseError) -> Host {
    if text.utf8.first == UInt8(ascii: "["), text.utf8.last == UInt8(ascii: "]") {
      let inner = text.dropFirst().dropLast()
      guard inner.utf8.contains(UInt8(ascii: ":")), let ip = IPAddress(String(inner)) else {
        throw .hostInvalid(String(text))
      }
      return .address(ip)
    }
    guard !text.utf8.contains(UInt8(ascii: ":")) else { throw .hostInvalid(String(text)) }
    if let ip = IPAddress(String(text)) { return .address(ip) }
    return .name(try name(text))
  }

  /// Labels of 1 to 63 letters, digits, `-` and `_`, the last not a number: that would be an
  /// address somebody got wrong.
  private static func name(_ text: Substring) throws(ParseError) -> String {
    let name = text.utf8.last == UInt8(ascii: ".") ? text.dropLast() : text
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard name.utf8.count <= 253, labels.allSatisfy({ isLabel($0) }),
      let last = labels.last, !last.allSatisfy({ (0x30...0x39).contains($0) })
    else { throw .hostInvalid(String(text)) }
    return name.lowercased()
  }

  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"),
      label.last != UInt8(ascii: "-")
    else { return false }
    return label.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
    }
  }
}

extension ConnectAuthority: CustomStringConvertible {
  public var description: String {
    switch host {
    case .address(let ip): "\(SocketAddress(ip: ip, port: port))"
    case .name(let name): "\(name):\(port)"
    }
  }
}
