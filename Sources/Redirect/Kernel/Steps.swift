import CBPF
import Glibc
import Linux
import MeshModel

/// Carrying out what the plan says; the thread is in the pod's namespace unless said otherwise.
extension Redirection {
  /// Makes everything; whatever fails, everything is taken away again before the error is told.
  borrowing func enrolAnew(
    _ pins: PodPins, _ facts: StoredFacts, _ plan: [RedirectionChange],
    _ network: PodNamespace, namespace: CInt, listeners: PodListeners?, room: Int
  ) throws(RedirectError) {
    let kernel = try makeObjects(pins, facts, room: room)
    do throws(RedirectError) {
      try carryOut(plan, on: kernel, network, namespace: namespace, listeners: listeners)
    } catch {
      try undo(after: error) { () throws(RedirectError) in
        let current = CurrentRedirection(hasLookup: try kernel.hasLookup())
        for change in RedirectionPlan.releasing(current, hasNamespace: true) {
          try takeAway(change, from: kernel, network)
        }
      }
      throw error
    }
  }

  private borrowing func makeObjects(
    _ pins: PodPins, _ facts: StoredFacts, room: Int
  ) throws(RedirectError) -> PodKernel {
    do throws(RedirectError) {
      return try PodKernel.make(pins, facts: facts, room: room, shared: shared)
    } catch {
      try undo(after: error) { () throws(RedirectError) in try pins.remove() }
      throw error
    }
  }

  borrowing func carryOut(
    _ plan: [RedirectionChange], on kernel: borrowing PodKernel,
    _ network: PodNamespace, namespace: CInt, listeners: PodListeners?
  ) throws(RedirectError) {
    for change in plan {
      switch change {
      case .makeObjects:
        // The kernel given is what this step made.
        break
      case .replacePrograms:
        _ = try kernel.replacePrograms(shared: shared, isInNamespace: true)
      case .putListeners:
        if let listeners { try kernel.put(listeners) }
      case .putAddress(let address): try kernel.add(address)
      case .removeAddress(let address): try kernel.remove(address)
      case .attachLookup: try kernel.attachLookup(namespace: namespace)
      case .addRule(let family): try network.addRule(family)
      case .addRoute(let family, let source): try network.addRoute(family, source: source)
      case .set(let sysctl): try kernel.set(sysctl, in: network)
      case .guardNamespace: try guardNamespace(kernel.facts().namespaceCookie, true)
      case .attachEgress(let interface): try kernel.attachEgress(to: interface)
      case .sweepEgress:
        let present = try network.links().map { UInt32(bitPattern: $0.index) }
        try kernel.sweepEgress(present: Set(present))
      case .setPassage(let passage): try kernel.put(passage)
      case .recordConnections:
        try kernel.record(
          try network.connections(of: kernel.localAddresses(), agentCgroups: agentCgroups()))
      case .complete: try kernel.change { $0.isComplete = true }
      case .detachEgress, .unguardNamespace, .detachLookup, .removeRoute, .removeRule, .restore,
        .removeObjects:
        try takeAway(change, from: kernel, network)
      }
    }
  }

  /// One step of a release; without a namespace only what the pins hold is reached.
  borrowing func takeAway(
    _ change: RedirectionChange, from kernel: borrowing PodKernel,
    _ network: PodNamespace?
  ) throws(RedirectError) {
    switch change {
    case .detachEgress: try kernel.detachEgress(isInNamespace: network != nil)
    case .unguardNamespace: try guardNamespace(kernel.facts().namespaceCookie, false)
    case .detachLookup: try kernel.detachLookup()
    case .removeObjects: try kernel.pins.remove()
    case .removeRoute(let family): try network?.removeRoute(family)
    case .removeRule(let family): try network?.removeRule(family)
    case .restore(let sysctl): try kernel.restore(sysctl, in: network)
    case .makeObjects, .replacePrograms, .putListeners, .putAddress, .removeAddress, .attachLookup,
      .addRule, .addRoute, .set, .guardNamespace, .attachEgress, .sweepEgress, .setPassage,
      .recordConnections, .complete:
      preconditionFailure("\(change) is no step of a release")
    }
  }

  /// Runs `body` after a failure; a second failure tells of both.
  private func undo(
    after first: RedirectError, _ body: () throws(RedirectError) -> Void
  ) throws(RedirectError) {
    do throws(RedirectError) {
      try body()
    } catch {
      throw .notUndone(first, then: error)
    }
  }
}

/// Which namespace a pod's pins were made for.
struct NamespaceIdentity: Hashable {
  var inode: UInt64
  /// 0 before Linux 5.14, which had no SO_NETNS_COOKIE.
  var cookie: UInt64

  /// The calling thread's.
  static func own() throws(RedirectError) -> NamespaceIdentity {
    try NamespaceIdentity(of: try current())
  }

  private static func current() throws(RedirectError) -> NetworkNamespace {
    do throws(LinuxError) {
      return try NetworkNamespace.current()
    } catch {
      throw .namespace(step: "open the node's own namespace", error)
    }
  }

  init(of namespace: borrowing NetworkNamespace) throws(RedirectError) {
    do throws(LinuxError) {
      inode = try namespace.inode()
    } catch {
      throw .namespace(step: "read the namespace's inode", error)
    }
    do throws(LinuxError) {
      cookie = try namespace.cookie()
    } catch {
      guard error.errno == ENOPROTOOPT else {
        throw .namespace(step: "read the namespace's cookie", error)
      }
      cookie = 0
    }
  }
}

extension PodKernel {
  /// Throws when the pins were made for another namespace.
  func require(_ identity: NamespaceIdentity) throws(RedirectError) {
    let facts = try facts()
    guard facts.namespaceInode == identity.inode, facts.namespaceCookie == identity.cookie else {
      throw .otherNamespace(
        uid: pins.uid, pinned: facts.namespaceInode, given: identity.inode)
    }
  }

  /// What is there now; the thread is in the pod's namespace, whose interfaces are given.
  func current(_ interfaces: Set<PodInterface>) throws(RedirectError) -> CurrentRedirection {
    var covered: Set<UInt32> = []
    for interface in interfaces where try egressProgram(on: interface.index) != nil {
      covered.insert(interface.index)
    }
    let facts = try facts()
    return CurrentRedirection(
      addresses: try localAddresses(), interfaces: covered, hasLookup: try hasLookup(),
      isThisBuild: facts.fingerprint == EmbeddedObject.fingerprint, isComplete: facts.isComplete,
      mode: try passage().mode)
  }

  func add(_ address: IPAddress) throws(RedirectError) {
    try addresses.put(redirect_address(address), 1)
  }

  func remove(_ address: IPAddress) throws(RedirectError) {
    try addresses.remove(redirect_address(address))
  }

  /// Sets it to 1, and keeps what it was, first.
  func set(
    _ sysctl: RedirectionSysctl, in network: PodNamespace
  ) throws(RedirectError) {
    guard let before = try network.value(of: sysctl) else {
      throw .namespace(
        step: "read \(sysctl.name)", LinuxError(call: "sysctl", errno: ENOENT))
    }
    if before == 1 { return }
    try change { if $0.sysctls[sysctl] == nil { $0.sysctls[sysctl] = before } }
    try network.set(sysctl, to: 1)
  }

  func restore(
    _ sysctl: RedirectionSysctl, in network: PodNamespace?
  ) throws(RedirectError) {
    guard let before = try facts().sysctls[sysctl] else { return }
    try network?.set(sysctl, to: before)
    try change { $0.sysctls[sysctl] = nil }
  }
}
