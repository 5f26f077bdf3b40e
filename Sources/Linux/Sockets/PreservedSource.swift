import Glibc
public import MeshModel

/// Whose address a connection towards an application carries, and what brings the answers back.
public struct PreservedSource: Hashable, Sendable {
  public var client: IPAddress
  /// The mark that the pod's routing rule knows.
  public var mark: UInt32
  /// Ports no client uses for itself, so that no connection of the client has the same tuple.
  public var ports: ClosedRange<UInt16>
  /// The link the packets stay on.
  public var device = "lo"

  public init(client: IPAddress, mark: UInt32, ports: ClosedRange<UInt16>) {
    self.client = client
    self.mark = mark
    self.ports = ports
  }
}

extension Socket.Limit {
  /// Ports tried for one connection before it fails with EADDRINUSE.
  public static let portsPerConnect = 64
}

extension Socket {
  /// Begins to connect to `destination` from the client's own address, inside `namespace`.
  ///
  /// The port is chosen here, from `turn` on, and bound explicitly: the kernel honours
  /// IP_LOCAL_PORT_RANGE only where it lies within the namespace's own ip_local_port_range, and
  /// silently ignores it otherwise (seen on 6.18). Give consecutive connections consecutive turns.
  /// Wait until the socket is writable, then ask `connectResult`.
  public static func connect(
    to destination: SocketAddress, as source: PreservedSource, turn: UInt64,
    in namespace: borrowing NetworkNamespace
  ) throws(LinuxError) -> Socket {
    var last = LinuxError(call: "connect", errno: EADDRINUSE, subject: "\(destination)")
    for attempt in 0..<UInt64(Limit.portsPerConnect) {
      let socket = try stream(for: source.client, in: namespace)
      try socket.setTransparent(for: source.client)
      try socket.setMark(source.mark)
      try socket.bindToDevice(source.device)
      // A port may serve many destinations at once, and again while an old connection ends.
      try socket.setReuseAddress()
      let count = UInt64(source.ports.count)
      let port = source.ports.lowerBound + UInt16((turn &+ attempt) % count)
      do throws(LinuxError) {
        try socket.bind(to: SocketAddress(ip: source.client, port: port))
        _ = try socket.connect(to: destination)
        return socket
      } catch {
        // The port, or the whole tuple, is taken: the next one may not be.
        guard error.errno == EADDRINUSE || error.errno == EADDRNOTAVAIL else { throw error }
        last = error
      }
    }
    throw last
  }
}
