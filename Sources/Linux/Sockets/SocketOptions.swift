import CLinux
import Glibc
public import MeshModel

/// When the kernel asks a silent peer whether it is still there.
public struct KeepAlive: Hashable, Sendable {
  /// Silence before the first question; whole seconds, as all three the kernel counts.
  public var idle: Duration
  public var interval: Duration
  /// Questions without an answer before the connection is dead.
  public var probes: Int

  public init(idle: Duration, interval: Duration, probes: Int) {
    self.idle = idle
    self.interval = interval
    self.probes = probes
  }
}

extension Socket {
  public borrowing func setReuseAddress() throws(LinuxError) {
    try set("SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1)
  }

  public borrowing func setOnlyIPv6() throws(LinuxError) {
    try set("IPV6_V6ONLY", CInt(IPPROTO_IPV6), CLINUX_IPV6_V6ONLY, 1)
  }

  public borrowing func setNoDelay() throws(LinuxError) {
    try set("TCP_NODELAY", tcp, CLINUX_TCP_NODELAY, 1)
  }

  public borrowing func setKeepAlive(_ keepAlive: KeepAlive) throws(LinuxError) {
    try set("TCP_KEEPIDLE", tcp, CLINUX_TCP_KEEPIDLE, seconds(keepAlive.idle))
    try set("TCP_KEEPINTVL", tcp, CLINUX_TCP_KEEPINTVL, seconds(keepAlive.interval))
    try set("TCP_KEEPCNT", tcp, CLINUX_TCP_KEEPCNT, CInt(clamping: keepAlive.probes))
    try set("SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1)
  }

  /// How long sent bytes may stay unacknowledged before the connection is dead.
  public borrowing func setUserTimeout(_ timeout: Duration) throws(LinuxError) {
    let (seconds, attoseconds) = timeout.components
    let milliseconds = seconds.multipliedReportingOverflow(by: 1_000)
    let total =
      milliseconds.overflow
      ? Int64.max
      : milliseconds.partialValue + attoseconds / 1_000_000_000_000_000
    try set("TCP_USER_TIMEOUT", tcp, CLINUX_TCP_USER_TIMEOUT, CInt(clamping: total))
  }

  /// Not writable while more than this many unsent bytes wait in the kernel.
  public borrowing func setUnsentLowWater(bytes: Int) throws(LinuxError) {
    try set("TCP_NOTSENT_LOWAT", tcp, CLINUX_TCP_NOTSENT_LOWAT, CInt(clamping: bytes))
  }

  public borrowing func setSendBuffer(bytes: Int) throws(LinuxError) {
    try set("SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, CInt(clamping: bytes))
  }

  public borrowing func setReceiveBuffer(bytes: Int) throws(LinuxError) {
    try set("SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, CInt(clamping: bytes))
  }

  /// Allows to bind and accept addresses that are not ours; needs CAP_NET_ADMIN.
  public borrowing func setTransparent(for address: IPAddress) throws(LinuxError) {
    if address.isIPv4 {
      try set("IP_TRANSPARENT", CInt(IPPROTO_IP), CLINUX_IP_TRANSPARENT, 1)
    } else {
      try set("IPV6_TRANSPARENT", CInt(IPPROTO_IPV6), CLINUX_IPV6_TRANSPARENT, 1)
    }
  }

  /// Marks every packet of the socket for policy routing; needs CAP_NET_ADMIN.
  public borrowing func setMark(_ mark: UInt32) throws(LinuxError) {
    try set("SO_MARK", SOL_SOCKET, CLINUX_SO_MARK, CInt(bitPattern: mark))
  }

  public borrowing func bindToDevice(_ name: String) throws(LinuxError) {
    let number = descriptor.number
    try check("setsockopt", "SO_BINDTODEVICE \(name)") {
      unsafe clinux_set_text_option(number, SOL_SOCKET, CLINUX_SO_BINDTODEVICE, name)
    }
  }

  /// Leaves the choice of the port to connect, which knows the whole tuple.
  public borrowing func setBindAddressNoPort() throws(LinuxError) {
    try set("IP_BIND_ADDRESS_NO_PORT", CInt(IPPROTO_IP), CLINUX_IP_BIND_ADDRESS_NO_PORT, 1)
  }

  /// Whether the socket listens: what an adopted listener has to prove.
  public borrowing func isListening() throws(LinuxError) -> Bool {
    try option(SOL_SOCKET, CLINUX_SO_ACCEPTCONN) != 0
  }

  /// The kernel's number for the network namespace the socket lives in (SO_NETNS_COOKIE).
  public borrowing func namespaceCookie() throws(LinuxError) -> UInt64 {
    let number = descriptor.number
    var cookie: UInt64 = 0
    try check("getsockopt", "SO_NETNS_COOKIE") { unsafe clinux_network_cookie(number, &cookie) }
    return cookie
  }

  borrowing func option(_ level: CInt, _ name: CInt) throws(LinuxError) -> CInt {
    let number = descriptor.number
    var value: CInt = 0
    try check("getsockopt") { unsafe clinux_get_option(number, level, name, &value) }
    return value
  }

  private borrowing func set(
    _ label: StaticString, _ level: CInt, _ name: CInt, _ value: CInt
  ) throws(LinuxError) {
    let number = descriptor.number
    try check("setsockopt", label.description) { clinux_set_option(number, level, name, value) }
  }
}

/// What TCP knows about a connection (TCP_INFO).
public struct TCPStatistics: Hashable, Sendable {
  public var roundTrip: Duration
  public var roundTripVariation: Duration
  public var retransmittedSegments: Int
  /// Segments that may be under way.
  public var congestionWindow: Int
  public var unacknowledgedSegments: Int
  public var unsentBytes: Int
  public var acknowledgedBytes: UInt64
  public var receivedBytes: UInt64
  public var isEstablished: Bool
}

extension Socket {
  public borrowing func tcpInfo() throws(LinuxError) -> TCPStatistics {
    let number = descriptor.number
    var raw = clinux_tcp()
    try check("getsockopt", "TCP_INFO") { unsafe clinux_tcp_state(number, &raw) }
    return TCPStatistics(
      roundTrip: .microseconds(Int64(raw.round_trip_us)),
      roundTripVariation: .microseconds(Int64(raw.round_trip_variation_us)),
      retransmittedSegments: Int(raw.retransmitted_segments),
      congestionWindow: Int(raw.congestion_window),
      unacknowledgedSegments: Int(raw.unacknowledged_segments),
      unsentBytes: Int(raw.unsent_bytes),
      acknowledgedBytes: raw.acknowledged_bytes,
      receivedBytes: raw.received_bytes,
      isEstablished: raw.state == 1)
  }
}

private let tcp = CInt(IPPROTO_TCP)

/// Whole seconds, at least one.
private func seconds(_ duration: Duration) -> CInt {
  CInt(clamping: max(duration.components.seconds, 1))
}
