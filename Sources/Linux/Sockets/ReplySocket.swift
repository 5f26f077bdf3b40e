import CLinux
import Glibc
public import MeshModel

/// Sends UDP datagrams inside a pod as if from somebody else: the answers of resolvers.
///
/// Writes whole packets (IPPROTO_RAW), so it takes no port that a server in the pod could want, and
/// one socket answers for every resolver. Bound to the loopback link with the mark of the pod's
/// routing rule: nothing it sends can leave the pod, whatever the address. Needs CAP_NET_RAW.
public struct ReplySocket: ~Copyable, Sendable {
  private let socket: Socket
  private let isIPv4: Bool

  public enum Limit {
    /// What one datagram carries at most, given both headers.
    public static let payloadBytes = 65_535 - 48
  }

  private enum Size {
    static let ipv4 = 20
    static let ipv6 = 40
    static let udp = 8
  }

  /// Makes the socket in the calling thread's network namespace.
  public init(isIPv4: Bool, mark: UInt32, device: String = "lo") throws(LinuxError) {
    self.isIPv4 = isIPv4
    socket = try ReplySocket.make(isIPv4, mark, device)
  }

  private static func make(
    _ isIPv4: Bool, _ mark: UInt32, _ device: String
  ) throws(LinuxError) -> Socket {
    let number = try check("socket", "IPPROTO_RAW") { clinux_packet_socket(isIPv4 ? 4 : 6) }
    let socket = Socket(OwnedDescriptor(adopting: number))
    try socket.setMark(mark)
    try socket.bindToDevice(device)
    return socket
  }

  /// False when the kernel did not take it: the pod's socket is full or gone, as on any wire.
  ///
  /// `packet` is room that is used again; its content is written over.
  @discardableResult public borrowing func send(
    _ payload: Span<UInt8>, from source: SocketAddress, to destination: SocketAddress,
    packet: inout [UInt8]
  ) -> Bool {
    guard source.ip.isIPv4 == isIPv4, destination.ip.isIPv4 == isIPv4,
      payload.count <= Limit.payloadBytes
    else { return false }
    packet.removeAll(keepingCapacity: true)
    let udp = Size.udp + payload.count
    if isIPv4 {
      // The kernel completes the identifier and the header's sum.
      packet += [0x45, 0]
      append(UInt16(Size.ipv4 + udp), to: &packet)
      packet += [0, 0, 0x40, 0, 64, UInt8(IPPROTO_UDP), 0, 0]
    } else {
      packet += [0x60, 0, 0, 0]
      append(UInt16(udp), to: &packet)
      packet += [UInt8(IPPROTO_UDP), 64]
    }
    append(source.ip, to: &packet)
    append(destination.ip, to: &packet)
    let start = packet.count
    append(source.port, to: &packet)
    append(destination.port, to: &packet)
    append(UInt16(udp), to: &packet)
    packet += [0, 0]
    for index in payload.indices { packet.append(payload[index]) }
    let sum = checksum(packet, addresses: isIPv4 ? 12 : 8, datagram: start)
    packet[start + 6] = UInt8(truncatingIfNeeded: sum >> 8)
    packet[start + 7] = UInt8(truncatingIfNeeded: sum)
    return send(packet.span, to: destination.ip)
  }

  private borrowing func send(_ packet: Span<UInt8>, to ip: IPAddress) -> Bool {
    let number = socket.number
    // The port of a raw destination is the protocol, and must be 0 here.
    var raw = clinux_address(SocketAddress(ip: ip, port: 0))
    return unsafe packet.withUnsafeBufferPointer { bytes in
      while true {
        let sent = unsafe clinux_send_packet(number, bytes.baseAddress, bytes.count, &raw)
        if sent >= 0 { return true }
        if errno != EINTR { return false }
      }
    }
  }

  /// The sum over the addresses, the protocol, the count and the datagram.
  ///
  /// Source: RFC 768; RFC 8200, section 8.1.
  private borrowing func checksum(
    _ packet: [UInt8], addresses: Int, datagram: Int
  ) -> UInt16 {
    var sum = UInt32(IPPROTO_UDP) + UInt32(packet.count - datagram)
    var index = addresses
    while index < packet.count - 1 {
      sum &+= UInt32(packet[index]) << 8 | UInt32(packet[index + 1])
      index += 2
    }
    if index < packet.count { sum &+= UInt32(packet[index]) << 8 }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    let folded = ~UInt16(truncatingIfNeeded: sum)
    // 0 would say that there is none.
    return folded == 0 ? 0xffff : folded
  }

  private borrowing func append(_ number: UInt16, to packet: inout [UInt8]) {
    packet.append(UInt8(truncatingIfNeeded: number >> 8))
    packet.append(UInt8(truncatingIfNeeded: number))
  }

  private borrowing func append(_ ip: IPAddress, to packet: inout [UInt8]) {
    switch ip {
    case .v4(let bits):
      append(UInt16(truncatingIfNeeded: bits >> 16), to: &packet)
      append(UInt16(truncatingIfNeeded: bits), to: &packet)
    case .v6(let high, let low):
      for half in [high, low] {
        for shift in stride(from: UInt64(48), through: 0, by: -16) {
          append(UInt16(truncatingIfNeeded: half >> shift), to: &packet)
        }
      }
    }
  }
}
