import COpenSSL
import Identity
import MeshModel
import Testing

@testable import TLS

@Suite struct `A peer of another make` {
  let authority: TestAuthority
  let alice: Credentials
  let bob: Credentials

  init() throws {
    authority = try TestAuthority(named: "root")
    alice = try authority.credentials(Name.alice)
    bob = try authority.credentials(Name.bob)
  }

  private func client(_ change: (inout RawPeer.Manners) -> Void = { _ in }) throws -> RawPeer {
    var manners = RawPeer.Manners()
    manners.identity = try authority.identity(Name.alice)
    change(&manners)
    return try RawPeer(manners)
  }

  private func server(_ change: (inout RawPeer.Manners) -> Void = { _ in }) throws -> RawPeer {
    var manners = RawPeer.Manners()
    manners.isServer = true
    manners.identity = try authority.identity(Name.bob)
    change(&manners)
    return try RawPeer(manners)
  }

  @Test func `is served when it keeps the rules`() throws {
    let peer = try client()
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .done)
    #expect(end.peerIdentity == id(Name.alice))
    peer.write([1, 2, 3])
    end.deliver(peer.takeOutgoing())
    #expect(end.read() == .bytes(3))
    #expect(end.write([4, 5]) == .written(2))
    peer.deliver(end.takeOutgoing())
    #expect(peer.read() == [4, 5])
  }

  @Test func `is served over P-256 alone`() throws {
    let peer = try client { $0.groups = "P-256" }
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .done)
  }

  @Test func `is refused without a certificate`() throws {
    let peer = try client { $0.identity = nil }
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .failed(.peerSentNoCertificate))
    #expect(peer.readAlert() == 116)
  }

  @Test func `is refused with TLS 1.2 as a client`() throws {
    let peer = try client { $0.versions = TLS1_2_VERSION...TLS1_2_VERSION }
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .failed(.protocolVersion))
    #expect(peer.readAlert() == 70)
  }

  @Test func `is refused with TLS 1.2 as a server`() throws {
    let peer = try server { $0.versions = TLS1_2_VERSION...TLS1_2_VERSION }
    let end = try End(client: alice, expecting: [Name.bob])
    peer.connect(with: end)
    #expect(end.handshake == .failed(.alert(TLSAlert(number: 70))))
  }

  @Test func `is refused without ALPN as a client`() throws {
    let peer = try client { $0.protocols = nil }
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .failed(.noCommonApplicationProtocol))
    #expect(peer.readAlert() == 120)
  }

  @Test(
    arguments: [
      [8, 0x68, 0x74, 0x74, 0x70, 0x2f, 0x31, 0x2e, 0x31], [2, 0x68, 0x33], [1, 0x68],
      [3, 0x68, 0x32, 0x63],
    ] as [[UInt8]])
  func `is refused with other protocols only`(protocols: [UInt8]) throws {
    let peer = try client { $0.protocols = protocols }
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .failed(.noCommonApplicationProtocol))
    #expect(peer.readAlert() == 120)
  }

  @Test func `is served when h2 is one of several`() throws {
    let peer = try client { $0.protocols = [2, 0x68, 0x33, 2, 0x68, 0x32] }
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .done)
  }

  @Test func `is refused without ALPN as a server, before our certificate is sent`() throws {
    let peer = try server { $0.protocols = nil }
    let end = try End(client: alice, expecting: [Name.bob])
    peer.connect(with: end)
    #expect(end.handshake == .failed(.noCommonApplicationProtocol))
    #expect(peer.readAlert() == 42)
  }

  @Test func `is refused with no group in common`() throws {
    let peer = try client { $0.groups = "P-384" }
    let end = try End(server: bob)
    peer.connect(with: end)
    #expect(end.handshake == .failed(.noCommonParameters))
  }

  @Test func `may send a few tickets, which lead nowhere`() throws {
    let peer = try server { $0.tickets = 2 }
    let end = try End(client: alice, expecting: [Name.bob])
    peer.connect(with: end)
    #expect(end.handshake == .done)
    peer.write([9])
    end.deliver(peer.takeOutgoing())
    #expect(end.read() == .bytes(1))
  }

  @Test func `is cut off when it sends tickets without end`() throws {
    let peer = try server()
    let end = try End(client: alice, expecting: [Name.bob])
    peer.connect(with: end)
    for _ in 0..<100 { peer.sendTicket() }
    end.deliver(peer.takeOutgoing())
    #expect(end.read() == .failed(.messageFlood))
  }

  @Test(arguments: [false, true])
  func `may change keys now and then`(isAnswered: Bool) throws {
    let peer = try client()
    let end = try End(server: bob)
    peer.connect(with: end)
    for round in 0..<10 {
      peer.updateKeys(askingForMore: isAnswered)
      peer.write([UInt8(round)])
      end.deliver(peer.takeOutgoing())
      #expect(end.read() == .bytes(1))
      #expect(end.takePlaintext() == [UInt8(round)])
      #expect(end.write([UInt8(round)]) == .written(1))
      peer.deliver(end.takeOutgoing())
      #expect(peer.read() == [UInt8(round)])
    }
  }

  @Test(arguments: [false, true])
  func `is cut off when it changes keys without end`(isAnswered: Bool) throws {
    let peer = try client()
    let end = try End(server: bob)
    peer.connect(with: end)
    for _ in 0..<200 { peer.updateKeys(askingForMore: isAnswered) }
    end.deliver(peer.takeOutgoing())
    #expect(end.read() == .failed(.messageFlood))
    #expect(end.takeOutgoing().count < 4_096)
  }

  @Test func `pays for key changes with plaintext`() throws {
    let peer = try client()
    let end = try End(server: bob)
    peer.connect(with: end)
    let megabyte = [UInt8](repeating: 7, count: TLSLimit.bytesPerMessage)
    for _ in 0..<(TLSLimit.messagesInAdvance + 8) {
      peer.updateKeys(askingForMore: false)
      peer.write(megabyte)
      end.deliver(peer.takeOutgoing())
      while case .bytes = end.read() { _ = end.takePlaintext() }
      #expect(end.failure == nil)
    }
  }
}
