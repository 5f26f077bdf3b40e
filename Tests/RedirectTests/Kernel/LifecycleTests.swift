import Glibc
import Linux
import MeshModel
@testable import Redirect
import Testing

/// What a pod's namespace holds that an enrolment would have put there.
func traces(_ town: Town) throws -> [String] {
  let netlink = try Netlink(in: town.pod.namespace)
  var traces: [String] = []
  for family in AddressFamily.allCases {
    traces += try netlink.rules(family).map(\.description)
    traces += try netlink.localRoutes(family).map(\.description)
  }
  try town.pod.namespace.run { () throws(LinuxError) in
    for sysctl in RedirectionSysctl.allCases where try Sysctl.read(sysctl.name) != "0" {
      traces.append(sysctl.name)
    }
  }
  return traces
}

extension Town {
  /// Whether the pod's traffic is its own, both ways and in both families.
  func expectPlainTraffic() throws {
    for family in Family.allCases {
      let out = try dial(peer.address(family), 9000, from: pod)
      #expect(out.outcome == "ok")
      #expect(out.banner?.peer?.port == out.local?.port)
      let into = try dial(pod.address(family), 8080, from: peer)
      #expect(into.outcome == "ok")
      #expect(into.banner?.peer?.port == into.local?.port)
    }
  }

  /// Whether ztunnel stands in every connection's way.
  func expectCapturedTraffic() throws {
    for family in Family.allCases {
      let out = try dial(peer.address(family), 9000, from: pod)
      #expect(out.outcome == "ok")
      #expect(out.banner?.peer?.port != out.local?.port)
      let into = try dial(pod.address(family), 8080, from: peer)
      #expect(into.outcome == "ok")
      #expect(into.banner?.peer?.port != into.local?.port)
      let tunnel = try dial(pod.address(family), 15008, from: peer)
      #expect(tunnel.banner?.hbone == true)
    }
  }
}

extension Kernel {
  @Suite struct `An enrolment` {
    @Test(arguments: EgressHook.allCases)
    func `captures everything, proves it, and leaves nothing behind`(hook: EgressHook) throws {
      try withTown(hook) { town in
        try town.expectPlainTraffic()
        try town.enrol()
        try town.expectCapturedTraffic()
        let evidence = try town.redirection.evidence(
          for: town.podRedirection, namespace: town.pod.namespace)
        #expect(evidence.objections == [])
        let facts = try town.redirection.facts(of: Town.uid, namespace: town.pod.namespace)
        #expect(facts.isComplete)
        #expect(facts.attachment == hook)
        #expect(facts.listeners == [true, true, true, true, true, true])
        #expect(facts.addresses.contains(town.pod.v4) && facts.addresses.contains(town.pod.v6))
        #expect(facts.lookupNamespaceInode == facts.namespaceInode)
        #expect(facts.interfaces.count == 1 && facts.interfaces[0].programID != nil)

        try town.redirection.release(Town.uid, namespace: town.pod.namespace)
        try town.expectPlainTraffic()
        #expect(try traces(town) == [])
        #expect(try town.redirection.enrolledPods() == [])
        #expect(throws: RedirectError.notEnrolled(uid: Town.uid)) {
          try town.redirection.counters(of: Town.uid)
        }
        try town.redirection.release(Town.uid, namespace: town.pod.namespace)
      }
    }

    @Test func `gives sysctls back as they were`() throws {
      try withTown { town in
        try town.shell(
          "sysctl -qw net.ipv4.fwmark_reflect=1 net.ipv4.conf.lo.accept_local=0",
          in: town.pod.namespace)
        try town.enrol()
        // A second enrolment must not take our own value for the pod's.
        let listeners = try #require(PodListeners(town.keptListeners.map(\.number)))
        try town.redirection.enrol(
          town.podRedirection, namespace: town.pod.namespace, listeners: listeners)
        try town.redirection.release(Town.uid, namespace: town.pod.namespace)
        #expect(try traces(town) == ["net/ipv4/fwmark_reflect"])
      }
    }

    @Test(arguments: EgressHook.allCases)
    func `that fails takes everything away again`(hook: EgressHook) throws {
      try withTown(hook) { town in
        let pipe = try Pipe()
        let number = pipe.readEnd.number
        let listeners = try #require(PodListeners([number, number, number]))
        #expect(throws: RedirectError.self) {
          try town.redirection.enrol(
            town.podRedirection, namespace: town.pod.namespace, listeners: listeners)
        }
        #expect(try town.redirection.enrolledPods() == [])
        #expect(try traces(town) == [])
        try town.expectPlainTraffic()
      }
    }

    @Test func `needs the addresses that the model gives the pod`() throws {
      try withTown { town in
        let listeners = try ownListeners(in: town.pod.namespace)
        var pod = town.podRedirection
        pod.addresses.append(.v4(0x0a4d_0063))
        let kept = try #require(PodListeners(listeners.map(\.number)))
        #expect(
          throws: RedirectError.addressMissing(uid: Town.uid, address: "10.77.0.99")
        ) {
          try town.redirection.enrol(
            pod, namespace: town.pod.namespace,
            listeners: kept)
        }
        #expect(try town.redirection.enrolledPods() == [])
      }
    }

    @Test func `does not move to another namespace under the same UID`() throws {
      try withTown { town in
        let standIn = try town.enrol()
        let pinned = try town.pod.namespace.inode()
        let given = try town.bare.namespace.inode()
        var pod = town.podRedirection
        pod.addresses = []
        #expect(
          throws: RedirectError.otherNamespace(uid: Town.uid, pinned: pinned, given: given)
        ) {
          try town.redirection.enrol(
            pod, namespace: town.bare.namespace, listeners: standIn.podListeners)
        }
        try town.expectCapturedTraffic()
      }
    }

    /// Every prefix of the plan: the node agent may die between any two steps.
    @Test(arguments: EgressHook.allCases, [true, false])
    func `cut short after any step is completed, or released without a trace`(
      hook: EgressHook, keepsConnections: Bool
    ) throws {
      try withTown(hook) { town in
        let standIn = try StandIn(town: town)
        let deadline = keepsConnections ? Town.never : nil
        let plan = try town.plan(keepingUntil: deadline)
        #expect(plan.count > 10)
        for count in 0...plan.count {
          try town.cutShort(Array(plan.prefix(count)), standIn.podListeners)
          let adopted = try town.redirection.adopt()
          #expect(adopted.map(\.isComplete) == [count == plan.count])
          try town.redirection.release(Town.uid)
          #expect(try traces(town) == [])
        }
        try town.expectPlainTraffic()
        for count in [0, plan.count / 2, plan.count - 1] {
          try town.cutShort(Array(plan.prefix(count)), standIn.podListeners)
          try town.redirection.enrol(
            town.podRedirection, namespace: town.pod.namespace, listeners: standIn.podListeners,
            keepingUntil: deadline)
          let evidence = try town.redirection.evidence(
            for: town.podRedirection, namespace: town.pod.namespace)
          #expect(evidence.objections == [])
          try town.redirection.release(Town.uid, namespace: town.pod.namespace)
        }
      }
    }
  }

  @Suite struct `An orderly stop` {
    @Test func `removes what pods share only when no pod is left`() throws {
      try withTown { town in
        try town.enrol()
        let isGuarded = town.redirection.isGuarded
        #expect(isGuarded)
        try town.redirection.removeShared()
        #expect(try town.redirection.enrolledPods() == [Town.uid])
        try town.expectCapturedTraffic()
        try town.redirection.release(Town.uid, namespace: town.pod.namespace)
        try town.redirection.removeShared()
        #expect(!Directory.exists(try PinDirectory(node: town.node).nodePath))
      }
    }
  }

  @Suite struct `An uninstall after a crash` {
    @Test(arguments: EgressHook.allCases, [true, false])
    func `finds the namespace and undoes everything`(hook: EgressHook, hasPath: Bool) throws {
      try withTown(hook) { town in
        let standIn = try StandIn(town: town)
        try town.redirection.attachProbes(cgroupPath: town.groups.prober.path)
        var pod = town.podRedirection
        // Without a path it is found by the application's process.
        if !hasPath { pod.namespacePath = nil }
        try town.redirection.enrol(
          pod, namespace: town.pod.namespace, listeners: standIn.podListeners)
        #expect(try Redirection.uninstall(node: town.node) == [])
        #expect(try traces(town) == [])
        #expect(!Directory.exists(try PinDirectory(node: town.node).nodePath))
        try town.expectPlainTraffic()
        #expect(try Redirection.uninstall(node: town.node) == [])
      }
    }
  }
}

extension Town {
  /// The steps of enrolling the pod.
  func plan(keepingUntil deadline: Instant? = nil) throws -> [RedirectionChange] {
    try inside(pod.namespace) { () throws(RedirectError) in
      let desired = try PodNamespace().desired(for: [pod.v4, pod.v6])
      return RedirectionPlan.enrolling(desired, from: nil, keepingUntil: deadline)
    }
  }

  /// Carries out some steps, as a node agent does that dies then.
  func cutShort(_ steps: [RedirectionChange], _ listeners: PodListeners) throws {
    let kernel = try makeObjects(room: 8)
    try carryOut(steps, on: kernel, listeners)
  }
}
