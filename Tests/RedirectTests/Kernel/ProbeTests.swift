import Linux
import Redirect
import Testing

extension Kernel {
  /// Source: redirection.md, section 2.5.
  @Suite struct `A health check of the node` {
    /// How a prober may write the pod's address.
    static func addresses(_ town: Town) -> [String] {
      ["\(town.pod.v4)", "\(town.pod.v6)", "::ffff:\(town.pod.v4)"]
    }

    @Test(arguments: EgressHook.allCases)
    func `reaches the application untouched, others of the node do not`(hook: EgressHook) throws {
      try withTown(hook) { town in
        let standIn = try town.enrol()
        try town.redirection.attachProbes(cgroupPath: town.groups.prober.path)
        for address in Self.addresses(town) {
          let probe = try town.dial(address, 8080, from: town.host, group: town.groups.prober)
          #expect(probe.outcome == "ok")
          // Its own port: nobody stands between.
          #expect(probe.banner?.peer?.port == probe.local?.port)
        }
        let counters = try town.redirection.counters(of: Town.uid)
        #expect(counters.leftProbe == 3)
        #expect(counters.passedProbe > 0)
        #expect(counters.givenInbound == 0)

        for family in Family.allCases {
          let address = town.pod.address(family)
          let others = [
            try town.dial(address, 8080, from: town.host, group: town.groups.other),
            try town.dial(address, 8080, from: town.peer, group: town.groups.other),
          ]
          for other in others {
            #expect(other.outcome == "ok")
            #expect(other.banner?.peer?.port != other.local?.port)
            _ = try standIn.connection(family == .v4 ? "inbound4" : "inbound6")
          }
        }
      }
    }

    @Test func `is one of the node's namespace only, when pods share the prober's cgroup`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        let cookie = try town.host.namespace.cookie()
        try town.redirection.attachProbes(
          cgroupPath: town.groups.prober.path, namespaceCookie: cookie)
        for address in Self.addresses(town) {
          let probe = try town.dial(address, 8080, from: town.host, group: town.groups.prober)
          #expect(probe.banner?.peer?.port == probe.local?.port)
        }
        for family in Family.allCases {
          let pod = try town.dial(
            town.pod.address(family), 8080, from: town.peer, group: town.groups.prober)
          #expect(pod.outcome == "ok")
          #expect(pod.banner?.peer?.port != pod.local?.port, "captured")
          _ = try standIn.connection(family == .v4 ? "inbound4" : "inbound6")
        }
      }
    }

    @Test func `is refused by the application itself when the port is closed`() throws {
      try withTown { town in
        try town.enrol()
        try town.redirection.attachProbes(cgroupPath: town.groups.prober.path)
        for address in Self.addresses(town) {
          let probe = try town.dial(address, 8081, from: town.host, group: town.groups.prober)
          #expect(probe.outcome == "ConnectionRefusedError")
        }
        #expect(try town.redirection.counters(of: Town.uid).givenInbound == 0)
      }
    }

    @Test(arguments: Family.allCases)
    func `leaves no way in behind: its tuple is captured when another uses it`(
      family: Family
    ) throws {
      try withTown { town in
        let standIn = try town.enrol()
        try town.redirection.attachProbes(cgroupPath: town.groups.prober.path)
        let options = ["bind=\(town.host.address(family))", "port=\(town.freshPort())"]
        let probe = try town.dial(
          town.pod.address(family), 8080, options, from: town.host, group: town.groups.prober)
        #expect(probe.banner?.peer?.port == probe.local?.port)
        // TIME_WAIT would keep the port; the tuple is what counts.
        try town.shell(
          "ss -K -t state time-wait > /dev/null; sysctl -qw net.ipv4.tcp_tw_reuse=1",
          in: town.host.namespace)
        pause(.milliseconds(1_100))
        let other = try town.dial(
          town.pod.address(family), 8080, options, from: town.host, group: town.groups.other)
        #expect(other.outcome == "ok")
        #expect(other.banner?.peer?.port != other.local?.port)
        _ = try standIn.connection(family == .v4 ? "inbound4" : "inbound6")
      }
    }

    @Test func `goes through ztunnel when no prober is named any more`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        try town.redirection.attachProbes(cgroupPath: town.groups.prober.path)
        try town.redirection.attachProbes(cgroupPath: town.groups.prober.path)
        try town.redirection.attachProbes(cgroupPath: nil)
        let probe = try town.dial(
          "\(town.pod.v4)", 8080, from: town.host, group: town.groups.prober)
        #expect(probe.outcome == "ok")
        _ = try standIn.connection("inbound4")
      }
    }
  }
}
