import MeshModel
import Testing

/// A text and what reading and writing it back gives; nil when it is no address.
struct AddressRow: CustomTestStringConvertible, Sendable {
  var text: String
  var written: String?
  var testDescription: String { written.map { "\(text) reads as \($0)" } ?? "\(text) is refused" }

  init(_ text: String, _ written: String?) {
    self.text = text
    self.written = written
  }
}

@Suite struct `Addresses are read strictly and written one way` {
  static let ips = [
    AddressRow("10.0.0.7", "10.0.0.7"), AddressRow("0.0.0.0", "0.0.0.0"),
    AddressRow("255.255.255.255", "255.255.255.255"), AddressRow("::", "::"),
    AddressRow("::1", "::1"), AddressRow("FD00::A", "fd00::a"),
    AddressRow("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
    AddressRow("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    AddressRow("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    AddressRow("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
    AddressRow("64:ff9b::1.2.3.4", "64:ff9b::102:304"), AddressRow("::ffff:1.2.3.4", "1.2.3.4"),
    AddressRow("0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"),
    AddressRow("", nil), AddressRow("10.0.0", nil), AddressRow("10.0.0.0.1", nil),
    AddressRow("10.0.0.256", nil), AddressRow("10.0.0.07", nil), AddressRow("10.0.0.-1", nil),
    AddressRow("10.0.0.+1", nil), AddressRow("10.0.0. 1", nil), AddressRow("10.0.0.1\0", nil),
    AddressRow("10.0.0.1\u{301}", nil), AddressRow("10.0.0.\u{661}", nil),
    AddressRow("0x0a.0.0.1", nil),
    AddressRow(":", nil), AddressRow(":::", nil), AddressRow("1::2::3", nil),
    AddressRow("1:2:3:4:5:6:7", nil),
    AddressRow("1:2:3:4:5:6:7:8:9", nil), AddressRow("1:2:3:4:5:6:7:8::", nil),
    AddressRow(":1:2:3:4:5:6:7:8", nil),
    AddressRow("12345::", nil), AddressRow("::g", nil), AddressRow("::-0", nil),
    AddressRow("::+1", nil),
    AddressRow("1.2.3.4::", nil), AddressRow("::1.2.3.4:5", nil), AddressRow("fe80::1%eth0", nil),
    AddressRow("[::1]", nil), AddressRow("::1/128", nil),
    AddressRow("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", nil),
  ]

  @Test(arguments: ips)
  func `an IP address`(row: AddressRow) {
    #expect(IPAddress(row.text)?.description == row.written)
  }

  static let sockets = [
    AddressRow("10.0.0.7:80", "10.0.0.7:80"), AddressRow("[fd00::7]:65535", "[fd00::7]:65535"),
    AddressRow("[::ffff:10.0.0.7]:1", "10.0.0.7:1"),
    AddressRow("10.0.0.7", nil), AddressRow("10.0.0.7:", nil), AddressRow("10.0.0.7:0", nil),
    AddressRow("10.0.0.7:65536", nil), AddressRow("10.0.0.7:080", nil),
    AddressRow("10.0.0.7:+80", nil),
    AddressRow("[10.0.0.7]:80", nil), AddressRow("fd00::7:80", nil), AddressRow("[fd00::7]80", nil),
    AddressRow("[fd00::7:80", nil), AddressRow("[]:80", nil), AddressRow(":80", nil),
    AddressRow("shop:80", nil), AddressRow("[fe80::1%lo]:80", nil), AddressRow("10.0.0.7:80 ", nil),
    AddressRow("10.0.0.7:99999999999999999999", nil), AddressRow("", nil),
  ]

  @Test(arguments: sockets)
  func `an address and a port`(row: AddressRow) {
    #expect(SocketAddress(row.text)?.description == row.written)
  }

  static let blocks = [
    AddressRow("10.0.0.0/8", "10.0.0.0/8"), AddressRow("10.0.0.7", "10.0.0.7/32"),
    AddressRow("0.0.0.0/0", "0.0.0.0/0"), AddressRow("::/0", "::/0"),
    AddressRow("fd00::1", "fd00::1/128"),
    AddressRow("::ffff:10.0.0.0/104", "10.0.0.0/8"), AddressRow("::ffff:10.0.0.7", "10.0.0.7/32"),
    AddressRow("::ffff:10.0.0.0/24", nil), AddressRow("10.0.0.0/33", nil),
    AddressRow("fd00::/129", nil),
    AddressRow("10.0.0.0/", nil), AddressRow("10.0.0.0/-1", nil), AddressRow("10.0.0.0/08", nil),
    AddressRow("10.0.0.0/8/8", nil), AddressRow("/8", nil), AddressRow("10.0.0.0/255.0.0.0", nil),
    AddressRow("10.0.0/8", nil), AddressRow("", nil),
  ]

  @Test(arguments: blocks)
  func `a block of addresses`(row: AddressRow) {
    #expect(CIDR(row.text)?.description == row.written)
  }

  @Test(arguments: [
    ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
    ("10.0.0.7", "10.0.0.7", true), ("10.0.0.7", "10.0.0.8", false),
    ("10.0.0.6/31", "10.0.0.7", true), ("0.0.0.0/0", "203.0.113.9", true),
    ("0.0.0.0/0", "::1", false), ("::/0", "10.0.0.1", false), ("::/0", "2001:db8::1", true),
    ("fd00::/8", "fd12::1", true), ("fd00::/8", "fe00::1", false),
    ("2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true),
    ("2001:db8::/64", "2001:db8:0:1::", false), ("2001:db8::4/126", "2001:db8::7", true),
    ("2001:db8::4/126", "2001:db8::8", false), ("2001:db8::4/65", "2001:db8:0:0:8000::", false),
    ("10.1.2.3/8", "10.9.9.9", true), ("10.0.0.0/8", "::ffff:10.1.1.1", true),
  ])
  func `a block contains what shares its prefix`(block: String, ip: String, isInside: Bool) throws {
    let block = try #require(CIDR(block))
    let ip = try #require(IPAddress(ip))
    #expect(block.contains(ip) == isInside)
  }

  @Test func `bytes and text name one address`() throws {
    for text in ["10.0.0.7", "2001:db8::7", "::1", "::"] {
      let ip = try #require(IPAddress(text))
      #expect(IPAddress(bytes: ip.bytes) == ip)
    }
    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 7]
    #expect(IPAddress(bytes: mapped) == IPAddress("10.0.0.7"))
    #expect(IPAddress(bytes: [10, 0, 0]) == nil)
  }
}
