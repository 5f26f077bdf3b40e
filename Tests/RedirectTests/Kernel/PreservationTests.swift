import Redirect
import Testing

/// A setting of the pod and what it does to connections that keep their client's address.
///
/// Source: redirection.md, table 2.3; outcomes are those of the tcx loop.
private struct Setting: CustomTestStringConvertible, Sendable {
  var says: String
  var commands: String
  /// What the client sees of an open port, and of a closed one.
  var open: String
  var closed: String

  var testDescription: String { says }

  static let rows: [Setting] = [
    Setting(
      says: "as we set it up", commands: "true", open: "ok", closed: "ConnectionResetError"),
    Setting(
      says: "tcp_fwmark_accept on, which the loop does not need",
      commands: "sysctl -qw net.ipv4.tcp_fwmark_accept=1", open: "ok",
      closed: "ConnectionResetError"),
    Setting(
      says: "rp_filter 1 everywhere", commands: reversePath(1), open: "ok",
      closed: "ConnectionResetError"),
    Setting(
      says: "rp_filter 2 everywhere", commands: reversePath(2), open: "ok",
      closed: "ConnectionResetError"),
    Setting(
      says: "rp_filter 1 and src_valid_mark",
      commands: reversePath(1) + "; sysctl -qw net.ipv4.conf.all.src_valid_mark=1", open: "ok",
      closed: "ConnectionResetError"),
    Setting(
      says: "SYN cookies always", commands: "sysctl -qw net.ipv4.tcp_syncookies=2", open: "ok",
      closed: "ConnectionResetError"),
  ]

  private static func reversePath(_ value: Int) -> String {
    ["all", "default", "eth0", "lo"].map { "sysctl -qw net.ipv4.conf.\($0).rp_filter=\(value)" }
      .joined(separator: "; ")
  }
}

extension Kernel {
  @Suite struct `The client's address is kept` {
    @Test(arguments: Setting.rows)
    fileprivate func `whatever the pod's settings are`(row: Setting) throws {
      try withTown { town in
        let standIn = try town.enrol()
        try town.shell(row.commands, in: town.pod.namespace)
        for family in Family.allCases {
          let open = try town.dial(town.pod.address(family), 8080, from: town.peer)
          #expect(open.outcome == row.open)
          #expect(open.banner?.peer?.address == town.peer.address(family))
          let port = try #require(open.banner?.peer?.port)
          #expect(RedirectConstants.reservedPorts.contains(port))
          _ = try standIn.connection(family == .v4 ? "inbound4" : "inbound6")

          try town.sniffed()
          let closed = try town.dial(town.pod.address(family), 8081, from: town.peer)
          #expect(closed.outcome == row.closed)
          let refusal = try standIn.connection(family == .v4 ? "inbound4" : "inbound6")
          #expect(refusal.dial == "ConnectionRefusedError")
        }
      }
    }

    /// The first rows of the table: what each step of an enrolment is for.
    @Test func `only with the rule: else the application is not reached, and nothing leaks`() throws
    {
      try withTown { town in
        let standIn = try town.enrol()
        try town.shell("ip rule del pref 100; ip -6 rule del pref 100", in: town.pod.namespace)
        for (family, kind, error) in [
          (Family.v4, "inbound4", "TimeoutError"), (.v6, "inbound6", "OSError"),
        ] {
          let report = try town.dial(town.pod.address(family), 8080, from: town.peer)
          #expect(report.outcome == "ConnectionResetError")
          #expect(try standIn.connection(kind).dial == error)
        }
      }
    }

    @Test func `only with fwmark_reflect do closed ports answer at once`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        try town.shell(
          "sysctl -qw net.ipv4.fwmark_reflect=0 net.ipv6.fwmark_reflect=0",
          in: town.pod.namespace)
        for (family, kind) in [(Family.v4, "inbound4"), (.v6, "inbound6")] {
          _ = try town.dial(town.pod.address(family), 8081, from: town.peer)
          #expect(try standIn.connection(kind).dial == "TimeoutError")
        }
      }
    }

    @Test(arguments: Family.allCases)
    func `by an application that marks its own sockets`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        try town.start(
          "serve.py", ["8090", "mark=0x5"], in: town.pod.namespace, town.groups.pod)
        let report = try town.dial(town.pod.address(family), 8090, from: town.peer)
        #expect(report.outcome == "ok")
        #expect(report.banner?.peer?.address == town.peer.address(family))
      }
    }

    @Test(arguments: Family.allCases)
    func `by an application that listens on the pod's address alone`(family: Family) throws {
      try withTown { town in
        let standIn = try town.enrol()
        try town.start(
          "serve.py", ["8090", "address=\(town.pod.address(family))"], in: town.pod.namespace,
          town.groups.pod)
        let report = try town.dial(town.pod.address(family), 8090, from: town.peer)
        #expect(report.outcome == "ok")
        _ = try standIn.connection(family == .v4 ? "inbound4" : "inbound6")
      }
    }

    @Test func `but an application bound to the outer interface is refused, closed`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        try town.start(
          "serve.py", ["8090", "device=eth0"], in: town.pod.namespace, town.groups.pod)
        let report = try town.dial("\(town.pod.v4)", 8090, from: town.peer)
        #expect(report.outcome == "ConnectionResetError")
        #expect(try standIn.connection("inbound4").dial == "ConnectionRefusedError")
      }
    }

    @Test func `by thousands of connections of one node, without one port clashing`() throws {
      try withTown { town in
        try town.enrol()
        let report = try town.dial(
          "\(town.pod.v4)", 8080, ["times=250", "parallel=8"], from: town.peer)
        #expect(report.count == 2_000)
        #expect(report.failures == 0, "\(report.errors ?? [])")
      }
    }
  }
}
