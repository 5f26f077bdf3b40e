import Glibc
public import MeshModel

/// A TCP connection of a network namespace, as the kernel tells of its socket.
public struct TCPConnection: Hashable, Sendable {
  /// The kernel's number for the socket, which no two sockets of one boot share.
  public var cookie: UInt64
  public var local: SocketAddress
  public var remote: SocketAddress
  /// Whose socket it is; nil for one that is being opened from outside, or an old kernel's.
  public var cgroup: UInt64?
  /// What the kernel finds the socket by again.
  fileprivate var isIPv6Socket: Bool
  fileprivate var interface: UInt32

  public init(
    cookie: UInt64, local: SocketAddress, remote: SocketAddress, cgroup: UInt64? = nil,
    isIPv6Socket: Bool = false, interface: UInt32 = 0
  ) {
    self.cookie = cookie
    self.local = local
    self.remote = remote
    self.cgroup = cgroup
    self.isIPv6Socket = isIPv6Socket
    self.interface = interface
  }
}

/// The TCP sockets of one network namespace, whoever owns them.
public struct TCPSockets: ~Copyable, Sendable {
  private let socket: NetlinkSocket

  /// Of the calling thread's network namespace.
  public init() throws(LinuxError) {
    socket = try NetlinkSocket(.socketDiagnostics, isBlocking: true)
  }

  public init(in namespace: borrowing NetworkNamespace) throws(LinuxError) {
    socket = try namespace.run { () throws(LinuxError) in
      try NetlinkSocket(.socketDiagnostics, isBlocking: true)
    }
  }

  /// Connections of both families in any state between the first SYN and the last FIN.
  ///
  /// One that is there before the call and after it is among them.
  public borrowing func connections() throws(LinuxError) -> [TCPConnection] {
    var connections: [TCPConnection] = []
    for family in AddressFamily.allCases {
      var request = NetlinkRequest(
        type: SocketDiagnostics.byFamily, flags: RouteNetlink.request | RouteNetlink.dump)
      request.appendHeader(family, states: SocketDiagnostics.connected)
      for _ in 0..<SocketDiagnostics.identityWords { request.append(UInt32(0)) }
      do throws(LinuxError) {
        connections += try socket.dump(request, "TCP sockets").compactMap { TCPConnection($0) }
      } catch {
        // No IPv6 here.
        guard error.errno == EAFNOSUPPORT || error.isNotFound else { throw error }
      }
    }
    return connections
  }

  public enum Outcome: Hashable, Sendable {
    case done
    /// It ended by itself.
    case absent
    /// This kernel ends no sockets of others.
    case unsupported
  }

  /// Ends the connection at once; both of its ends see a reset.
  public borrowing func end(_ connection: TCPConnection) throws(LinuxError) -> Outcome {
    var request = NetlinkRequest(
      type: SocketDiagnostics.destroy, flags: RouteNetlink.request | RouteNetlink.acknowledge)
    request.appendHeader(
      connection.isIPv6Socket ? .v6 : .v4, states: SocketDiagnostics.connected)
    request.append(bigEndian: connection.local.port)
    request.append(bigEndian: connection.remote.port)
    request.append(connection.local.ip, isIPv6Socket: connection.isIPv6Socket)
    request.append(connection.remote.ip, isIPv6Socket: connection.isIPv6Socket)
    request.append(connection.interface)
    request.append(UInt32(truncatingIfNeeded: connection.cookie))
    request.append(UInt32(truncatingIfNeeded: connection.cookie >> 32))
    do throws(LinuxError) {
      try socket.perform(request, "connection to \(connection.remote)")
      return .done
    } catch {
      switch error.errno {
      case ENOENT, ESTALE: return .absent
      case EOPNOTSUPP, EINVAL: return .unsupported
      default: throw error
      }
    }
  }
}

/// The numbers of linux/sock_diag.h and linux/inet_diag.h.
private enum SocketDiagnostics {
  static let byFamily: UInt16 = 20
  static let destroy: UInt16 = 21
  /// All states but TIME_WAIT (6), CLOSE (7) and LISTEN (10).
  ///
  /// Source: net/tcp_states.h.
  static let connected: UInt32 = 0xfff & ~(1 << 6 | 1 << 7 | 1 << 10) & ~1
  /// inet_diag_sockid: ports, two addresses, interface, cookie.
  static let identityWords = 12
  static let messageBytes = 72
  static let cgroup: UInt16 = 21
}

extension NetlinkRequest {
  /// The front of inet_diag_req_v2.
  fileprivate mutating func appendHeader(_ family: AddressFamily, states: UInt32) {
    append(family.rawValue)
    append(UInt8(IPPROTO_TCP))
    append(UInt16(0))
    append(states)
  }

  fileprivate mutating func append(bigEndian port: UInt16) {
    append(UInt8(port >> 8))
    append(UInt8(truncatingIfNeeded: port))
  }

  fileprivate mutating func append(_ address: IPAddress, isIPv6Socket: Bool) {
    var bytes = address.bytes
    if isIPv6Socket, address.isIPv4 {
      bytes = [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + bytes
    }
    for byte in bytes { append(byte) }
    for _ in bytes.count..<16 { append(UInt8(0)) }
  }
}

extension TCPConnection {
  /// inet_diag_msg: family 8 | state 8 | … | ports 2×16 | addresses 2×128 | interface 32 | cookie 64.
  fileprivate init?(_ message: NetlinkMessage) {
    let bytes = message.payload
    guard message.type == SocketDiagnostics.byFamily,
      bytes.count >= SocketDiagnostics.messageBytes,
      let family = AddressFamily(rawValue: bytes[0])
    else { return nil }
    func number(_ range: Range<Int>) -> UInt64 { range.reduce(0) { $0 << 8 | UInt64(bytes[$1]) } }
    func address(at offset: Int) -> IPAddress {
      switch family {
      case .v4: .v4(UInt32(number(offset..<offset + 4)))
      case .v6:
        .v6Normalised(
          high: number(offset..<offset + 8), low: number(offset + 8..<offset + 16))
      }
    }
    let span = bytes.span
    let attributes = message.attributes(from: SocketDiagnostics.messageBytes)
    self.init(
      cookie: UInt64(span.native32(at: 44)) | UInt64(span.native32(at: 48)) << 32,
      local: SocketAddress(ip: address(at: 8), port: UInt16(number(4..<6))),
      remote: SocketAddress(ip: address(at: 24), port: UInt16(number(6..<8))),
      cgroup: attributes[SocketDiagnostics.cgroup].flatMap { value in
        value.count == 8
          ? UInt64(value.span.native32(at: 0)) | UInt64(value.span.native32(at: 4)) << 32 : nil
      },
      isIPv6Socket: family == .v6, interface: span.native32(at: 40))
  }
}
