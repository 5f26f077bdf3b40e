import CLinux
import Glibc
public import MeshModel

/// A UDP socket, non-blocking and close-on-exec, with one owner.
///
/// Every call is at most one system call on success and allocates nothing.
public struct DatagramSocket: ~Copyable, Sendable {
  public let descriptor: OwnedDescriptor

  public var number: CInt { descriptor.number }

  private init(_ family: IPAddress) throws(LinuxError) {
    let raw = clinux_address(SocketAddress(ip: family, port: 0))
    descriptor = OwnedDescriptor(
      adopting: try check("socket") { clinux_datagram_socket(CInt(raw.family)) })
  }

  /// A socket for datagrams that are steered to it, whatever they are addressed to.
  ///
  /// Bound to the loopback address given, any port; `receive` says where each was to go.
  public static func steered(
    on loopback: IPAddress, receiveBufferBytes: Int
  ) throws(LinuxError) -> DatagramSocket {
    let socket = try DatagramSocket(loopback)
    if loopback.isIPv4 {
      try socket.set("IP_TRANSPARENT", CInt(IPPROTO_IP), CLINUX_IP_TRANSPARENT)
      try socket.set("IP_RECVORIGDSTADDR", CInt(IPPROTO_IP), CLINUX_IP_RECVORIGDSTADDR)
    } else {
      try socket.set("IPV6_V6ONLY", CInt(IPPROTO_IPV6), CLINUX_IPV6_V6ONLY)
      try socket.set("IPV6_TRANSPARENT", CInt(IPPROTO_IPV6), CLINUX_IPV6_TRANSPARENT)
      try socket.set("IPV6_RECVORIGDSTADDR", CInt(IPPROTO_IPV6), CLINUX_IPV6_RECVORIGDSTADDR)
    }
    try socket.set(
      "SO_RCVBUFFORCE", SOL_SOCKET, CLINUX_SO_RCVBUFFORCE, CInt(clamping: receiveBufferBytes))
    let number = socket.number
    var raw = clinux_address(SocketAddress(ip: loopback, port: 0))
    try check("bind", "\(loopback)") { unsafe clinux_bind(number, &raw) }
    return socket
  }

  /// A socket that hears one peer only, from a random port of ours, in `namespace`.
  public static func connected(
    to peer: SocketAddress, in namespace: borrowing NetworkNamespace
  ) throws(LinuxError) -> DatagramSocket {
    // A socket belongs to the namespace its thread was in when it was made.
    let socket = try namespace.run { () throws(LinuxError) in try DatagramSocket(peer.ip) }
    let number = socket.number
    var raw = clinux_address(peer)
    try check("connect", "\(peer)") { unsafe clinux_connect(number, &raw) }
    return socket
  }

  /// A datagram that was received.
  public struct Received: Hashable, Sendable {
    public var byteCount: Int
    public var source: SocketAddress
    /// Where it was sent; nil when the socket was not made to hear of it.
    public var destination: SocketAddress?
  }

  public enum ReceiveOutcome: Hashable, Sendable {
    case datagram(Received)
    /// It was longer than the room given, or from no address; it is gone.
    case unusable
    case wouldBlock
    /// The kernel reports what became of something sent before, such as a refusal.
    case failed(errno: CInt)
  }

  /// Writes one datagram to the front of `bytes`.
  public borrowing func receive(into bytes: inout MutableSpan<UInt8>) -> ReceiveOutcome {
    let number = descriptor.number
    var source = clinux_address()
    var destination = clinux_address()
    while true {
      let count = unsafe bytes.withUnsafeMutableBufferPointer { room in
        unsafe clinux_receive_datagram(
          number, room.baseAddress, room.count, &source, &destination)
      }
      if count >= 0 {
        guard count <= bytes.count, let from = SocketAddress(source) else { return .unusable }
        return .datagram(
          Received(byteCount: count, source: from, destination: SocketAddress(destination)))
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      default: return .failed(errno: errno)
      }
    }
  }

  /// Sends one datagram to the connected peer.
  public borrowing func send(_ bytes: Span<UInt8>) -> SendOutcome {
    let number = descriptor.number
    return unsafe bytes.withUnsafeBufferPointer { source in
      while true {
        let sent = unsafe Glibc.send(number, source.baseAddress, source.count, CInt(MSG_NOSIGNAL))
        if sent >= 0 { return .sent(sent) }
        switch errno {
        case EINTR: continue
        case EAGAIN: return .wouldBlock
        default: return .failed(errno: errno)
        }
      }
    }
  }

  public borrowing func localAddress() throws(LinuxError) -> SocketAddress {
    let number = descriptor.number
    var raw = clinux_address()
    try check("getsockname") { unsafe clinux_local_address(number, &raw) }
    guard let address = SocketAddress(raw) else {
      throw LinuxError(call: "getsockname", errno: EAFNOSUPPORT)
    }
    return address
  }

  private borrowing func set(
    _ label: StaticString, _ level: CInt, _ name: CInt, _ value: CInt = 1
  ) throws(LinuxError) {
    let number = descriptor.number
    try check("setsockopt", label.description) { clinux_set_option(number, level, name, value) }
  }
}

extension DescriptorList {
  /// Appends another descriptor of the same open file; the caller keeps its own.
  public mutating func append(copying socket: borrowing DatagramSocket) throws(LinuxError) {
    append(try socket.descriptor.duplicate())
  }
}
