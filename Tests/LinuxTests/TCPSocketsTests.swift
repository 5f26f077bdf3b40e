import Glibc
import Linux
import MeshModel
import Testing
import TestSupport

@Suite(.needsRoot) struct `The TCP sockets of a namespace` {
  @Test(arguments: [loopback, loopback6])
  func `are listed with both ends, and ended with a reset`(ip: IPAddress) throws {
    let namespace = try makeNamespace()
    let sockets = try TCPSockets(in: namespace)
    let listener = try namespace.run { () throws(LinuxError) in
      try Socket.listener(on: SocketAddress(ip: ip, port: 0))
    }
    #expect(try sockets.connections().isEmpty)
    let client = try Socket.stream(for: ip, in: namespace)
    _ = try client.connect(to: try listener.localAddress())
    try waitUntil(listener.number, is: .readable)
    let server = try acceptOne(listener).takeSocket()
    let ends = try (client: client.localAddress(), server: server.localAddress())

    let connections = try sockets.connections()
    #expect(connections.count == 2)
    let own = try #require(connections.first { $0.local == ends.client })
    let other = try #require(connections.first { $0.local == ends.server })
    #expect(own.remote == ends.server && other.remote == ends.client)
    #expect(own.cookie != 0 && own.cookie != other.cookie)
    #expect(own.cgroup != nil)

    #expect(try sockets.end(other) == .done)
    #expect(try sockets.end(other) == .absent)
    try waitUntil(client.number, is: .readable)
    var buffer = Buffer(capacity: 16)
    #expect(client.receive(into: &buffer, atMost: 16) == .reset(errno: ECONNRESET))
    #expect(try sockets.connections().isEmpty)
  }
}
