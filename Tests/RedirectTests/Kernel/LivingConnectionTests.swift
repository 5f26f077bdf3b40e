import CBPF
import Linux
import MeshModel
@testable import Redirect
import Testing

/// Connections into the pod and out of it, open and idle.
private struct Held {
  let out, into: Program

  var all: [Program] { [out, into] }

  init(_ town: Town, _ family: Family) throws {
    out = try town.hold(town.peer.address(family), 9000, from: town.pod)
    into = try town.hold(town.pod.address(family), 8080, from: town.peer)
  }

  /// What comes of using them again, in the order of `all`.
  func useAgain() throws -> [String] {
    var outcomes: [String] = []
    for program in all {
      try program.send(.user1)
      outcomes.append(try program.line().outcome)
    }
    return outcomes
  }
}

extension Town {
  func hold(
    _ address: String, _ port: Int, from house: borrowing House
  ) throws -> Program {
    let program = try Program(
      "dial.py", [address, "\(port)", "hold", "timeout=8"], in: house.namespace,
      group: groups.pod)
    let report = try program.line()
    try #require(report.outcome == "ok")
    return program
  }

  /// Connects to and from the pod without pause, until told.
  func load(_ family: Family) throws -> [Program] {
    let options = ["load", "parallel=2", "timeout=8"]
    let programs = [
      try Program(
        "dial.py", [peer.address(family), "9000"] + options, in: pod.namespace, group: groups.pod),
      try Program(
        "dial.py", [pod.address(family), "8080"] + options, in: peer.namespace,
        group: groups.other),
    ]
    for program in programs { _ = try program.line { $0.ready == true } }
    return programs
  }

  static var never: Instant { MonotonicClock.now() + .seconds(3_600) }

  func enrolKeeping(until deadline: Instant = never) throws -> StandIn {
    let standIn = try StandIn(town: self)
    try redirection.enrol(
      podRedirection, namespace: pod.namespace, listeners: standIn.podListeners,
      keepingUntil: deadline)
    return standIn
  }

  func kept() throws -> Int {
    try redirection.keptConnections(of: Town.uid, namespace: pod.namespace)
  }

  /// Waits, generously, until no connection of before is left.
  func waitUntilNoneIsKept() throws {
    for _ in 0..<400 where try kept() > 0 { pause(.milliseconds(20)) }
    #expect(try kept() == 0)
  }

  func drain() throws -> Bool {
    try redirection.drain(Town.uid, namespace: pod.namespace, until: Town.never)
  }

  func release() throws {
    try redirection.release(Town.uid, namespace: pod.namespace)
  }
}

extension Kernel {
  @Suite struct `Connections of before an enrolment` {
    @Test(arguments: EgressHook.allCases, Family.allCases)
    func `go on as they began, while new ones are captured`(
      hook: EgressHook, family: Family
    ) throws {
      try withTown(hook) { town in
        let held = try Held(town, family)
        #expect(try town.redirection.existingConnections(in: town.pod.namespace) == 2)
        let deadline = Town.never
        let standIn = try town.enrolKeeping(until: deadline)
        try town.expectCapturedTraffic()
        #expect(try town.kept() == 2)
        let passage = try town.redirection.passage(of: Town.uid)
        #expect(passage == Passage(.keep, until: deadline))
        // Another enrolment, and another node agent, leave them alone.
        try town.redirection.enrol(
          town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners)
        let next = try Redirection(node: town.node, attachment: hook)
        #expect(try next.passage(of: Town.uid) == passage)
        #expect(try held.useAgain() == ["ok", "ok"])
        #expect(try town.redirection.counters(of: Town.uid).passedKept > 0)
        try town.waitUntilNoneIsKept()
        #expect(try town.redirection.passage(of: Town.uid) == .capture)
        try town.expectCapturedTraffic()
      }
    }

    @Test(arguments: EgressHook.allCases, Family.allCases)
    func `are cut at the deadline, and both ends hear of it`(
      hook: EgressHook, family: Family
    ) throws {
      try withTown(hook) { town in
        let held = try Held(town, family)
        let standIn = try town.enrolKeeping()
        #expect(try town.redirection.endKept(of: Town.uid, namespace: town.pod.namespace) == 2)
        #expect(try held.useAgain().allSatisfy { $0 != "ok" && $0 != "TimeoutError" })
        #expect(try town.redirection.passage(of: Town.uid) == .capture)
        #expect(try town.kept() == 0)
        try town.expectCapturedTraffic()
        _ = standIn
      }
    }

    @Test(arguments: Family.allCases)
    func `are cut at once where that is asked for`(family: Family) throws {
      try withTown { town in
        let held = try Held(town, family)
        try town.enrol()
        #expect(try held.useAgain().allSatisfy { $0 != "ok" })
        try town.expectCapturedTraffic()
      }
    }

    @Test(arguments: ["same", "fresh"], Family.allCases)
    func `are not taken for a later one of the same ports`(how: String, family: Family) throws {
      try withTown { town in
        let port = town.freshPort()
        let client = try Program(
          "reconnect.py", [town.peer.address(family), "9000", "\(port)", how],
          in: town.pod.namespace, group: town.groups.pod)
        #expect(try client.line().banner?.peer?.port == UInt16(port))
        let standIn = try town.enrolKeeping()
        #expect(try town.kept() == 1)
        try client.send(.user1)
        let again = try client.line()
        #expect(again.outcome == "ok" && again.local?.port == UInt16(port))
        #expect(again.banner?.peer?.port != UInt16(port))
        try town.waitUntilNoneIsKept()
        _ = standIn
      }
    }

    @Test(arguments: ["raw-data", "packet-data", "packet-raw-data", "raw-syn"], Family.allCases)
    func `lend their ports to no other socket`(attack: String, family: Family) throws {
      try withTown { town in
        let port = town.freshPort()
        let held = try Program(
          "dial.py", [town.peer.address(family), "9000", "hold", "port=\(port)"],
          in: town.pod.namespace, group: town.groups.pod)
        #expect(try held.line().outcome == "ok")
        let standIn = try town.enrolKeeping()
        try town.sniffed()
        let forger = try Program(
          "attack.py",
          [
            attack, town.pod.address(family), town.peer.address(family), "9000", "\(port)", "eth0",
          ],
          in: town.pod.namespace, group: town.groups.pod)
        _ = try forger.line()
        pause(.milliseconds(200))
        #expect(try town.sniffed() == [])
        try held.send(.user1)
        #expect(try held.line().outcome == "ok")
        _ = standIn
      }
    }

    @Test(arguments: EgressHook.allCases, Family.allCases)
    func `and new ones never fail under load`(hook: EgressHook, family: Family) throws {
      try withTown(hook) { town in
        let load = try town.load(family)
        pause(.milliseconds(300))
        let standIn = try town.enrolKeeping()
        pause(.milliseconds(300))
        #expect(try town.drain())
        pause(.milliseconds(300))
        try town.redirection.enrol(
          town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners,
          keepingUntil: Town.never)
        pause(.milliseconds(300))
        for program in load { try program.send(.terminate) }
        for program in load {
          let report = try program.line(within: .seconds(30))
          #expect(report.failures == 0, "\(report.errors ?? [])")
          #expect(try #require(report.count) > 3)
        }
        try town.expectCapturedTraffic()
      }
    }

    @Test(arguments: EgressHook.allCases)
    func `may end before the pod is captured, which takes tunnels meanwhile`(
      hook: EgressHook
    ) throws {
      try withTown(hook) { town in
        let held = try Held(town, .v4)
        let standIn = try StandIn(town: town)
        try town.redirection.open(
          town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners,
          until: Town.never)
        #expect(try town.redirection.isOpen(Town.uid))
        try town.expectPlainTraffic()
        let tunnel = try town.dial("\(town.pod.v4)", 15008, from: town.peer)
        #expect(tunnel.banner?.hbone == true)
        #expect(try town.redirection.existingConnections(in: town.pod.namespace) >= 2)
        try town.redirection.enrol(
          town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners,
          keepingUntil: Town.never)
        #expect(try !town.redirection.isOpen(Town.uid))
        try town.expectCapturedTraffic()
        #expect(try held.useAgain() == ["ok", "ok"])
        try town.release()
        #expect(try traces(town) == [])
      }
    }

    @Test func `for which there is no room are cut`() throws {
      try withTown { town in
        let held = try Held(town, .v4)
        let standIn = try StandIn(town: town)
        let kernel = try town.makeObjects(room: 1)
        try town.carryOut(
          try town.plan(keepingUntil: Town.never), on: kernel, standIn.podListeners)
        let outcomes = try held.useAgain()
        #expect(outcomes.count { $0 == "ok" } == 1, "\(outcomes)")
        try town.expectCapturedTraffic()
      }
    }
  }

  @Suite struct `Connections of ztunnel's, at a release` {
    @Test(arguments: EgressHook.allCases, Family.allCases)
    func `go on through it, while new ones go their own way`(
      hook: EgressHook, family: Family
    ) throws {
      try withTown(hook) { town in
        try town.enrol()
        let held = try Held(town, family)
        #expect(try town.drain())
        #expect(try town.redirection.passage(of: Town.uid).mode == .drain)
        try town.expectPlainTraffic()
        let tunnel = try town.dial(town.pod.address(family), 15008, from: town.peer)
        #expect(tunnel.banner?.hbone == true)
        let count = {
          try town.redirection.drainingConnections(of: Town.uid, namespace: town.pod.namespace)
        }
        #expect(try count() == 2)
        try town.sniffed()
        #expect(try held.useAgain() == ["ok", "ok"])
        for _ in 0..<400 where try count() > 0 { pause(.milliseconds(20)) }
        #expect(try count() == 0)
        try town.release()
        try town.expectPlainTraffic()
        #expect(try traces(town) == [])
      }
    }

    @Test(arguments: EgressHook.allCases)
    func `live on beside plain ones when the pod is enrolled again`(hook: EgressHook) throws {
      try withTown(hook) { town in
        let standIn = try town.enrol()
        let captured = try Held(town, .v4)
        #expect(try town.drain())
        let plain = try Held(town, .v6)
        try town.redirection.enrol(
          town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners,
          keepingUntil: Town.never)
        try town.expectCapturedTraffic()
        #expect(try town.kept() == 2)
        #expect(try captured.useAgain() == ["ok", "ok"])
        #expect(try plain.useAgain() == ["ok", "ok"])
        let evidence = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(evidence.objections == [])
        try town.release()
        #expect(try traces(town) == [])
      }
    }
  }
}

extension Town {
  /// What an enrolment makes first, with room for so many connections that live on.
  func makeObjects(room: Int) throws -> PodKernel {
    let identity = try NamespaceIdentity(of: pod.namespace)
    let facts = StoredFacts(
      namespaceInode: identity.inode, namespaceCookie: identity.cookie, namespacePath: pod.path,
      attachment: redirection.attachment, fingerprint: EmbeddedObject.fingerprint)
    return try PodKernel.make(
      try redirection.directory.pod(Town.uid), facts: facts, room: room,
      shared: redirection.shared)
  }

  func carryOut(
    _ steps: [RedirectionChange], on kernel: borrowing PodKernel, _ listeners: PodListeners
  ) throws {
    let number = pod.namespace.number
    try inside(pod.namespace) { () throws(RedirectError) in
      try redirection.carryOut(
        steps, on: kernel, PodNamespace(), namespace: number, listeners: listeners)
    }
  }
}
