import Redirect
import Testing

extension Kernel {
  /// Source: redirection.md, section 2.4, “NET_ADMIN in the pod”.
  @Suite struct `A pod with CAP_NET_ADMIN` {
    /// What it may do to its interface, and how it puts things right for the next row.
    static let tampering = [
      "tc qdisc add dev eth0 clsact; tc qdisc del dev eth0 clsact",
      "tc qdisc replace dev eth0 root pfifo limit 100",
      "ip link set eth0 down; ip link set eth0 up; ip address add 10.77.0.2/24 dev eth0 || true",
    ]

    @Test(arguments: tampering)
    func `cannot take a tcx link off`(commands: String) throws {
      try withTown { town in
        try town.enrol()
        try town.shell(commands, in: town.pod.namespace)
        #expect(try !town.leak(of: ["dial"], from: town.bare, .v4).isEmpty)
        #expect(try town.leak(of: ["dial"], from: town.pod, .v4) == [])
      }
    }

    @Test func `cannot get away with its interface: the program goes along`() throws {
      try withTown { town in
        try town.enrol()
        let index = try #require(
          try town.redirection.facts(of: Town.uid).interfaces.first?.index)
        let nested = try House.nested(town.pod.v4, town.pod.v6)
        try town.shell(
          """
          ip link set eth0 netns \(nested.path)
          ip link add eth0 index \(index) type veth peer name other
          """, in: town.pod.namespace)
        try town.shell(
          """
          ip link set lo up; ip link set eth0 up; ip address add \(town.pod.v4)/24 dev eth0
          ip route add default via \(town.host.v4)
          """, in: nested.namespace)
        #expect(try town.leak(of: ["dial"], from: nested, .v4) == [])
        #expect(try town.leak(of: ["packet-data"], from: nested, .v4) == [])

        // The new interface has the old one's index, and is seen to be open all the same.
        let evidence = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(evidence.openInterfaces.sorted() == ["eth0", "other"])
        try town.redirection.follow(Town.uid, namespace: town.pod.namespace)
        let after = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(after.openInterfaces == [])
        // And the one that moved is still watched.
        #expect(try town.leak(of: ["packet-data"], from: nested, .v4) == [])
      }
    }

    @Test func `can delete a clsact filter: it leaks, is seen, and is closed again`() throws {
      try withTown(.clsact) { town in
        let standIn = try town.enrol()
        try town.shell("tc qdisc del dev eth0 clsact", in: town.pod.namespace)
        #expect(try !town.leak(of: ["dial"], from: town.pod, .v4).isEmpty)
        let evidence = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(evidence.objections == ["interface eth0 has no egress program"])
        try town.redirection.enrol(
          town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners)
        #expect(try town.leak(of: ["dial"], from: town.pod, .v4) == [])
      }
    }

    @Test(arguments: EgressHook.allCases)
    func `that removes rule, route and sysctls cuts itself off, is seen, and is mended`(
      hook: EgressHook
    ) throws {
      try withTown(hook) { town in
        let standIn = try town.enrol()
        try town.shell(
          """
          ip rule del pref 100; ip -6 rule del pref 100
          ip route flush table 2024; ip -6 route flush table 2024
          sysctl -qw net.ipv4.fwmark_reflect=0 net.ipv6.fwmark_reflect=0
          sysctl -qw net.ipv4.conf.lo.accept_local=0
          """, in: town.pod.namespace)
        for family in Family.allCases {
          #expect(try town.leak(of: ["dial"], from: town.pod, family) == [])
        }
        let evidence = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(evidence.missingSettings.count == 7)
        try town.redirection.enrol(
          town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners)
        for family in Family.allCases {
          let report = try town.dial(town.peer.address(family), 9000, from: town.pod)
          #expect(report.outcome == "ok")
        }
        let after = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(after.objections == [])
      }
    }
  }
}
