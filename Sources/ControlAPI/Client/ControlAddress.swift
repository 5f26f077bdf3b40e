/// Where a control plane is: `istiod.istio-system.svc:15012`, `https://10.0.0.7:15012`, `[fd00::1]`.
public struct ControlAddress: Hashable, Sendable {
  /// A name, or an address without brackets.
  public let host: String
  public let port: UInt16

  public init(host: String, port: UInt16 = ControlLimit.defaultPort) {
    self.host = host
    self.port = port
  }

  /// Reads what users write in XDS_ADDRESS and CA_ADDRESS; nil for anything but HOST[:PORT].
  public init?(_ text: String) {
    var rest = text[...]
    if rest.hasPrefix("https://") { rest = rest.dropFirst("https://".count) }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    if rest.first == "[" {
      guard let end = rest.firstIndex(of: "]") else { return nil }
      host = String(rest[rest.index(after: rest.startIndex)..<end])
      rest = rest[rest.index(after: end)...]
      guard host.contains(":") else { return nil }
    } else {
      let end = rest.firstIndex(of: ":") ?? rest.endIndex
      host = String(rest[..<end])
      rest = rest[end...]
    }
    let isNameLike = host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
    guard !host.isEmpty, host.utf8.count <= 253, isNameLike else { return nil }
    guard !rest.isEmpty else {
      port = ControlLimit.defaultPort
      return
    }
    let digits = rest.dropFirst()
    guard rest.first == ":", digits.allSatisfy({ $0.isASCII && $0.isNumber }),
      let port = UInt16(digits), port > 0
    else { return nil }
    self.port = port
  }
}

extension ControlAddress: CustomStringConvertible {
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
