import Glibc
import Linux
import MeshModel
import Testing

let loopback = IPAddress.v4(0x7f00_0001)
let loopback6 = IPAddress.v6(high: 0, low: 1)

struct Connection: ~Copyable {
  var client: Socket
  var server: Socket
}

/// The connection that waits, which there must be.
func acceptOne(_ listener: borrowing Socket) throws -> AcceptedSocket {
  if let accepted = try listener.accept() { return accepted }
  throw LinuxError(call: "accept4", errno: EAGAIN)
}

/// Two connected sockets over loopback of the calling thread's namespace.
func connect(over ip: IPAddress = loopback) throws -> Connection {
  let listener = try Socket.listener(on: SocketAddress(ip: ip, port: 0))
  let client = try Socket.stream(for: ip)
  _ = try client.connect(to: try listener.localAddress())
  try waitUntil(listener.number, is: .readable)
  let accepted = try acceptOne(listener)
  let peer = accepted.peer
  #expect(try peer == client.localAddress())
  return Connection(client: client, server: accepted.takeSocket())
}

@Suite struct `A TCP socket` {
  @Test(arguments: [loopback, loopback6])
  func `connects without waiting and knows both ends`(ip: IPAddress) throws {
    let listener = try Socket.listener(on: SocketAddress(ip: ip, port: 0))
    #expect(try listener.isListening())
    let nobody = try listener.accept() == nil
    #expect(nobody)
    let client = try Socket.stream(for: ip)
    #expect(try !client.isListening())
    let address = try listener.localAddress()
    #expect(address.ip == ip && address.port != 0)
    _ = try client.connect(to: address)
    try waitUntil(client.number, is: .writable)
    #expect(try client.connectResult() == .connected)
    #expect(try client.peerAddress() == address)
    let accepted = try acceptOne(listener)
    let peer = accepted.peer
    #expect(try peer == client.localAddress())
    #expect(try accepted.socket.localAddress() == address)
  }

  @Test func `says that a port is closed`() throws {
    let closed = try Socket.listener(on: SocketAddress(ip: loopback, port: 0)).localAddress()
    let client = try Socket.stream(for: loopback)
    let error = #expect(throws: LinuxError.self) {
      if try client.connect(to: closed) == .inProgress {
        try waitUntil(client.number, is: .writable)
        _ = try client.connectResult()
      }
    }
    #expect(error?.isRefused == true)
  }

  @Test func `is in progress while nobody answers`() async throws {
    await #expect(processExitsWith: .success) {
      let namespace = try makeNamespace()
      // A route that leads nowhere: the pod's own empty wire.
      try namespace.run { () throws(LinuxError) in
        _ = try Netlink().add(
          InterfaceAddress(linkIndex: 1, address: .v4(0x0a00_0001), prefixLength: 24))
        try Sysctl.write("net/ipv4/tcp_syn_retries", "1")
      }
      let client = try Socket.stream(for: loopback, in: namespace)
      do {
        let outcome = try client.connect(to: SocketAddress(ip: .v4(0x0b00_0001), port: 80))
        demand(outcome == .inProgress)
        try demand(client.connectResult() == .inProgress)
      } catch let error as LinuxError {
        demand(error.isUnreachable, "\(error)")
      }
    }
  }

  @Test func `carries bytes, then the end, each way on its own`() throws {
    let pair = try connect()
    var buffer = Buffer()
    #expect(pair.server.receive(into: &buffer, atMost: 10) == .wouldBlock)
    #expect(pair.client.send([UInt8]("hello").span) == .sent(5))
    pair.client.shutdownWrite()
    try waitUntil(pair.server.number, is: .readable)
    #expect(pair.server.receive(into: &buffer, atMost: 3) == .bytes(3))
    #expect(pair.server.receive(into: &buffer, atMost: 10) == .bytes(2))
    #expect(buffer.readable.array == [UInt8]("hello"))
    #expect(pair.server.receive(into: &buffer, atMost: 10) == .endOfFile)
    #expect(pair.server.send([UInt8]("bye").span) == .sent(3))
    buffer.removeAll()
    #expect(pair.client.receive(into: &buffer, atMost: 10) == .bytes(3))
  }

  @Test func `receives behind room for a header`() throws {
    let pair = try connect()
    var buffer = Buffer()
    buffer.append(7)
    let nothing = pair.server.receive(into: &buffer, atMost: 100, leavingRoomFor: 9)
    #expect(nothing == .wouldBlock && buffer.count == 1)
    #expect(pair.client.send([1, 2, 3].span) == .sent(3))
    let some = pair.server.receive(into: &buffer, atMost: 100, leavingRoomFor: 9)
    #expect(some == .bytes(3))
    #expect(buffer.readable.array == [7] + [UInt8](repeating: 0, count: 9) + [1, 2, 3])
  }

  @Test func `sends ranges of one buffer in order, in one call`() throws {
    let pair = try connect()
    let bytes = [UInt8](0..<100)
    let ranges = [10..<20, 0..<3, 5..<5, 98..<100]
    #expect(pair.client.sendGathered(bytes.span, ranges: ranges.span) == .sent(15))
    let (none, one, two): ([UInt8], [UInt8], [UInt8]) = ([], [1], [2, 3])
    #expect(pair.client.send(one.span, two.span) == .sent(3))
    #expect(pair.client.send(none.span, one.span) == .sent(1))
    #expect(pair.client.send(two.span, none.span) == .sent(2))
    #expect(pair.client.send(none.span) == .sent(0))
    var buffer = Buffer()
    #expect(pair.server.receive(into: &buffer, atMost: 100) == .bytes(21))
    #expect(buffer.readable.array == [UInt8](10..<20) + [0, 1, 2, 98, 99, 1, 2, 3, 1, 2, 3])
  }

  @Test func `takes no more than fits and says when it would block`() throws {
    let pair = try connect()
    var buffer = Buffer()
    buffer.append(contentsOf: [UInt8](repeating: 1, count: 32 << 20))
    var sent = 0
    while case .sent(let count) = pair.client.send(from: &buffer) {
      guard count > 0 else { break }
      sent += count
    }
    #expect(sent > 0 && buffer.count == (32 << 20) - sent)
    #expect(pair.client.send(from: &buffer) == .wouldBlock)
    #expect(try pair.client.tcpInfo().unsentBytes > 0)
  }

  @Test func `sees the other side's reset, and cannot send after it`() throws {
    let listener = try Socket.listener(on: SocketAddress(ip: loopback, port: 0))
    let client = try Socket.stream(for: loopback)
    _ = try client.connect(to: try listener.localAddress())
    try waitUntil(listener.number, is: .readable)
    let accepted = try acceptOne(listener)
    accepted.takeSocket().closeWithReset()
    try waitUntil(client.number, is: .readable)
    var buffer = Buffer()
    #expect(client.receive(into: &buffer, atMost: 1) == .reset(errno: ECONNRESET))
    #expect(client.send([1].span) == .failed(errno: EPIPE))
  }

  @Test func `counts what TCP did`() throws {
    let pair = try connect()
    #expect(pair.client.send([UInt8](repeating: 0, count: 1_000).span) == .sent(1_000))
    var buffer = Buffer()
    #expect(pair.server.receive(into: &buffer, atMost: 1_000) == .bytes(1_000))
    let server = try pair.server.tcpInfo()
    let client = try pair.client.tcpInfo()
    #expect(server.receivedBytes == 1_000 && server.isEstablished)
    // The handshake's SYN counts as one.
    #expect((1_000...1_001).contains(client.acknowledgedBytes))
    #expect(client.roundTrip > .zero && client.roundTrip < .seconds(1))
    #expect(client.retransmittedSegments == 0)
  }

  @Test func `takes every option a worker sets`() throws {
    let pair = try connect()
    try pair.client.setNoDelay()
    try pair.client.setKeepAlive(KeepAlive(idle: .seconds(60), interval: .seconds(10), probes: 6))
    try pair.client.setUserTimeout(.seconds(30))
    try pair.client.setUnsentLowWater(bytes: 128 << 10)
    try pair.client.setSendBuffer(bytes: 1 << 20)
    try pair.client.setReceiveBuffer(bytes: 1 << 20)
    #expect(try pair.client.pendingError() == 0)
  }

  @Test func `that is refused an option says which`() throws {
    let error = #expect(throws: LinuxError.self) {
      try Socket.stream(for: loopback).bindToDevice("no-such-link")
    }
    #expect(error?.subject == "SO_BINDTODEVICE no-such-link")
  }

  @Test func `leaks nothing, however it ends`() async {
    await #expect(processExitsWith: .success) {
      try keepsDescriptorCount {
        let first = try connect()
        let second = try connect(over: loopback6)
        demand(first.client.number != second.client.number)
      }
    }
  }
}
