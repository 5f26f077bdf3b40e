import Glibc
@testable import Linux
import MeshModel
import Testing
import TestSupport

private let address4 = InterfaceAddress(
  linkIndex: Link.loopbackIndex, address: .v4(0x0a09_0002), prefixLength: 24)
private let address6 = InterfaceAddress(
  linkIndex: Link.loopbackIndex, address: .v6(high: 0xfd00_0000_0000_0000, low: 2),
  prefixLength: 64)

@Suite(.needsRoot) struct `A netlink socket` {
  @Test func `sees the links of its own namespace`() throws {
    let namespace = try NetworkNamespace.make()
    let netlink = try Netlink(in: namespace)
    let down = try #require(try netlink.link(named: "lo"))
    #expect(down.index == Link.loopbackIndex && down.isLoopback && !down.isUp)
    #expect(down.maximumTransmissionUnit == 65_536 && down.peerIndex == nil)
    try netlink.setUp(linkIndex: down.index)
    #expect(try netlink.link(named: "lo")?.isUp == true)
    #expect(try netlink.link(named: "eth7") == nil)
  }

  @Test(arguments: [address4, address6])
  func `adds, lists and removes an address`(address: InterfaceAddress) throws {
    let namespace = try makeNamespace()
    let netlink = try Netlink(in: namespace)
    #expect(try netlink.add(address) == .done)
    #expect(try netlink.add(address) == .alreadyThere)
    #expect(try netlink.addresses().contains(address))
    #expect(try netlink.remove(address) == .done)
    #expect(try netlink.remove(address) == .absent)
    #expect(try !netlink.addresses().contains(address))
  }

  @Test(arguments: AddressFamily.allCases)
  func `adds, lists and removes a rule, each once`(family: AddressFamily) throws {
    let namespace = try makeNamespace()
    let netlink = try Netlink(in: namespace)
    let rule = RoutingRule(
      family: family, mark: 0x5ce1_0000, mask: 0xffff_0000, priority: 100, table: 2024)
    #expect(try netlink.remove(rule) == .absent)
    #expect(try netlink.add(rule) == .done)
    #expect(try netlink.add(rule) == .alreadyThere)
    #expect(try netlink.rules(family) == [rule])
    #expect(try netlink.remove(rule) == .done)
    #expect(try netlink.rules(family).isEmpty)
  }

  @Test(arguments: [address4, address6])
  func `adds, changes and removes a local route`(address: InterfaceAddress) throws {
    let namespace = try makeNamespace()
    let netlink = try Netlink(in: namespace)
    let family = AddressFamily(of: address.address)
    let plain = LocalRoute(family: family, table: 2024)
    let sourced = LocalRoute(family: family, table: 2024, preferredSource: address.address)
    #expect(try netlink.remove(plain) == .absent)
    #expect(try netlink.add(plain) == .done)
    #expect(try netlink.add(plain) == .alreadyThere)
    _ = try netlink.add(address)
    #expect(try netlink.add(sourced) == .done)
    #expect(try netlink.localRoutes(family) == [sourced])
    #expect(try netlink.remove(plain) == .done)
    #expect(try netlink.remove(sourced) == .absent)
    #expect(try netlink.localRoutes(family).isEmpty)
  }

  @Test func `refuses with the kernel's words and our subject`() throws {
    let namespace = try makeNamespace()
    let netlink = try Netlink(in: namespace)
    let route = LocalRoute(family: .v4, table: 2024, preferredSource: .v4(0x0102_0304))
    let error = #expect(throws: LinuxError.self) { _ = try netlink.add(route) }
    #expect(error?.isInvalid == true)
    #expect(
      error?.subject == "route v4 local default dev lo table 2024 src 1.2.3.4: "
        + "Invalid prefsrc address")
  }

  @Test func `takes a namespace without IPv6 as it is`() throws {
    let namespace = try makeNamespace()
    try namespace.run { () throws(LinuxError) in
      try Sysctl.write("net/ipv6/conf/lo/disable_ipv6", "1")
    }
    let netlink = try Netlink(in: namespace)
    let rule = RoutingRule(family: .v6, mark: 1, mask: 1, priority: 100, table: 2024)
    #expect(try netlink.add(rule) == .done)
    #expect(try netlink.add(LocalRoute(family: .v6, table: 2024)) == .unsupported)
    #expect(try netlink.remove(LocalRoute(family: .v6, table: 2024)) == .absent)
    #expect(try netlink.add(address6) == .unsupported)
  }

  @Test func `lists more addresses than one datagram holds`() throws {
    let namespace = try makeNamespace()
    let netlink = try Netlink(in: namespace)
    for number in 0..<700 {
      var address = address4
      address.address = .v4(0x0a0a_0000 + UInt32(number))
      _ = try netlink.add(address)
    }
    #expect(try netlink.addresses().filter { $0.prefixLength == 24 }.count == 700)
  }
}

@Suite(.needsRoot) struct `An address monitor` {
  @Test func `tells of what comes and goes in its namespace, and nowhere else`() throws {
    let namespace = try makeNamespace()
    let other = try makeNamespace()
    let monitor = try AddressMonitor(in: namespace)
    #expect(try monitor.read() == .events([]))
    _ = try Netlink(in: other).add(address4)
    let netlink = try Netlink(in: namespace)
    _ = try netlink.add(address4)
    _ = try netlink.add(address6)
    _ = try netlink.remove(address4)
    var seen: [LinkEvent] = []
    // The kernel announces an IPv6 address a little later, from a queue of its own.
    while !seen.contains(.addressChanged(address6)) || !seen.contains(.addressRemoved(address4)) {
      try waitUntil(monitor.number, is: .readable)
      guard case .events(let events) = try monitor.read(), !events.isEmpty else { break }
      seen += events
    }
    #expect(
      seen.filter { $0 != .addressChanged(address6) }
        == [.addressChanged(address4), .addressRemoved(address4)])
    #expect(seen.contains(.addressChanged(address6)))
    #expect(try monitor.read() == .events([]))
  }

  @Test func `tells of links`() throws {
    let namespace = try NetworkNamespace.make()
    let monitor = try AddressMonitor(in: namespace)
    try Netlink(in: namespace).setUp(linkIndex: Link.loopbackIndex)
    guard case .events(let events) = try monitor.read() else {
      Issue.record("overrun")
      return
    }
    let isUp = events.contains {
      if case .linkChanged(let link) = $0 { link.name == "lo" && link.isUp } else { false }
    }
    #expect(isUp)
  }

  @Test func `says when it missed something, and goes on`() throws {
    let namespace = try makeNamespace()
    let monitor = try AddressMonitor(in: namespace)
    let netlink = try Netlink(in: namespace)
    for _ in 0..<2_000 {
      _ = try netlink.add(address4)
      _ = try netlink.remove(address4)
    }
    var hasOverrun = false
    for _ in 0..<100 where try monitor.read() == .overrun { hasOverrun = true }
    #expect(hasOverrun)
    _ = try netlink.add(address4)
    #expect(try monitor.read() == .events([.addressChanged(address4)]))
  }
}

@Suite struct `A netlink datagram` {
  @Test func `is what its parts were`() throws {
    var request = NetlinkRequest(type: 20, flags: 5)
    request.append(UInt32(0x0102_0304))
    request.append(attribute: 3, [UInt8]("eth0") + [0])
    request.append(attribute: 4, 1_500)
    let bytes = request.encoded(sequence: 9) + request.encoded(sequence: 10)
    let all = NetlinkMessage.all(in: bytes.span)
    let messages = try #require(all)
    #expect(messages.map(\.sequence) == [9, 10])
    #expect(messages[1].type == 20 && messages[1].flags == 5)
    let attributes = messages[1].attributes(from: 4)
    #expect(attributes[3].map(text) == "eth0")
    #expect(number(attributes[4]) == 1_500)
  }

  @Test func `with lengths that lie is refused, never read past its end`() {
    var random = SystemRandomNumberGenerator()
    var request = NetlinkRequest(type: RouteNetlink.newAddress, flags: 0)
    for byte: UInt8 in [2, 24, 0, 0, 1, 0, 0, 0] { request.append(byte) }
    request.append(attribute: 1, [10, 0, 0, 1])
    let valid = request.encoded(sequence: 1)
    for _ in 0..<20_000 {
      var bytes = valid
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255)
      }
      bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
      for message in NetlinkMessage.all(in: bytes.span) ?? [] {
        _ = LinkEvent(message)
        _ = RoutingRule(message)
        _ = LocalRoute(message)
        _ = message.failure
      }
    }
  }
}
