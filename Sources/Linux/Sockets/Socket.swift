import CLinux
import Glibc
public import MeshModel

/// A stream socket, non-blocking and close-on-exec, with one owner.
///
/// Every call is at most one system call on success; the byte path allocates nothing.
public struct Socket: ~Copyable, Sendable {
  public let descriptor: OwnedDescriptor

  public enum Limit {
    /// Connections the kernel keeps for us before we accept; the namespace's somaxconn caps it.
    public static let listenBacklog: CInt = 4_096
    /// Ranges of one gathered send; the rest is for the next call.
    public static let rangesPerSend = 64
    /// Dead connections skipped by one accept before it answers "would block".
    public static let abortedPerAccept = 64
  }

  public init(_ descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  public var number: CInt { descriptor.number }

  /// Keeps the descriptor open past the value.
  public consuming func takeDescriptor() -> OwnedDescriptor { descriptor }

  /// A TCP socket of the family of `address`, in the calling thread's network namespace.
  public static func stream(for address: IPAddress) throws(LinuxError) -> Socket {
    let family: CInt = address.isIPv4 ? 4 : 6
    let number = try check("socket") { clinux_stream_socket(family) }
    return Socket(OwnedDescriptor(adopting: number))
  }

  /// A TCP socket of the family of `address` that lives in `namespace`.
  public static func stream(
    for address: IPAddress, in namespace: borrowing NetworkNamespace
  ) throws(LinuxError) -> Socket {
    try namespace.run { () throws(LinuxError) in try stream(for: address) }
  }

  /// A TCP socket that listens on `address`; port 0 lets the kernel choose.
  public static func listener(
    on address: SocketAddress, isTransparent: Bool = false
  ) throws(LinuxError) -> Socket {
    let socket = try stream(for: address.ip)
    try socket.setReuseAddress()
    if !address.ip.isIPv4 { try socket.setOnlyIPv6() }
    if isTransparent { try socket.setTransparent(for: address.ip) }
    try socket.bind(to: address)
    try socket.listen()
    return socket
  }

  public borrowing func bind(to address: SocketAddress) throws(LinuxError) {
    let number = descriptor.number
    var raw = clinux_address(address)
    try check("bind", address.description) { unsafe clinux_bind(number, &raw) }
  }

  public borrowing func listen(backlog: CInt = Limit.listenBacklog) throws(LinuxError) {
    let number = descriptor.number
    try check("listen") { Glibc.listen(number, backlog) }
  }

  public enum ConnectOutcome: Hashable, Sendable {
    case connected
    /// Wait until it is writable, then ask `connectResult`.
    case inProgress
  }

  /// Begins to connect; a refusal known at once is thrown.
  public borrowing func connect(to address: SocketAddress) throws(LinuxError) -> ConnectOutcome {
    var raw = clinux_address(address)
    if unsafe clinux_connect(descriptor.number, &raw) == 0 { return .connected }
    let failure = errno
    // An interrupted connect goes on by itself.
    if failure == EINPROGRESS || failure == EINTR { return .inProgress }
    throw failed("connect", failure, address.description)
  }

  /// What became of a connect that was in progress, given what the poller says of the socket.
  ///
  /// A socket that still connects is not writable, so one that is writable without an error needs
  /// no question.
  public borrowing func connectResult(
    _ readiness: Readiness
  ) throws(LinuxError) -> ConnectOutcome {
    guard readiness.isDisjoint(with: [.error, .hangUp]) else { return try connectResult() }
    return readiness.contains(.writable) ? .connected : .inProgress
  }

  /// What became of a connect that was in progress; a refusal or timeout is thrown.
  public borrowing func connectResult() throws(LinuxError) -> ConnectOutcome {
    let pending = try pendingError()
    if pending != 0 { throw LinuxError(call: "connect", errno: pending) }
    var raw = clinux_address()
    if unsafe clinux_peer_address(descriptor.number, &raw) == 0 { return .connected }
    if errno == ENOTCONN { return .inProgress }
    throw failed("getpeername", errno)
  }

  /// The error the kernel holds for this socket (SO_ERROR), 0 when none; asking clears it.
  public borrowing func pendingError() throws(LinuxError) -> CInt {
    try option(SOL_SOCKET, SO_ERROR)
  }

  /// The next connection that waits, nil when there is none.
  ///
  /// EINVAL: the listener was destroyed from inside the pod and has to be made anew.
  public borrowing func accept() throws(LinuxError) -> AcceptedSocket? {
    var raw = clinux_address()
    for _ in 0..<Limit.abortedPerAccept {
      let number = unsafe clinux_accept(descriptor.number, &raw)
      if number >= 0 {
        return AcceptedSocket(
          socket: Socket(OwnedDescriptor(adopting: number)),
          peer: SocketAddress(raw) ?? SocketAddress(ip: .v4(0), port: 0))
      }
      switch errno {
      case EAGAIN: return nil
      // The connection died in the queue (accept(2) lists the network's errors); the next may live.
      case EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH,
        ENOPROTOOPT, ENONET:
        continue
      default: throw failed("accept4", errno)
      }
    }
    return nil
  }

  /// Our end; on a connection that the kernel steered to us, the original destination.
  public borrowing func localAddress() throws(LinuxError) -> SocketAddress {
    let number = descriptor.number
    var raw = clinux_address()
    try check("getsockname") { unsafe clinux_local_address(number, &raw) }
    guard let address = SocketAddress(raw) else {
      throw LinuxError(call: "getsockname", errno: EAFNOSUPPORT)
    }
    return address
  }

  public borrowing func peerAddress() throws(LinuxError) -> SocketAddress {
    let number = descriptor.number
    var raw = clinux_address()
    try check("getpeername") { unsafe clinux_peer_address(number, &raw) }
    guard let address = SocketAddress(raw) else {
      throw LinuxError(call: "getpeername", errno: EAFNOSUPPORT)
    }
    return address
  }
}

/// A connection just accepted and who made it.
public struct AcceptedSocket: ~Copyable, Sendable {
  public let socket: Socket
  public let peer: SocketAddress

  public consuming func takeSocket() -> Socket { socket }
}

extension clinux_address {
  init(_ address: SocketAddress) {
    self.init()
    port = address.port
    switch address.ip {
    case .v4(let bits):
      family = 4
      low = UInt64(bits)
    case .v6(let high, let low):
      family = 6
      self.high = high
      self.low = low
    }
  }
}

extension SocketAddress {
  /// Nil when the kernel's address is of another family.
  init?(_ raw: clinux_address) {
    switch raw.family {
    case 4: self.init(ip: .v4(UInt32(truncatingIfNeeded: raw.low)), port: raw.port)
    case 6: self.init(ip: .v6Normalised(high: raw.high, low: raw.low), port: raw.port)
    default: return nil
    }
  }
}
