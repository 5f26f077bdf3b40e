import Linux
import Logging
import MeshCompiler
import MeshModel
import Redirect
import Telemetry

extension Enroller {
  /// The identities that ztunnel may ask certificates for, and those it needs now.
  var demand: CertificateDemand {
    var demand = CertificateDemand()
    for entry in entries.values where entry.enrolment.mayHoldIdentity {
      demand.identities.insert(entry.pod.identity)
      switch entry.enrolment.state {
      case .enrolled, .draining: demand.serving.insert(entry.pod.identity)
      case .waiting, .listening, .proving, .closed, .failed, .releasing: break
      }
    }
    return demand
  }

  /// Pods by the name of their state, for metrics.
  var countsByState: [String: Int] {
    entries.values.reduce(into: [:]) { $0[$1.enrolment.state.name, default: 0] += 1 }
  }

  var redirectedCount: Int { entries.values.count { $0.enrolment.isRedirected } }

  /// The pod's name for people; the uid when it is no pod of ours.
  func title(of uid: String) -> String { entries[uid]?.pod.title ?? uid }

  var titles: [String: String] { entries.mapValues(\.pod.title) }

  /// Every pod of this node, those outside the mesh too.
  func status() -> [PodStatus] {
    let ours = entries.values.map { entry in
      let state = entry.enrolment.state
      return PodStatus(
        namespace: entry.pod.namespace, name: entry.pod.name, uid: entry.pod.uid,
        workloadUID: entry.pod.workloadUID, identity: entry.pod.identity.description,
        addresses: entry.pod.addresses.map(\.description),
        netns: entry.namespace?.path ?? entry.pod.networkNamespace ?? "",
        netnsInode: entry.namespace?.inode,
        state: state.name, reason: state.reason, proof: entry.proof.map(ProofStatus.init),
        counters: entry.isRedirectedByUs ? counters(of: entry.pod.uid) : [:],
        livingConnections: entry.living.map { living in
          LivingConnectionStatus(
            kind: living.kind.rawValue, count: living.count,
            until: time(of: living.until, MonotonicClock.now()))
        })
    }
    let others = bystanders.filter { entries[$0.uid] == nil }.map { placement in
      PodStatus(
        namespace: placement.namespace, name: placement.name, uid: placement.uid,
        workloadUID: placement.workloadUID, identity: placement.identity.description,
        addresses: placement.addresses.map(\.description),
        netns: placement.networkNamespace ?? "", netnsInode: nil, state: "notEnrolled",
        reason: placement.enrolment.reason, proof: nil, counters: [:])
    }
    return (ours + others).sorted { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
  }

  private func counters(of uid: String) -> [String: UInt64] {
    do throws(RedirectError) {
      let named = try redirection.counters(of: uid).named
      return Dictionary(uniqueKeysWithValues: named.map { ($0.name, $0.value) })
    } catch {
      logger.debug("no counters", metadata: ["pod": "\(uid)", "error": "\(error)"])
      return [:]
    }
  }

  /// Lets every pod go and waits until it is so; a line for each that stays.
  func releaseAll() async -> [String] {
    for uid in entries.keys.sorted() {
      entries[uid]?.successor = nil
      handle(.release, of: uid)
    }
    let deadline = MonotonicClock.now() + Limit.releaseWait
    while !entries.isEmpty, MonotonicClock.now() < deadline {
      do {
        try await Task.sleep(for: .milliseconds(10))
      } catch {
        break
      }
    }
    // Those whose ztunnel says nothing are released without it.
    for uid in entries.keys.sorted() { handle(.tunnelReleased, of: uid) }
    return entries.values.map { "pod \($0.pod.title) is not released" }
  }
}

extension Enrolment {
  fileprivate var reason: String? {
    switch self {
    case .enrolled: nil
    case .notEnrolled(let reason): reason.rawValue
    }
  }
}

extension ProofStatus {
  init(_ record: ProofRecord) {
    self.init(
      provenAt: record.provenAt?.timestamp, checkedAt: record.checkedAt.timestamp,
      canaryIPv4: record.canaryIPv4.text, canaryIPv6: record.canaryIPv6.text,
      netnsInode: record.namespaceInode, netnsCookie: record.namespaceCookie,
      cgroups: record.cgroups, addresses: record.addresses.map(\.description),
      failures: record.failures)
  }
}
