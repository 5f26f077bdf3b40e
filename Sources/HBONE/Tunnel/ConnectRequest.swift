/// What a client asked for, well formed as HTTP/2 but perhaps not something to serve.
public struct ConnectRequest: Equatable, Sendable {
  /// Why the only proper answer is 400.
  public enum Fault: Equatable, Sendable {
    case methodNotConnect(String)
    case authorityMissing
  }

  /// The target as written, which `ConnectAuthority` reads; empty when `fault` says so.
  public var authority: String
  /// The regular headers, in order.
  public var headers: [HeaderField]
  /// The client has already finished sending.
  public var isEnd: Bool
  public var fault: Fault?

  public init(
    authority: String, headers: [HeaderField] = [], isEnd: Bool = false, fault: Fault? = nil
  ) {
    self.authority = authority
    self.headers = headers
    self.isEnd = isEnd
    self.fault = fault
  }
}

/// A server's answer to a CONNECT.
public struct Response: Equatable, Sendable {
  public var status: UInt16
  /// The regular headers, in order.
  public var headers: [HeaderField]
  /// The server has already finished sending.
  public var isEnd: Bool

  public init(status: UInt16, headers: [HeaderField] = [], isEnd: Bool = false) {
    self.status = status
    self.headers = headers
    self.isEnd = isEnd
  }

  /// Any 2xx makes the stream a tunnel (RFC 9110, section 9.3.6).
  public var isSuccess: Bool { (200..<300).contains(status) }
}
