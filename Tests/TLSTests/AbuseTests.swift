import Identity
import MeshModel
import Testing

@testable import TLS

@Suite struct `Bytes that are not TLS end the session and nothing else` {
  let authority: TestAuthority

  init() throws { authority = try TestAuthority(named: "root") }

  @Test(arguments: [
    Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8),
    [UInt8](repeating: 0, count: 64), [UInt8](repeating: 0xff, count: 20_000),
    [22, 3, 1, 0xff, 0xff] + [UInt8](repeating: 1, count: 100),
    [22, 3, 1, 0, 4, 2, 0, 0, 0], [23, 3, 3, 0, 5, 1, 2, 3, 4, 5], [20, 3, 3, 0, 1, 1],
  ])
  func `instead of a hello`(bytes: [UInt8]) throws {
    let server = try End(server: authority.credentials(Name.bob))
    server.deliver(bytes)
    server.shake()
    #expect(server.failure != nil)
    server.shake()
    #expect(server.handshake == server.failure.map { .failed($0) })
  }

  @Test func `a plaintext request says so`() throws {
    let server = try End(server: authority.credentials(Name.bob))
    server.deliver(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    server.shake()
    #expect(server.failure == .malformed(reason: "http request"))
  }

  @Test func `an alert instead of a hello is reported as the peer's refusal`() throws {
    let client = try End(client: authority.credentials(Name.alice), expecting: [Name.bob])
    client.shake()
    client.deliver([21, 3, 3, 0, 2, 2, 40])
    client.shake()
    #expect(client.failure == .alert(TLSAlert(number: 40)))
    #expect(client.failure?.description.contains("handshake_failure") == true)
  }

  @Test func `a close_notify instead of a hello is a hang-up`() throws {
    let client = try End(client: authority.credentials(Name.alice), expecting: [Name.bob])
    client.shake()
    client.deliver([21, 3, 3, 0, 2, 1, 0])
    client.shake()
    #expect(client.failure == .truncated(duringHandshake: true))
  }

  @Test func `a handshake without end is cut off`() throws {
    let server = try End(server: authority.credentials(Name.bob))
    // Records that carry one byte each of a hello announced as huge.
    server.deliver([22, 3, 1, 0, 4, 1, 1, 0, 0])
    for _ in 0..<(TLSLimit.bytesPerHandshake / 6 + 10) where server.failure == nil {
      server.deliver([22, 3, 1, 0, 1, 0])
      server.shake()
    }
    #expect(server.failure != nil)
  }

  @Test func `any byte of the handshake may be changed, to no one's advantage`() throws {
    let alice = try authority.credentials(Name.alice)
    let bob = try authority.credentials(Name.bob)
    for position in stride(from: 0, to: 2_400, by: 13) {
      let pair = try Pair(client: alice, expecting: [Name.bob], server: bob)
      var seen = 0
      func relay(_ from: End, _ to: End) -> Bool {
        var bytes = from.takeOutgoing()
        if bytes.isEmpty { return false }
        if seen <= position && position < seen + bytes.count { bytes[position - seen] ^= 0x20 }
        seen += bytes.count
        to.deliver(bytes)
        to.shake()
        return true
      }
      pair.client.shake()
      while relay(pair.client, pair.server) || relay(pair.server, pair.client) {}
      guard position < seen else { break }
      let areBothDone = pair.client.handshake == .done && pair.server.handshake == .done
      // A record's version field (bytes 1 and 2) is not covered by anything: RFC 8446, 5.1.
      #expect(!areBothDone || position < 3 || pair.client.peerIdentity == id(Name.bob))
    }
  }

  @Test func `any byte of a record may be changed: it is never delivered`() throws {
    let alice = try authority.credentials(Name.alice)
    let bob = try authority.credentials(Name.bob)
    for position in 5..<30 {
      let pair = try Pair(client: alice, expecting: [Name.bob], server: bob)
      pair.connect()
      #expect(pair.client.write(Array("secret".utf8)) == .written(6))
      var record = pair.client.takeOutgoing()
      guard position < record.count else { break }
      record[position] ^= 1
      pair.server.deliver(record)
      guard case .failed(.malformed) = pair.server.read() else {
        Issue.record("byte \(position) was accepted")
        return
      }
      #expect(pair.server.takePlaintext().isEmpty)
      pair.carryAll(pair.server, to: pair.client)
      #expect(pair.client.read() == .failed(.alert(TLSAlert(number: 20))))
    }
  }

  @Test func `a record out of order or twice is refused`() throws {
    let pair = try Pair(authority)
    pair.connect()
    _ = pair.client.write([1])
    let first = pair.client.takeOutgoing()
    pair.server.deliver(first)
    #expect(pair.server.read() == .bytes(1))
    pair.server.deliver(first)
    #expect(
      pair.server.read() == .failed(.malformed(reason: "decryption failed or bad record mac")))
  }
}

@Suite struct `A session ends with close_notify or not at all` {
  let authority: TestAuthority

  init() throws { authority = try TestAuthority(named: "root") }

  @Test func `what was written before the end is read, then the end`() throws {
    let pair = try Pair(authority)
    pair.connect()
    _ = pair.client.write([1, 2])
    pair.client.closeNotify()
    pair.client.closeNotify()
    pair.carryAll(pair.client, to: pair.server)
    #expect(pair.server.read() == .bytes(2))
    #expect(pair.server.read() == .closed)
    #expect(pair.server.read() == .closed)
    #expect(pair.server.session.transportEnded() == nil)
  }

  @Test func `one direction may end while the other goes on`() throws {
    let pair = try Pair(authority)
    pair.connect()
    pair.client.closeNotify()
    pair.carryAll(pair.client, to: pair.server)
    #expect(pair.server.read() == .closed)
    #expect(pair.server.write([1, 2, 3]) == .written(3))
    pair.server.closeNotify()
    pair.carryAll(pair.server, to: pair.client)
    #expect(pair.client.read() == .bytes(3))
    #expect(pair.client.read() == .closed)
    #expect(pair.client.write([1]) == .failed(.closed))
  }

  @Test func `a transport that ends early is a truncation`() throws {
    let pair = try Pair(authority)
    pair.connect()
    _ = pair.client.write([UInt8](repeating: 5, count: 100))
    pair.server.deliver(Array(pair.client.takeOutgoing().dropLast(7)))
    #expect(pair.server.read() == .wantsMore)
    #expect(pair.server.session.transportEnded() == .truncated(duringHandshake: false))
    #expect(pair.server.read() == .failed(.truncated(duringHandshake: false)))
  }

  @Test func `also during the handshake`() throws {
    let pair = try Pair(authority)
    pair.client.shake()
    pair.server.deliver(Array(pair.client.takeOutgoing().dropLast(1)))
    pair.server.shake()
    #expect(pair.server.handshake == .needsMore)
    #expect(pair.server.session.transportEnded() == .truncated(duringHandshake: true))
  }
}
