import MeshModel
import Testing

@testable import HBONE

private typealias Fault = ConnectAuthority.ParseError

@Suite struct `CONNECT authorities` {
  @Test(arguments: [
    ("10.0.0.7:8080", "10.0.0.7:8080"), ("[fd00::7]:1", "[fd00::7]:1"),
    ("[FD00:0:0::7]:65535", "[fd00::7]:65535"), ("[::ffff:10.0.0.7]:80", "10.0.0.7:80"),
    ("Reviews.shop.svc.cluster.local:9080", "reviews.shop.svc.cluster.local:9080"),
    ("a_b-c.d.:80", "a_b-c.d:80"), ("1a.2b:80", "1a.2b:80"),
  ])
  func `are read and written`(text: String, written: String) throws {
    let authority = try ConnectAuthority(parsing: text)
    #expect("\(authority)" == written)
  }

  @Test func `an address is one to dial, a name is not`() throws {
    let address = SocketAddress(ip: .v4(0x0a00_0007), port: 80)
    #expect(try ConnectAuthority(parsing: "10.0.0.7:80").socketAddress == address)
    #expect(try ConnectAuthority(parsing: "a:80").socketAddress == nil)
  }

  @Test(
    arguments: [
      ("", .empty), ("10.0.0.7", .portMissing), ("10.0.0.7:", .portMissing),
      ("[fd00::7]", .portMissing),
      (":80", .hostInvalid("")), ("10.0.0.7:0", .portInvalid("0")),
      ("10.0.0.7:080", .portInvalid("080")), ("10.0.0.7:65536", .portInvalid("65536")),
      ("10.0.0.7:+80", .portInvalid("+80")), ("10.0.0.7: 80", .portInvalid(" 80")),
      ("10.0.0.7:8٣", .portInvalid("8٣")), ("fd00::7:80", .hostInvalid("fd00::7")),
      ("[10.0.0.7]:80", .hostInvalid("[10.0.0.7]")), ("[fd00::7:80", .hostInvalid("[fd00::7")),
      ("[fd00::7%eth0]:80", .hostInvalid("[fd00::7%eth0]")),
      ("10.0.0.256:80", .hostInvalid("10.0.0.256")),
      ("10.0.7:80", .hostInvalid("10.0.7")), ("a..b:80", .hostInvalid("a..b")),
      ("-a:80", .hostInvalid("-a")), ("a-:80", .hostInvalid("a-")), (".:80", .hostInvalid(".")),
      ("user@a:80", .hostInvalid("user@a")), ("http://a:80", .hostInvalid("http://a")),
      ("a/b:80", .hostInvalid("a/b")), ("a b:80", .hostInvalid("a b")), ("ä:80", .hostInvalid("ä")),
      ("a\0b:80", .hostInvalid("a\0b")),
    ] as [(String, ConnectAuthority.ParseError)])
  func `that are wrong say how`(text: String, fault: ConnectAuthority.ParseError) {
    #expect(throws: fault) { try ConnectAuthority(parsing: text) }
  }

  @Test func `a name has bounds`() throws {
    let label = String(repeating: "a", count: 63)
    let longest = "\(label).\(label).\(label).\(String(repeating: "b", count: 61))"
    #expect(try ConnectAuthority(parsing: "\(longest).:65535").host == .name(longest))
    #expect(throws: Fault.hostInvalid("\(longest)b")) {
      try ConnectAuthority(parsing: "\(longest)b:80")
    }
    #expect(throws: Fault.hostInvalid("\(label)a")) {
      try ConnectAuthority(parsing: "\(label)a:80")
    }
    #expect(throws: Fault.tooLong(byteCount: 1_000)) {
      try ConnectAuthority(parsing: String(repeating: "a", count: 1_000))
    }
  }
}
