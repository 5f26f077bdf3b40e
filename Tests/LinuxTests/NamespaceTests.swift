import Glibc
@testable import Linux
import MeshModel
import Testing
import TestSupport

@Suite(.needsRoot) struct `A network namespace` {
  @Test func `is left again by the thread that ran in it`() throws {
    let before = try NetworkNamespace.current().inode()
    let namespace = try NetworkNamespace.make()
    let own = try namespace.inode()
    let inside = try namespace.run { () throws(LinuxError) in
      try NetworkNamespace.current().inode()
    }
    #expect(inside == own && own != before)
    #expect(try NetworkNamespace.current().inode() == before)
  }

  @Test func `is left when the body fails, whatever it throws`() throws {
    struct Broken: Error, Equatable {}
    let before = try NetworkNamespace.current().inode()
    let namespace = try NetworkNamespace.make()
    #expect(throws: LinuxError.self) {
      try namespace.run { () throws(LinuxError) in _ = try File.read("/nowhere") }
    }
    let result = try namespace.perform { () throws(Broken) -> Int in throw Broken() }
    #expect(throws: Broken()) { try result.get() }
    #expect(try NetworkNamespace.current().inode() == before)
  }

  @Test func `may be entered from within another, and each returns to its own`() throws {
    let outer = try NetworkNamespace.make()
    let inner = try NetworkNamespace.make()
    let (outerInode, innerInode) = (try outer.inode(), try inner.inode())
    let seen = try outer.run { () throws(LinuxError) in
      let socket = try Socket.stream(for: loopback, in: inner)
      let inside = try inner.run { () throws(LinuxError) in
        try NetworkNamespace.current().inode()
      }
      return [inside, try NetworkNamespace.current().inode(), try socket.namespaceCookie()]
    }
    #expect(seen == [innerInode, outerInode, try inner.cookie()])
  }

  @Test func `is entered by one thread only`() async {
    await #expect(processExitsWith: .success) {
      let before = try NetworkNamespace.current().inode()
      let namespace = try NetworkNamespace.make()
      let seen = try Mailbox<UInt64>()
      try namespace.run { () throws(LinuxError) in
        // The main thread stays where it was.
        seen.post(try NetworkNamespace.open(processID: getpid()).inode())
      }
      try demand(seen.drain() == [before] || namespace.inode() != before)
      try demand(NetworkNamespace.open(processID: getpid()).inode() == before)
    }
  }

  @Test func `gives its own sockets, and keeps the thread at home`() throws {
    let namespace = try NetworkNamespace.make()
    let other = try NetworkNamespace.make()
    let socket = try Socket.stream(for: loopback, in: namespace)
    #expect(try socket.namespaceCookie() == namespace.cookie())
    #expect(try other.cookie() != namespace.cookie())
    #expect(try Socket.stream(for: loopback).namespaceCookie() != namespace.cookie())
  }

  @Test func `may be named by its path`() throws {
    let namespace = try NetworkNamespace.open(path: "/proc/self/ns/net")
    #expect(try namespace.inode() == NetworkNamespace.current().inode())
    #expect(throws: LinuxError(call: "open", errno: ENOENT, subject: "/nowhere")) {
      _ = try NetworkNamespace.open(path: "/nowhere")
    }
  }

  @Test(arguments: ["/proc/self/ns/mnt", "/dev/null", "/proc/self/status"])
  func `is nothing else`(path: String) throws {
    let error = #expect(throws: LinuxError.self) { _ = try NetworkNamespace.open(path: path) }
    #expect(error?.isInvalid == true)
    #expect(error?.subject == path)
  }

  @Test func `leaves no descriptor behind but the thread's own home`() async {
    await #expect(processExitsWith: .success) {
      _ = try NetworkNamespace.make()
      try keepsDescriptorCount {
        let namespace = try NetworkNamespace.make()
        for _ in 0..<10 { _ = try Socket.stream(for: loopback, in: namespace) }
        let worker = try WorkerThread {
          do {
            try demand(namespace.cookie() != 0)
          } catch {
            demand(false, "\(error)")
          }
        }
        worker.join()
      }
    }
  }

  @Test func `that cannot be left ends the process`() async {
    await #expect(processExitsWith: .failure) {
      let namespace = try NetworkNamespace.make()
      try namespace.run { () throws(LinuxError) in
        // The home descriptor is lost, as only a bug could lose it.
        for number in CInt(3)..<200 { close(number) }
      }
    }
  }
}

@Suite(.needsRoot) struct `A spoofed source` {
  struct Row: Sendable, CustomTestStringConvertible {
    let pod: IPAddress
    let client: IPAddress
    var testDescription: String { "\(client) towards \(pod)" }
  }

  static let rows = [
    Row(pod: .v4(0x0a09_0002), client: .v4(0xc000_024d)),
    Row(
      pod: .v6(high: 0xfd00_0000_0000_0000, low: 2), client: .v6(high: 0x2001_0db8 << 32, low: 77)),
  ]

  /// The pod's namespace, with its address and the way back for marked answers.
  static func makePod(_ address: IPAddress) throws -> NetworkNamespace {
    let namespace = try makeNamespace()
    let netlink = try Netlink(in: namespace)
    _ = try netlink.add(
      InterfaceAddress(
        linkIndex: Link.loopbackIndex, address: address, prefixLength: address.isIPv4 ? 32 : 128))
    let family = AddressFamily(of: address)
    _ = try netlink.add(
      RoutingRule(family: family, mark: 0x5ce1_0000, mask: 0xffff_0000, priority: 100, table: 2024))
    _ = try netlink.add(LocalRoute(family: family, table: 2024, preferredSource: address))
    try namespace.run { () throws(LinuxError) in
      try Sysctl.write("net/ipv4/tcp_fwmark_accept", "1")
      try Sysctl.write("net/ipv4/fwmark_reflect", "1")
      try Sysctl.write("net/ipv6/fwmark_reflect", "1")
    }
    return namespace
  }

  static let ports: ClosedRange<UInt16> = 18_000...19_999

  static func dial(
    _ destination: SocketAddress, from client: IPAddress, turn: UInt64 = 5,
    in namespace: borrowing NetworkNamespace
  ) throws(LinuxError) -> Socket {
    let source = PreservedSource(client: client, mark: 0x5ce1_0000, ports: ports)
    return try Socket.connect(to: destination, as: source, turn: turn, in: namespace)
  }

  @Test(arguments: rows)
  func `reaches the application as the client's own address`(row: Row) throws {
    let namespace = try Self.makePod(row.pod)
    let listener = try namespace.run { () throws(LinuxError) in
      try Socket.listener(on: SocketAddress(ip: row.pod, port: 80))
    }
    let destination = SocketAddress(ip: row.pod, port: 80)
    let client = try Self.dial(destination, from: row.client, in: namespace)
    try waitUntil(client.number, is: .writable)
    #expect(try client.connectResult() == .connected)
    let accepted = try acceptOne(listener)
    let peer = accepted.peer
    #expect(peer == SocketAddress(ip: row.client, port: 18_005))
    #expect(client.send([1, 2, 3].span) == .sent(3))
    try waitUntil(accepted.socket.number, is: .readable)
    var buffer = Buffer()
    #expect(accepted.socket.receive(into: &buffer, atMost: 10) == .bytes(3))
  }

  @Test(arguments: rows)
  func `learns at once that the application's port is closed`(row: Row) throws {
    let namespace = try Self.makePod(row.pod)
    let destination = SocketAddress(ip: row.pod, port: 80)
    let error = #expect(throws: LinuxError.self) {
      let client = try Self.dial(destination, from: row.client, in: namespace)
      try waitUntil(client.number, is: .writable)
      _ = try client.connectResult()
    }
    #expect(error?.isRefused == true)
  }

  @Test(arguments: rows)
  func `takes the next port when one is taken, and an ended connection's port again`(
    row: Row
  ) throws {
    let namespace = try Self.makePod(row.pod)
    let listener = try namespace.run { () throws(LinuxError) in
      try Socket.listener(on: SocketAddress(ip: row.pod, port: 80))
    }
    let destination = SocketAddress(ip: row.pod, port: 80)
    let first = try Self.dial(destination, from: row.client, turn: 1_999, in: namespace)
    let second = try Self.dial(destination, from: row.client, turn: 1_999, in: namespace)
    #expect(try first.localAddress().port == 19_999)
    #expect(try second.localAddress().port == 18_000)
    try waitUntil(listener.number, is: .readable)
    let accepted = try acceptOne(listener).takeSocket()
    first.shutdownWrite()
    try waitUntil(accepted.number, is: .readable)
    accepted.shutdownWrite()
    var buffer = Buffer()
    try waitUntil(first.number, is: .readable)
    #expect(first.receive(into: &buffer, atMost: 1) == .endOfFile)
    // TIME_WAIT may be taken over after a second (tcp_tw_reuse 2, the socket is bound to lo).
    usleep(1_200_000)
    let third = try Self.dial(destination, from: row.client, turn: 1_999, in: namespace)
    #expect(try third.localAddress().port == 19_999)
    try waitUntil(third.number, is: .writable)
    #expect(try third.connectResult() == .connected)
  }

  @Test(arguments: rows)
  func `may be listened for`(row: Row) throws {
    let namespace = try Self.makePod(row.pod)
    let listener = try namespace.run { () throws(LinuxError) in
      try Socket.listener(on: SocketAddress(ip: row.client, port: 0), isTransparent: true)
    }
    #expect(try listener.localAddress().ip == row.client)
  }
}
