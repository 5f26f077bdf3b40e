import Linux
@testable import Redirect
import Testing

extension Kernel {
  /// Source: redirection.md, table 2.7.
  @Suite struct `While ztunnel is dead` {
    @Test(arguments: EgressHook.allCases, Family.allCases)
    func `an enrolled pod sends nothing and gets nothing`(
      hook: EgressHook, family: Family
    ) throws {
      try withTown(hook) { town in
        let standIn = try town.enrol()
        #expect(try town.dial(town.peer.address(family), 9000, from: town.pod).outcome == "ok")
        town.dropListeners()
        try standIn.program.crash()

        #expect(try town.leak(of: ["dial"], from: town.pod, family) == [])
        let out = try town.dial(
          town.peer.address(family), 9000, ["timeout=0.5"], from: town.pod)
        #expect(out.ok != true)
        let into = try town.dial(
          town.pod.address(family), 8080, ["timeout=0.5"], from: town.peer)
        #expect(into.outcome == "ConnectionRefusedError")
        #expect(try town.redirection.counters(of: Town.uid).droppedNoListener > 0)
      }
    }

    /// The control: what pinning is for.
    @Test(arguments: Family.allCases)
    func `a pod whose links are not pinned is open`(family: Family) throws {
      try withTown { town in
        let standIn = try town.enrol()
        town.dropListeners()
        try standIn.program.crash()
        let facts = try town.redirection.facts(of: Town.uid)
        try town.shell("rm -r \(facts.pinPath)", in: town.host.namespace)
        #expect(try !town.leak(of: ["dial"], from: town.pod, family).isEmpty)
        let report = try town.dial(town.pod.address(family), 8080, from: town.peer)
        #expect(report.outcome == "ok")
      }
    }

    @Test func `a connection that was open ends`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        let client = try Program(
          "dial.py", ["\(town.peer.v4)", "9000", "hold"], in: town.pod.namespace,
          group: town.groups.pod)
        #expect(try client.line().outcome == "ok")
        try standIn.program.crash()
        try client.send(.user1)
        #expect(try client.line().ok == false)
      }
    }

    @Test func `a connection that is asked for waits for the next one`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        town.dropListeners()
        try standIn.program.crash()
        let client = try Program(
          "dial.py", ["\(town.peer.v4)", "9000", "timeout=5"], in: town.pod.namespace,
          group: town.groups.pod)
        let next = try StandIn(town: town)
        try town.redirection.updateListeners(of: Town.uid, to: next.podListeners)
        #expect(try client.line().outcome == "ok")
      }
    }

    @Test func `kept copies of its listeners refuse nobody`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        let load = try Program(
          "dial.py", ["\(town.pod.v4)", "8080", "load", "parallel=4", "timeout=6"],
          in: town.peer.namespace, group: town.groups.other)
        _ = try load.line()
        _ = try standIn.connection("inbound4")
        try standIn.program.crash()
        pause(.milliseconds(300))
        let next = try StandIn(adopts: true, town: town)
        _ = try next.connection("inbound4")
        try load.send(.terminate)
        let report = try load.line()
        // Those in flight die with it; nobody is refused.
        #expect(report.errors?.contains("ConnectionRefusedError") == false)
        #expect(try #require(report.failures) <= 4)
        #expect(try #require(report.slowest) < 3)
      }
    }

    @Test func `and is replaced as planned, no connection fails`() throws {
      try withTown { town in
        let old = try town.enrol()
        let load = try Program(
          "dial.py", ["\(town.pod.v4)", "8080", "load", "parallel=4", "timeout=6"],
          in: town.peer.namespace, group: town.groups.other)
        _ = try load.line()
        _ = try old.connection("inbound4")
        let kept = town.keptListeners
        let new = try StandIn(town: town)
        try town.redirection.updateListeners(of: Town.uid, to: new.podListeners)
        _ = try new.connection("inbound4")
        pause(.milliseconds(200))
        try load.send(.terminate)
        let report = try load.line()
        #expect(report.failures == 0, "\(report.errors ?? [])")
        withExtendedLifetime((old, kept)) {}
      }
    }

    @Test func `a successor in a new cgroup is let out once the cgroup is known`() throws {
      try withTown { town in
        try town.enrol()
        try town.redirection.forgetAgentCgroup(town.groups.agent.id)
        #expect(try town.redirection.agentCgroups() == [])
        // Its own packets come back to it: closed, not open.
        #expect(try town.leak(of: ["dial"], from: town.pod, .v4) == [])
        try town.redirection.allowAgentCgroup(town.groups.agent.id)
        #expect(try town.dial("\(town.peer.v4)", 9000, from: town.pod).outcome == "ok")
      }
    }
  }

  @Suite struct `While the node agent is away` {
    @Test(arguments: EgressHook.allCases)
    func `traffic goes on, and the next one finds the pod`(hook: EgressHook) throws {
      try withTown(hook) { town in
        try town.enrol()
        let next = try Redirection(node: town.node, attachment: hook)
        let adopted = try next.adopt()
        #expect(adopted.map(\.uid) == [Town.uid])
        #expect(adopted.first?.isComplete == true)
        #expect(adopted.first?.isUpdated == false)
        #expect(adopted.first?.namespaceInode == (try town.pod.namespace.inode()))
        #expect(adopted.first?.namespacePath == town.pod.path)
        #expect(try next.agentCgroups() == [town.groups.agent.id])
        #expect(try town.dial("\(town.peer.v4)", 9000, from: town.pod).outcome == "ok")
      }
    }

    @Test(arguments: EgressHook.allCases)
    func `a new build's programs take over under load, no connection fails`(
      hook: EgressHook
    ) throws {
      try withTown(hook) { town in
        let standIn = try town.enrol()
        let before = try town.redirection.facts(of: Town.uid, namespace: town.pod.namespace)
        let load = try Program(
          "dial.py", ["\(town.peer.v4)", "9000", "load", "parallel=4", "timeout=3"],
          in: town.pod.namespace, group: town.groups.pod)
        _ = try load.line()
        _ = try standIn.connection("outbound4")
        for _ in 0..<10 {
          try town.redirection.kernel(of: Town.uid).change { $0.fingerprint = 1 }
          let adopted = try town.redirection.adopt()
          #expect(adopted.first?.isUpdated == (hook == .tcx))
          // With clsact the programs are replaced where the namespace is known.
          try town.redirection.enrol(
            town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners)
          _ = try standIn.connection("outbound4")
        }
        try load.send(.terminate)
        let report = try load.line()
        #expect(report.failures == 0, "\(report.errors ?? [])")
        #expect(try #require(report.count) >= 10)
        let after = try town.redirection.facts(of: Town.uid, namespace: town.pod.namespace)
        #expect(after.lookupLinkID == before.lookupLinkID)
        #expect(after.lookupProgramID != before.lookupProgramID)
        #expect(after.interfaces.map(\.linkID) == before.interfaces.map(\.linkID))
        #expect(after.interfaces.first?.programID != before.interfaces.first?.programID)
      }
    }
  }
}
