import Linux
import MeshModel
import Redirect

/// Which pods wait for a proof and how many are being proven, bounded.
struct ProvingQueue {
  private var waiting: [(uid: String, askedAt: Instant)] = []
  private(set) var running: Set<String> = []

  /// Asks for a proof; a pod that waits already waits once.
  mutating func add(_ uid: String, at now: Instant) {
    if !waiting.contains(where: { $0.uid == uid }) { waiting.append((uid, now)) }
  }

  /// The next pod to prove now, if any may start.
  mutating func next() -> (uid: String, askedAt: Instant)? {
    guard running.count < Limit.canariesAtOnce,
      let index = waiting.firstIndex(where: { !running.contains($0.uid) })
    else { return nil }
    let next = waiting.remove(at: index)
    running.insert(next.uid)
    return next
  }

  mutating func finished(_ uid: String) { running.remove(uid) }
}

/// Which canaries are on their way, and in which pod ztunnel saw them.
///
/// Any program of a pod may dial the canary's address: what nobody waits for is not kept.
struct CanaryReports: Hashable {
  private var pods: [UInt64: String?] = [:]

  mutating func expect(_ nonce: UInt64) { pods.updateValue(nil, forKey: nonce) }

  mutating func arrived(_ nonce: UInt64, in uid: String) {
    guard pods.keys.contains(nonce) else { return }
    pods.updateValue(uid, forKey: nonce)
  }

  /// Nil while it has not arrived.
  func pod(of nonce: UInt64) -> String? { pods[nonce] ?? nil }

  mutating func forget(_ nonce: UInt64) { pods.removeValue(forKey: nonce) }
}

/// What the last proof of a pod found.
struct ProofRecord: Hashable, Sendable {
  var checkedAt: WallTime
  /// The last time everything agreed.
  var provenAt: WallTime?
  var canaryIPv4: CanaryResult
  var canaryIPv6: CanaryResult
  var namespaceInode: UInt64
  var namespaceCookie: UInt64
  var cgroups: [String]
  var addresses: [IPAddress]
  var failures: UInt64
}

enum CanaryResult: Hashable, Sendable {
  case passed
  /// The pod has no address of the family.
  case notNeeded
  case failed(CanaryFailure)

  var text: String {
    switch self {
    case .passed: "passed"
    case .notNeeded: "not needed"
    case .failed(let failure): failure.description
    }
  }
}

extension Enroller {
  func startProof(of uid: String) {
    proving.add(uid, at: MonotonicClock.now())
    startProofs()
  }

  private func startProofs() {
    while let (uid, askedAt) = proving.next() {
      guard let entry = entries[uid], let namespace = entry.namespace, entry.isRedirectedByUs,
        !entry.isOnItsWayOut
      else {
        proving.finished(uid)
        continue
      }
      Task { await prove(uid, entry.epoch, entry.pod, namespace, askedAt) }
    }
  }

  private func prove(
    _ uid: String, _ epoch: UInt64, _ pod: DesiredPod, _ namespace: PodNamespace,
    _ askedAt: Instant
  ) async {
    let observation = await observe(uid, pod, namespace, askedAt)
    proving.finished(uid)
    if entries[uid]?.epoch == epoch, entries[uid]?.namespace === namespace {
      let before = entries[uid]?.proof
      let isProven = observation.failure == nil
      countCanary(passed: isProven)
      let now = WallClock.now()
      entries[uid]?.proof = ProofRecord(
        checkedAt: now, provenAt: isProven ? now : before?.provenAt,
        canaryIPv4: observation.ipv4, canaryIPv6: observation.ipv6,
        namespaceInode: namespace.inode, namespaceCookie: namespace.cookie,
        cgroups: Array(Set(observation.processes.map(\.cgroup))).sorted(),
        addresses: pod.addresses, failures: (before?.failures ?? 0) + (isProven ? 0 : 1))
      followDNS(observation.event, of: uid)
      handle(isProven && !isWitnessed(uid) ? .unwitnessed : observation.event, of: uid)
    }
    startProofs()
  }

  private struct Observation {
    var failure: ProofFailure?
    var ipv4 = CanaryResult.notNeeded
    var ipv6 = CanaryResult.notNeeded
    var processes: [PodProcess] = []

    var event: PodEnrolment.Event {
      switch failure {
      case nil: .proven
      case .canary(let isIPv4, let failure):
        .disproven(reason: ProofFailure.canary(isIPv4: isIPv4, failure).description)
      case .notLooked(let reason):
        .disproven(reason: ProofFailure.notLooked(reason: reason).description)
      case .nodeNamespace, .sharedNamespace, .redirection, .processPasses:
        .contradicted(reason: failure?.description ?? "")
      }
    }
  }

  /// Looks at everything a proof asks for, cheapest first, and stops at the first contradiction.
  private func observe(
    _ uid: String, _ pod: DesiredPod, _ namespace: PodNamespace, _ askedAt: Instant
  ) async -> Observation {
    var observation = Observation()
    let inode = namespace.inode
    let agent = link.peerProcessID
    do {
      let namespaces = Set(entries.values.compactMap { $0.namespace?.inode })
      observation.processes =
        try await processes.look(in: namespaces.union([inode]), except: agent, since: askedAt)[
          inode]
      let evidence = try redirection.evidence(
        for: redirection(for: pod), namespace: namespace.namespace)
      var inputs = proofInputs(of: uid, pod, namespace)
      inputs.processes = observation.processes
      inputs.objections = evidence.objections
      observation.failure = contradiction(in: inputs)
    } catch {
      observation.failure = .notLooked(reason: "\(error)")
    }
    if observation.failure != nil { return observation }
    if pod.addresses.contains(where: \.isIPv4) {
      observation.ipv4 = await canary(Canary.ipv4, of: uid, namespace)
    }
    if pod.addresses.contains(where: { !$0.isIPv4 }) {
      observation.ipv6 = await canary(Canary.ipv6, of: uid, namespace)
    }
    if case .failed(let failure) = observation.ipv4 {
      observation.failure = .canary(isIPv4: true, failure)
    } else if case .failed(let failure) = observation.ipv6 {
      observation.failure = .canary(isIPv4: false, failure)
    }
    return observation
  }

  private func canary(
    _ destination: SocketAddress, of uid: String, _ namespace: PodNamespace
  ) async -> CanaryResult {
    let nonce = Random.uint64()
    canaries.expect(nonce)
    defer { canaries.forget(nonce) }
    do throws(LinuxError) {
      let failure = try await onOwnThread("canary") {
        Canary.dial(destination, from: namespace.namespace, nonce: nonce)
      }
      if let failure { return .failed(failure) }
    } catch {
      return .failed(.notConnected(reason: "\(error)"))
    }
    // The answer came over TCP; the report comes over the agent's socket, a moment before or after.
    let deadline = MonotonicClock.now() + Limit.canaryReportWait
    while canaries.pod(of: nonce) == nil, MonotonicClock.now() < deadline {
      do {
        try await Task.sleep(for: .milliseconds(2))
      } catch {
        break
      }
    }
    guard let arrival = canaries.pod(of: nonce) else { return .failed(.notSeenByZTunnel) }
    return arrival == uid ? .passed : .failed(.attributed(to: arrival))
  }

  /// What is known without looking into the namespace.
  func proofInputs(
    of uid: String, _ pod: DesiredPod, _ namespace: PodNamespace
  ) -> ProofInputs {
    var titles: [UInt64: String] = [:]
    for (other, entry) in entries where other != uid {
      if let inode = entry.namespace?.inode { titles[inode] = entry.pod.title }
    }
    return ProofInputs(
      pod: pod, namespaceInode: namespace.inode, nodeNamespaceInode: nodeNamespaceInode,
      titlesByNamespace: titles, objections: [], processes: [], ztunnelCgroup: ztunnelCgroup)
  }
}
