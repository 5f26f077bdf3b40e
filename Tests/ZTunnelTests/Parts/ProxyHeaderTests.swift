import MeshModel
import Testing

@testable import ZTunnel

@Suite struct `The PROXY header` {
  static let identity = SPIFFEID(trustDomain: "t", namespace: "n", serviceAccount: "s")
  static let four = SocketAddress(ip: .v4(0x0a00_0001), port: 0x1234)
  static let six = SocketAddress(ip: .v6(high: 0xfd00 << 48, low: 2), port: 80)
  static let signature: [UInt8] = Array("\r\n\r\n\0\r\nQUIT\n".utf8)

  @Test func `names source, destination and identity`() {
    let header = ProxyHeader(
      source: Self.four, destination: SocketAddress(ip: .v4(0x0a60_0001), port: 443),
      identity: Self.identity)
    let text = Array("spiffe://t/ns/n/sa/s".utf8)
    #expect(
      header.bytes == Self.signature + [0x21, 0x11, 0, UInt8(12 + 3 + text.count)]
        + [10, 0, 0, 1, 10, 96, 0, 1, 0x12, 0x34, 1, 0xbb] + [0xd0, 0, UInt8(text.count)] + text)
  }

  @Test func `says nothing of an identity that nobody proved`() {
    let header = ProxyHeader(source: Self.four, destination: Self.four, identity: nil)
    #expect(header.bytes.count == 16 + 12)
    #expect(header.bytes[15] == 12)
  }

  @Test func `writes IPv4 as mapped where the other address is IPv6`() {
    let header = ProxyHeader(source: Self.four, destination: Self.six, identity: nil)
    #expect(header.bytes[13] == 0x21)
    #expect(header.bytes.count == 16 + 36)
    #expect(
      Array(header.bytes[16..<32])
        == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1])
    #expect(Array(header.bytes[32..<34]) == [0xfd, 0])
  }
}
