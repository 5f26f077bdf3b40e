import Linux
import MeshModel
@testable import Redirect
import Testing

private let own = IPAddress.v4(0x0a00_0007)
private let peer = IPAddress.v4(0x0a00_0009)
private let loopback = IPAddress.v4(0x7f00_0001)
private let agent: UInt64 = 5

private func connection(
  _ cookie: UInt64, _ local: (IPAddress, UInt16), _ remote: (IPAddress, UInt16),
  cgroup: UInt64? = 9
) -> TCPConnection {
  TCPConnection(
    cookie: cookie, local: SocketAddress(ip: local.0, port: local.1),
    remote: SocketAddress(ip: remote.0, port: remote.1), cgroup: cgroup)
}

@Suite struct `The connections of a pod` {
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var sockets: Set<TCPConnection>
    /// Cookies, and whether ztunnel has the other end.
    var expected: [UInt64: Bool]
    var testDescription: String { says }
  }

  static let rows = [
    Row(
      says: "are those to others", sockets: [connection(1, (own, 40_000), (peer, 80))],
      expected: [1: false]),
    Row(
      says: "are also those that others open",
      sockets: [
        connection(1, (own, 80), (peer, 40_000)),
        connection(2, (own, 80), (peer, 40_001), cgroup: nil),
      ],
      expected: [1: false, 2: false]),
    Row(
      says: "are not those within the pod",
      sockets: [
        connection(1, (loopback, 80), (loopback, 40_000)),
        connection(2, (own, 80), (own, 40_000)), connection(3, (own, 40_000), (own, 80)),
      ],
      expected: [:]),
    Row(
      says: "are ztunnel's when it has the other end here",
      sockets: [
        connection(1, (own, 40_000), (peer, 80)),
        connection(2, (peer, 80), (own, 40_000), cgroup: agent),
        connection(3, (own, 80), (peer, 18_001)),
        connection(4, (peer, 18_001), (own, 80), cgroup: agent),
      ],
      expected: [1: true, 3: true]),
    Row(
      says: "are ztunnel's before it has accepted them",
      sockets: [
        connection(1, (own, 40_000), (peer, 80)),
        connection(2, (peer, 80), (own, 40_000), cgroup: nil),
      ],
      expected: [1: true]),
    Row(
      says: "are not ztunnel's own tunnels",
      sockets: [
        connection(1, (own, 15_008), (peer, 40_000), cgroup: agent),
        connection(2, (own, 40_000), (peer, 15_008), cgroup: agent),
      ],
      expected: [:]),
  ]

  @Test(arguments: rows) func `that leave it`(row: Row) {
    let found = podConnections(of: [own], among: row.sockets, agentCgroups: [agent])
    let pairs = found.map { ($0.cookie, $0.isCaptured) }
    #expect(Dictionary(uniqueKeysWithValues: pairs) == row.expected)
  }
}
