import FoundationEssentials
import Identity
import Linux
import MeshModel
import Testing

@testable import TLS

/// Numbers that look random and can be had again from their seed.
private struct Noise: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ (state >> 29)
  }
}

@Suite struct `Bytes arrive whole, in order and once` {
  let authority: TestAuthority

  init() throws { authority = try TestAuthority(named: "root") }

  /// The byte at `offset` of the stream; both ends compute it.
  private static func byte(_ offset: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: offset &* 167 &+ offset >> 8)
  }

  @Test(arguments: [1, 2, 3])
  func `64 MiB in pieces of random sizes`(seed: UInt64) throws {
    var noise = Noise(state: seed)
    let pair = try Pair(authority)
    pair.connect()
    let total = 64 << 20
    let source = (0..<(256 * 1024 + 65_536)).map { Self.byte($0) }
    // The stream repeats every 64 KiB, so any stretch of it is a slice of `source`.
    var sent = 0
    var received = 0
    var wrong = 0
    while received < total {
      if sent < total {
        let count = min(total - sent, Int.random(in: 1...256 * 1024, using: &noise))
        let start = sent % 65_536
        #expect(pair.client.write(Array(source[start..<start + count])) == .written(count))
        sent += count
      }
      while pair.client.pendingBytes > 0 {
        var carrier = pair
        carrier.piece = Int.random(in: 1...100_000, using: &noise)
        carrier.carry(pair.client, to: pair.server)
        let limit = Int.random(in: 1...128 * 1024, using: &noise)
        while case .bytes(let count) = pair.server.read(atMost: limit) {
          let start = received % 65_536
          if pair.server.takePlaintext() != Array(source[start..<start + count]) { wrong += 1 }
          received += count
        }
      }
    }
    #expect(received == total)
    #expect(wrong == 0)
    #expect(pair.server.failure == nil)
  }

  @Test func `one write takes at most 256 KiB and says so`() throws {
    let pair = try Pair(authority)
    pair.connect()
    let large = [UInt8](repeating: 1, count: TLSLimit.bytesPerWrite + 1)
    #expect(pair.client.write(large) == .written(TLSLimit.bytesPerWrite))
    #expect(
      pair.client.pendingBytes
        == TLSLimit.bytesPerWrite + 16 * TLSLimit.bytesAroundRecord)
  }

  @Test func `one read takes all records at hand, up to its limit`() throws {
    let pair = try Pair(authority)
    pair.connect()
    for _ in 0..<100 { _ = pair.client.write([UInt8](repeating: 3, count: 1_000)) }
    pair.carryAll(pair.client, to: pair.server)
    #expect(pair.server.read(atMost: 70_001) == .bytes(70_001))
    #expect(pair.server.read(atMost: 70_001) == .bytes(29_999))
    #expect(pair.server.read(atMost: 70_001) == .wantsMore)
  }

  @Test func `incoming is taken whole, also a part of a record`() throws {
    let pair = try Pair(authority)
    pair.connect()
    _ = pair.client.write([UInt8](repeating: 3, count: 20_000))
    let bytes = pair.client.takeOutgoing()
    pair.server.deliver(Array(bytes.prefix(12_345)))
    #expect(pair.server.read() == .wantsMore)
    #expect(pair.server.unreadBytes == 0)
    pair.server.deliver(Array(bytes.dropFirst(12_345)))
    #expect(pair.server.read() == .bytes(20_000))
  }

  @Test func `an empty write seals nothing`() throws {
    let pair = try Pair(authority)
    pair.connect()
    #expect(pair.client.write([]) == .written(0))
    #expect(pair.client.pendingBytes == 0)
  }

  @Test func `writing from a buffer consumes what was sealed`() throws {
    let pair = try Pair(authority)
    pair.connect()
    pair.client.plaintext.append(contentsOf: [UInt8](repeating: 1, count: 300_000))
    #expect(pair.client.writePlaintext() == .written(TLSLimit.bytesPerWrite))
    #expect(pair.client.writePlaintext() == .written(300_000 - TLSLimit.bytesPerWrite))
    #expect(pair.client.writePlaintext() == .written(0))
  }

  @Test func `the first bytes may come with the last of the handshake`() throws {
    let pair = try Pair(authority)
    pair.client.shake()
    pair.carryAll(pair.client, to: pair.server)
    pair.server.shake()
    pair.carryAll(pair.server, to: pair.client)
    pair.client.shake()
    #expect(pair.client.handshake == .done)
    #expect(pair.client.write([1, 2, 3]) == .written(3))
    pair.carryAll(pair.client, to: pair.server)
    pair.server.shake()
    #expect(pair.server.handshake == .done)
    #expect(pair.server.read() == .bytes(3))
  }
}
