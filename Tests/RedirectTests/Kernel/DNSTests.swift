import Linux
import Redirect
import Testing

/// A way for an application to use its socket.
struct Asking: CustomTestStringConvertible, Sendable {
  var options: [String]
  var family = Family.v4

  static let all = [
    Asking(options: []), Asking(options: [], family: .v6), Asking(options: ["connected"]),
    Asking(options: ["connected"], family: .v6), Asking(options: ["mapped"]),
    Asking(options: ["port=5300"]), Asking(options: ["port=53"]),
    Asking(options: ["port=53"], family: .v6),
  ]

  var testDescription: String { "\(family.rawValue) \(options.joined(separator: " "))" }
}

extension Kernel {
  /// Source: redirection.md, section 2.6.
  @Suite struct `DNS over UDP` {
    @Test(arguments: EgressHook.allCases)
    func `queries go to ztunnel, and are answered as if by their resolver`(
      hook: EgressHook
    ) throws {
      try withTown(hook) { town in
        try town.enrol()
        try town.startResolvers()
        let standIn = try AnsweringStandIn(town: town)
        #expect(try town.redirection.facts(of: Town.uid).dnsSockets == [true, true])
        for asking in Asking.all {
          let resolver = town.peer.address(asking.family)
          let report = try town.ask([resolver], asking.options, from: town.pod)
          #expect(report.answers == ["ztunnel"], "\(asking.testDescription)")
          #expect(report.peers?.map(\.description) == ["\(resolver) 53"])
          #expect(try standIn.query().to?.description == "\(resolver) 53")
          if asking.options == ["connected"] { #expect(report.peer?.port == 53) }
        }
        let counters = try town.redirection.counters(of: Town.uid)
        #expect(counters.loopedDNS == UInt64(Asking.all.count))
        #expect(counters.givenDNS == counters.loopedDNS)
        #expect(counters.passedDNS == 0)
      }
    }

    @Test(arguments: Family.allCases)
    func `one socket may ask two resolvers, and knows which answered`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        let standIn = try AnsweringStandIn(town: town)
        let resolvers = [town.peer.address(family), town.bare.address(family)]
        let report = try town.ask(resolvers, from: town.pod)
        #expect(report.answers == ["ztunnel", "ztunnel"])
        #expect(report.peers?.map(\.address) == resolvers)
        #expect(try [standIn.query(), standIn.query()].map { $0.to?.address } == resolvers)
      }
    }

    @Test(arguments: EgressHook.allCases, Family.allCases)
    func `without ztunnel's socket queries reach their own resolver`(
      hook: EgressHook, family: Family
    ) throws {
      try withTown(hook) { town in
        let listening = try town.enrol()
        try town.startResolvers()
        let resolver = town.peer.address(family)
        #expect(try town.ask([resolver], from: town.pod).answers == ["peer"])
        let standIn = try AnsweringStandIn(town: town)
        #expect(try town.ask([resolver], from: town.pod).answers == ["ztunnel"])
        // As when ztunnel dies: nobody else has its sockets.
        try standIn.program.crash()
        try listening.program.crash()
        #expect(try town.ask([resolver], from: town.pod).answers == ["peer"])
        #expect(try town.redirection.facts(of: Town.uid).dnsSockets == [false, false])
        #expect(try town.redirection.counters(of: Town.uid).passedDNS == 2)
        _ = try AnsweringStandIn(town: town)
      }
    }

    @Test func `a socket taken away gives the queries back, one put there takes them`() throws {
      try withTown { town in
        try town.enrol()
        try town.startResolvers()
        let standIn = try AnsweringStandIn(["--ignore"], town: town)
        #expect(try town.ask(["\(town.peer.v4)"], ["timeout=0.3"], from: town.pod).ok == false)
        _ = try standIn.query()
        try town.redirection.removeDNS(of: Town.uid)
        try town.redirection.removeDNS(of: Town.uid)
        #expect(try town.ask(["\(town.peer.v4)"], from: town.pod).answers == ["peer"])
        let next = try AnsweringStandIn(town: town)
        #expect(try town.ask(["\(town.peer.v4)"], from: town.pod).answers == ["ztunnel"])
        _ = try next.query()
      }
    }

    @Test(arguments: Family.allCases)
    func `the pod's own resolver is asked and answers untouched`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        try town.start("resolve.py", ["own"], in: town.pod.namespace, town.groups.pod)
        let standIn = try AnsweringStandIn(town: town)
        let loopback = family == .v4 ? "127.0.0.1" : "::1"
        for resolver in [loopback, town.pod.address(family)] {
          #expect(try town.ask([resolver], from: town.pod).answers == ["own"])
        }
        // A server in the pod answers whoever asks, even from port 53.
        #expect(try town.ask([town.pod.address(family)], from: town.peer).answers == ["own"])
        let report = try town.ask([town.pod.address(family)], ["port=53"], from: town.bare)
        #expect(report.answers == ["own"])
        #expect(try town.redirection.counters(of: Town.uid).loopedDNS == 0)
        try standIn.program.crash()
      }
    }

    @Test(arguments: Family.allCases)
    func `a resolver in the pod that asks another is no loop`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        try town.start(
          "resolve.py", ["own", "forward=\(town.peer.address(family))"], in: town.pod.namespace,
          town.groups.pod)
        let standIn = try AnsweringStandIn(town: town)
        let report = try town.ask([town.pod.address(family)], from: town.bare)
        #expect(report.answers == ["ztunnel by own"])
        #expect(try town.redirection.counters(of: Town.uid).givenDNS == 1)
        _ = try standIn.query()
      }
    }

    @Test(arguments: Family.allCases)
    func `what is no whole query keeps its way`(family: Family) throws {
      try withTown { town in
        try town.enrol()
        try town.startResolvers()
        let standIn = try AnsweringStandIn(town: town)
        let resolver = town.peer.address(family)
        // An answer, and a datagram that is sent in fragments.
        #expect(try town.ask([resolver], ["answer"], from: town.pod).answers == ["peer"])
        if family == .v4 {
          #expect(try town.ask([resolver], ["bytes=3000"], from: town.pod).answers == ["peer"])
        }
        #expect(try town.redirection.counters(of: Town.uid).loopedDNS == 0)
        try standIn.program.crash()
      }
    }

    @Test func `queries of ztunnel itself are never captured`() throws {
      try withTown { town in
        try town.enrol()
        try town.startResolvers()
        let standIn = try AnsweringStandIn(town: town)
        let program = try Program(
          "ask.py", ["\(town.peer.v4)"], in: town.pod.namespace, group: town.groups.agent)
        #expect(try program.line().answers == ["peer"])
        #expect(try town.redirection.counters(of: Town.uid).givenDNS == 0)
        try standIn.program.crash()
      }
    }
  }
}
