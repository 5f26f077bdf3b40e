import Glibc
import Linux
import MeshModel
import Redirect
import Testing

extension Kernel {
  /// Source: redirection.md, list 4; the numbers are the list's.
  @Suite struct `Hazards` {
    @Test(arguments: Family.allCases)
    func `2: a pod reaches itself by its own address and by loopback`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        for address in [town.pod.address(family), family == .v4 ? "127.0.0.1" : "::1"] {
          let report = try town.dial(address, 8080, from: town.pod)
          #expect(report.outcome == "ok")
          #expect(report.banner?.peer?.address == address)
        }
        let counters = try town.redirection.counters(of: Town.uid)
        #expect(counters.leftLocal > 0)
        #expect(counters.givenInbound + counters.givenOutbound == 0)
      }
    }

    @Test func `4: nobody joins the group of ztunnel's listener`() throws {
      try withTown { town in
        let standIn = try town.enrol(["--reuseport"])
        let port = try Socket(town.keptListeners[1].descriptor.duplicate()).localAddress().port
        let thief = try town.start(
          "steal.py", ["127.0.0.1", "\(port)"], in: town.pod.namespace, town.groups.pod)
        let report = try town.dial("\(town.pod.v4)", 8080, ["times=60"], from: town.peer)
        #expect(report.failures == 0)
        try thief.send(.user1)
        #expect(try thief.line().count == 0)
        _ = try standIn.connection("inbound4")
      }
    }

    @Test(arguments: Family.allCases)
    func `6: an address that comes is known, one that goes is forgotten`(family: Family) throws {
      try withTown { town in
        let standIn = try town.enrol()
        let (text, length) = family == .v4 ? ("10.77.0.9", 24) : ("fd77::9", 64)
        let address = try #require(IPAddress(text))
        let change = { (verb: String) in
          try town.shell(
            "ip address \(verb) \(text)/\(length) dev eth0 \(family == .v6 ? "nodad" : "")",
            in: town.pod.namespace)
        }
        try change("add")
        let before = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(before.unknownAddresses == [address])
        try town.redirection.follow(Town.uid, namespace: town.pod.namespace)
        let report = try town.dial(text, 8080, from: town.peer)
        #expect(report.outcome == "ok")
        #expect(report.banner?.peer?.address == town.peer.address(family))
        #expect(try standIn.connection(family == .v4 ? "inbound4" : "inbound6").to?.address == text)

        try change("del")
        try town.redirection.follow(Town.uid, namespace: town.pod.namespace)
        #expect(try !town.redirection.facts(of: Town.uid).addresses.contains(address))
        let after = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(after.objections == [])
      }
    }

    @Test(arguments: Family.allCases)
    func `8: the kernel's reset to a stranger leaves`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        try town.sniffed()
        // An ACK out of nowhere, which no listener takes for the start of a connection.
        try town.sendStrayACK(family, to: 50_002, from: 50_001)
        #expect(try town.sniffed() == ["\(town.pod.address(family)) bare control 0x4"])
      }
    }

    @Test(arguments: Family.allCases)
    func `8: the acknowledgement of a connection in TIME_WAIT leaves`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        let report = try town.dial(town.peer.address(family), 9000, from: town.pod)
        let ended = try #require(report.banner?.peer?.port)
        pause(.milliseconds(50))
        let before = try town.redirection.counters(of: Town.uid).passedControl
        try town.sendStrayACK(family, to: ended, from: 9000)
        #expect(try town.redirection.counters(of: Town.uid).passedControl > before)
      }
    }

    @Test func `7: SYN cookies of ztunnel's listener and of the application arrive`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        try town.shell("sysctl -qw net.ipv4.tcp_syncookies=2", in: town.pod.namespace)
        for family in Family.allCases {
          let report = try town.dial(town.pod.address(family), 8080, from: town.peer)
          #expect(report.outcome == "ok")
          #expect(try standIn.connection(family == .v4 ? "inbound4" : "inbound6").dial == "ok")
          let out = try town.dial(town.peer.address(family), 9000, from: town.pod)
          #expect(out.outcome == "ok")
        }
      }
    }

    @Test func `10: pins keep no namespace alive, and are removed after it`() throws {
      try withTown { town in
        let uid = "gone"
        do {
          let house = try NetworkNamespace.make()
          try town.shell(
            "ip link add gone type veth peer name eth0 netns /proc/\(CurrentProcess.id)/fd/\(house.number)",
            in: town.host.namespace)
          try town.shell("ip link set lo up; ip link set eth0 up", in: house)
          let sockets = try ownListeners(in: house)
          let listeners = try #require(PodListeners(sockets.map(\.number)))
          try town.redirection.enrol(
            PodRedirection(uid: uid, addresses: []), namespace: house, listeners: listeners)
        }
        for _ in 0..<100 where try town.hostHasLink("gone") { pause(.milliseconds(20)) }
        #expect(try !town.hostHasLink("gone"))
        let facts = try town.redirection.facts(of: uid)
        #expect(facts.lookupNamespaceInode == 0)
        #expect(facts.listeners.allSatisfy { !$0 })
        try town.redirection.release(uid)
        #expect(try town.redirection.enrolledPods() == [])
      }
    }

    @Test func `11: a destroyed listener refuses, and its successor serves`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        let port = try Socket(town.keptListeners[1].descriptor.duplicate()).localAddress().port
        try town.shell(
          "ss -K -t state listening '( sport = :\(port) )' > /dev/null", in: town.pod.namespace)
        #expect(try standIn.program.line { $0.accept != nil }.accept == EINVAL)
        let successors = try standIn.takeListeners()
        #expect(
          try town.dial("\(town.pod.v4)", 8080, from: town.peer).outcome
            == "ConnectionRefusedError")
        try town.redirection.updateListeners(
          of: Town.uid, to: try #require(PodListeners(successors.map(\.number))))
        #expect(try town.dial("\(town.pod.v4)", 8080, from: town.peer).outcome == "ok")
      }
    }

    @Test(arguments: Family.allCases)
    func `12: a connection from before the enrolment is reset by its next packet`(
      family: Family
    ) throws {
      try withTown { town in
        let client = try Program(
          "dial.py", [town.peer.address(family), "9000", "hold"], in: town.pod.namespace,
          group: town.groups.pod)
        #expect(try client.line().outcome == "ok")
        try town.enrol()
        try town.sniffed()
        try client.send(.user1)
        #expect(try client.line().error == "ConnectionResetError")
      }
    }

    @Test func `13: marks of others keep their bits`() throws {
      #expect(RedirectConstants.mark & ~RedirectConstants.markMask == 0)
      #expect(RedirectConstants.markMask & 0xffff == 0, "the low half is other people's")
    }

    @Test func `16: a second interface is captured, and one that comes later too`() throws {
      try withTown { town in
        try town.addLink("first", network: 78)
        let standIn = try town.enrol()
        try town.addLink("second", network: 79)
        let evidence = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(evidence.openInterfaces == ["second"])
        try town.redirection.follow(Town.uid, namespace: town.pod.namespace)
        for network in [78, 79] {
          let report = try town.dial("10.\(network).0.3", 9000, from: town.pod)
          #expect(report.outcome == "ok")
          #expect(try standIn.connection("outbound4").to?.address == "10.\(network).0.3")
          let into = try town.dial("10.\(network).0.2", 8080, from: town.peer)
          #expect(into.outcome == "ok")
          #expect(try standIn.connection("inbound4").to?.address == "10.\(network).0.2")
        }
      }
    }

    @Test func `16: an interface without Ethernet headers is captured`() throws {
      try withTown { town in
        let tunnel = try town.start(
          "tunnel.py", ["tun7", "10.80.0.1/24"], in: town.pod.namespace, town.groups.other)
        let standIn = try town.enrol()
        let client = try Program(
          "dial.py", ["10.80.0.7", "9000", "port=50500", "timeout=0.3"], in: town.pod.namespace,
          group: town.groups.pod)
        #expect(try standIn.connection("outbound4").to?.address == "10.80.0.7")
        _ = try client.line()
        // What the tunnel carries is ztunnel's own dial.
        #expect(try tunnel.line().count != 50_500)
      }
    }

    @Test func `17: the node's own namespace is never enrolled`() throws {
      try withTown { town in
        let own = try NetworkNamespace.current()
        let listeners = try #require(PodListeners([0, 0, 0]))
        #expect(throws: RedirectError.ownNamespace(uid: "host")) {
          try town.redirection.enrol(
            PodRedirection(uid: "host", addresses: []), namespace: own, listeners: listeners)
        }
      }
    }
  }
}

/// Listeners of this process, for a pod nobody dials.
func ownListeners(in namespace: borrowing NetworkNamespace) throws -> [SharedDescriptor] {
  var listeners: [SharedDescriptor] = []
  for address in [IPAddress.v4(0x7f00_0001), .v6(high: 0, low: 1)] {
    for _ in 0..<3 {
      let socket = try namespace.run { () throws(LinuxError) in
        try Socket.listener(on: SocketAddress(ip: address, port: 0), isTransparent: true)
      }
      listeners.append(SharedDescriptor(socket.takeDescriptor()))
    }
  }
  return listeners
}

extension Town {
  func hostHasLink(_ name: String) throws -> Bool {
    try Netlink(in: host.namespace).link(named: name) != nil
  }

  /// Sends the pod an acknowledgement of nothing, and waits for the answer.
  func sendStrayACK(_ family: Family, to port: UInt16, from source: UInt16) throws {
    let stray = try Program(
      "attack.py",
      ["raw-ack", peer.address(family), pod.address(family), "\(port)", "\(source)", "eth0"],
      in: peer.namespace, group: groups.other)
    try #require(try stray.line().sent == true)
    pause(.milliseconds(50))
  }

  /// A second way from the pod to the peer: 10.<network>.0.2 and .3.
  func addLink(_ name: String, network: Int) throws {
    try shell(
      """
      ip link add \(name) type veth peer name \(name) netns \(peer.path)
      ip link set \(name) up; ip address add 10.\(network).0.2/24 dev \(name)
      """, in: pod.namespace)
    try shell(
      "ip link set \(name) up; ip address add 10.\(network).0.3/24 dev \(name)",
      in: peer.namespace)
  }
}
