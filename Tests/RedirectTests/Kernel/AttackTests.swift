import Linux
import Redirect
import Testing

/// One way out of a pod that does not ask for ztunnel.
///
/// Source: redirection.md, table 2.4.
struct Attack: CustomTestStringConvertible, Sendable {
  /// What becomes of it in an enrolled pod.
  enum Fate { case captured, blocked, denied }

  var says: String
  /// `dial` and its options, or a kind of `attack.py`.
  var program: [String]
  var families = Family.allCases
  var fate: Fate

  var testDescription: String { says }

  static let connections: [Attack] = [
    dial("a plain connection", []),
    dial("a non-blocking connection", ["nonblocking"]),
    dial("a connection by io_uring", ["uring"]),
    dial("data in the SYN (TCP Fast Open)", ["tfo"]),
    dial("a multipath connection (MPTCP)", ["mptcp"]),
    dial("a socket with a mark of its own", ["mark=0x539"]),
    dial("a socket with our mark", ["mark=0x5ce10000"]),
    dial("a socket bound to the outer interface", ["device=eth0"]),
  ]

  static let packets: [Attack] = [
    packet("a SYN of a raw socket", "raw-syn"),
    packet("a SYN of a raw socket with its own IP header", "raw-header"),
    packet("data of a raw socket", "raw-data"),
    packet("a SYN of a packet socket", "packet-syn"),
    packet("data of a packet socket", "packet-data"),
    packet("a whole frame of a packet socket", "packet-raw-data"),
    Attack(
      says: "data of a packet socket that bypasses tc", program: ["packet-bypass"], fate: .denied),
    packet("a SYN in two fragments", "packet-fragments"),
    packet("data behind IPv4 options", "packet-options", [.v4]),
    packet("data that the IP header denies", "packet-length-lie", [.v4]),
    packet("data behind a hop-by-hop header", "packet-hop-by-hop", [.v6]),
    packet("data behind destination options", "packet-destination-options", [.v6]),
    packet("data behind a VLAN tag", "packet-vlan"),
    packet("data behind two VLAN tags", "packet-qinq"),
    packet("data under an unknown ethertype", "packet-unknown", [.v4]),
  ]

  private static func dial(_ says: String, _ options: [String]) -> Attack {
    Attack(says: says, program: ["dial"] + options, fate: .captured)
  }

  private static func packet(
    _ says: String, _ kind: String, _ families: [Family] = Family.allCases
  ) -> Attack {
    Attack(says: says, program: [kind], families: families, fate: .blocked)
  }
}

extension Town {
  /// What the peer sees of an attack from this house.
  ///
  /// A segment without data, SYN and FIN is the kernel's own answer, which may leave.
  func leak(
    of attack: [String], from house: borrowing House, _ family: Family,
    group: ControlGroup? = nil, interface: String = "eth0", countsBareControl: Bool = false
  ) throws -> [String] {
    try sniffed()
    let port = freshPort()
    if attack.first == "dial" {
      let options = ["port=\(port)", "bind=\(house.address(family))", "timeout=0.5"]
      _ = try dial(
        peer.address(family), 9000, options + attack.dropFirst(), from: house, group: group)
    } else {
      let program = try Program(
        "attack.py",
        attack + [house.address(family), peer.address(family), "9000", "\(port)", interface],
        in: house.namespace, group: group ?? groups.pod)
      _ = try program.line()
    }
    return try sniffed().filter { seen in
      (seen.hasPrefix("\(house.address(family)) ") || seen.hasPrefix("?"))
        && (countsBareControl || !seen.contains("bare control"))
    }
  }
}

extension Town {
  func attack(_ kind: String, from house: borrowing House) throws -> Report {
    let program = try Program(
      "attack.py", [kind, "\(house.v4)", "\(peer.v4)", "9000", "50000", "eth0"],
      in: house.namespace, group: groups.pod)
    return try program.line()
  }
}

/// Each row: the control shows that the sniffer does see the attack when nobody captures it.
private func judge(_ attack: Attack, _ family: Family) throws {
  guard attack.families.contains(family) else { return }
  let town = try #require(Town.current)
  let seen = try town.leak(of: attack.program, from: town.bare, family)
  #expect(!seen.isEmpty, "the sniffer sees nothing without redirection: the test proves nothing")

  let before = try town.redirection.counters(of: Town.uid)
  let leaked = try town.leak(of: attack.program, from: town.pod, family)
  #expect(leaked == [])
  let after = try town.redirection.counters(of: Town.uid)
  switch attack.fate {
  case .captured:
    #expect(after.givenOutbound > before.givenOutbound)
  case .denied:
    // The socket was refused the option: no packet was made.
    #expect(after.looped == before.looped)
  case .blocked:
    let dropped = { (c: RedirectionCounters) in
      c.droppedOrphan + c.droppedProtocol + c.droppedMalformed
    }
    // Dropped, or looped into the pod where nobody takes it.
    #expect(dropped(after) > dropped(before) || after.looped > before.looped)
  }
}

extension Kernel {
  @Suite(.serialized, .town(.tcx)) struct `No byte gets past tcx by` {
    @Test(arguments: Attack.connections, Family.allCases)
    func `connecting`(attack: Attack, family: Family) throws { try judge(attack, family) }

    @Test(arguments: Attack.packets, Family.allCases)
    func `writing packets`(attack: Attack, family: Family) throws { try judge(attack, family) }

    @Test(arguments: Family.allCases)
    func `a process of another cgroup`(family: Family) throws {
      let town = try #require(Town.current)
      let other = town.groups.other
      #expect(try !town.leak(of: ["dial"], from: town.bare, family, group: other).isEmpty)
      #expect(try town.leak(of: ["dial"], from: town.pod, family, group: other) == [])
    }
  }

  @Suite(.serialized, .town(.clsact)) struct `No byte gets past clsact by` {
    @Test(arguments: Attack.connections, Family.allCases)
    func `connecting`(attack: Attack, family: Family) throws { try judge(attack, family) }

    @Test(arguments: Attack.packets, Family.allCases)
    func `writing packets`(attack: Attack, family: Family) throws { try judge(attack, family) }
  }

  @Suite(.serialized, .town()) struct `A socket of an enrolled pod` {
    @Test func `may not write past tc by AF_XDP, which others may`() throws {
      let town = try #require(Town.current)
      let open = try town.attack("xdp-ring", from: town.bare)
      // A kernel without AF_XDP has nothing to deny.
      guard open.error != "OSError" else { return }
      #expect(open.sent == true)
      #expect(try town.attack("xdp-ring", from: town.pod).error == "PermissionError")
    }

    @Test func `may set every other option, however long`() throws {
      let town = try #require(Town.current)
      #expect(try town.attack("long-option", from: town.bare).error == "OSError")
      #expect(try town.attack("long-option", from: town.pod).error == "OSError")
      let report = try town.dial("\(town.peer.v4)", 9000, ["mark=0x7"], from: town.pod)
      #expect(report.outcome == "ok")
    }
  }

  @Suite(.serialized, .town()) struct `What stays open, and is said to` {
    @Test(arguments: ["udp", "raw-reset", "raw-ack"], Family.allCases)
    func `datagrams and bare control segments leave`(kind: String, family: Family) throws {
      let town = try #require(Town.current)
      let seen = try town.leak(of: [kind], from: town.pod, family, countsBareControl: true)
      #expect(!seen.isEmpty)
    }

    @Test(arguments: Family.allCases)
    func `queries leave while ztunnel has no DNS socket`(family: Family) throws {
      let town = try #require(Town.current)
      let before = try town.redirection.counters(of: Town.uid)
      let program = try Program(
        "attack.py",
        ["udp", town.pod.address(family), town.peer.address(family), "53", "50000", "eth0"],
        in: town.pod.namespace, group: town.groups.pod)
      #expect(try program.line().sent == true)
      let after = try town.redirection.counters(of: Town.uid)
      #expect(after.passedDNS > before.passedDNS)
      #expect(after.looped == before.looped)
    }

    @Test(arguments: Family.allCases)
    func `echo requests are answered`(family: Family) throws {
      let town = try #require(Town.current)
      let program = try Program(
        "attack.py",
        ["echo", town.pod.address(family), town.peer.address(family), "0", "0", "eth0"],
        in: town.pod.namespace, group: town.groups.pod)
      #expect(try program.line().sent == true)
    }
  }
}
