public import MeshModel

/// The target of a CONNECT: `10.0.0.7:8080`, `[fd00::7]:8080` or `reviews.shop.svc:8080`.
public struct ConnectAuthority: Hashable, Sendable {
  public enum Host: Hashable, Sendable {
    case address(IPAddress)
    /// Lower case, without the final dot.
    case name(String)
  }

  public let host: Host
  public let port: UInt16

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
    preconditionFailure("being written")
  }
}
