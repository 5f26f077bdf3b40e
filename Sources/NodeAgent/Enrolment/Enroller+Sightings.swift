import Linux
import Logging
import MeshCompiler
import MeshModel
import Redirect

/// Where the namespaces of pods are known from.
enum NamespaceSource: Hashable, Sendable {
  /// Manifests say it, by the annotation `skein.dev/netns`.
  case annotations
  /// Of a cluster's pods only the kernel says it: see `Sighting`.
  case controlGroups
}

extension Enroller {
  /// Looks at the pod's processes soon, together with those of others; `saw` says what follows.
  func look(at uid: String) {
    guard sightings.add(uid) else { return }
    Task { await lookAtAll() }
  }

  /// Looks for strangers in the pods' namespaces now and then.
  func lookAtAllInTime(_ now: Instant) {
    guard namespaceSource == .controlGroups, sightings.isRoundDue(at: now) else { return }
    for (uid, entry) in entries where entry.namespace != nil { look(at: uid) }
  }

  private func lookAtAll() async {
    while let uids = sightings.next() {
      let node = nodeNamespaceInode
      do throws(LinuxError) {
        let search = try await onOwnThread("sightings") {
          Result { () throws(LinuxError) in try PodSearch(for: uids, nodeNamespace: node) }
        }.get()
        for uid in uids.sorted() { saw(uid, search) }
      } catch {
        for uid in uids.sorted() { sawNothing(of: uid, "\(error)") }
      }
    }
  }

  private func lookAgain(at uid: String) {
    Task {
      do {
        try await Task.sleep(for: Limit.sightingDoubt)
      } catch {
        return
      }
      look(at: uid)
    }
  }

  private func saw(_ uid: String, _ search: PodSearch) {
    guard let entry = entries[uid] else { return }
    if entry.isOnItsWayOut { return }
    let absence = search.sighting.absence(of: uid)
    let witnesses = search.witnesses[uid] ?? []
    guard absence == nil, !witnesses.isEmpty else {
      let reason = absence ?? "its processes changed while they were looked at"
      return sawNone(of: uid, entry, reason, search.sighting)
    }
    let called = calledNamespace(of: entry.pod)
    let isCalled = witnesses.contains { $0.namespaceInode == called }
    if let called, !isCalled, entry.namespace?.inode == called, !entry.isLeaving {
      return doubt(uid, entry, .elsewhere(processID: witnesses[0].processID))
    }
    do throws(RedirectError) {
      guard let witness = try witness(among: witnesses, of: entry, called) else {
        return doubt(uid, entry, .unclear(namespaces: witnesses.count))
      }
      let objection = search.sighting.objection(to: witness.namespaceInode, of: uid)
      try follow(witness, objection, of: uid, entry)
    } catch {
      sawNothing(of: uid, "\(error)")
    }
  }

  /// The one in the pod's namespace: that of its call, the only one, or the only one that has the
  /// pod's addresses.
  private func witness(
    among witnesses: [PodWitness], of entry: Entry, _ called: UInt64?
  ) throws(RedirectError) -> PodWitness? {
    if let witness = witnesses.first(where: { $0.namespaceInode == called }) { return witness }
    if witnesses.count == 1 { return witnesses[0] }
    var found: [PodWitness] = []
    for witness in witnesses where try hasAddresses(witness, of: entry.pod) {
      found.append(witness)
    }
    return found.count == 1 ? found[0] : nil
  }

  private func hasAddresses(
    _ witness: PodWitness, of pod: DesiredPod
  ) throws(RedirectError) -> Bool {
    let namespace: NetworkNamespace
    do throws(LinuxError) {
      namespace = try witness.namespace()
    } catch {
      // It ended meanwhile; the next look finds another.
      return false
    }
    return try redirection.missingAddresses(of: redirection(for: pod), namespace: namespace).isEmpty
  }

  private func follow(
    _ witness: PodWitness, _ objection: SightingObjection?, of uid: String, _ entry: Entry
  ) throws(RedirectError) {
    guard let namespace = entry.namespace else {
      if entry.isLeaving { return }
      // Somebody else's, for all that is known: it is not to be captured in this pod's name.
      if let objection, try !hasAddresses(witness, of: entry.pod) {
        return handle(.namespaceRefused(reason: "\(objection)"), of: uid)
      }
      return handle(opened(witness, of: uid, entry.pod), of: uid)
    }
    guard namespace.inode == witness.namespaceInode else {
      return handle(.namespaceGone, of: uid)
    }
    entries[uid]?.witness = witness
    if entry.isLeaving {
      guard entry.isRedirectedByUs else { return handle(.release, of: uid) }
      return handle(
        .contradicted(reason: "it was deleted, but process \(witness.processID) of it lives on"),
        of: uid)
    }
    if let objection { return doubt(uid, entry, objection) }
    // Its owner was all that its proof lacked.
    if entry.witness == nil, entry.enrolment.state == .proving { startProof(of: uid) }
    agree(uid)
  }

  /// Nothing speaks against the pod's processes, or against their absence.
  private func agree(_ uid: String) {
    entries[uid]?.doubt = nil
    guard entries[uid]?.wantsInspection == true else { return }
    entries[uid]?.wantsInspection = false
    if let event = inspectNow(uid) { handle(event, of: uid) }
  }

  private func opened(
    _ witness: PodWitness, of uid: String, _ pod: DesiredPod
  ) -> PodEnrolment.Event {
    do throws(LinuxError) {
      let event = try opened(try PodNamespace(witness), of: uid, pod)
      if event == .namespaceOpened { entries[uid]?.witness = witness }
      return event
    } catch {
      return .namespaceRefused(reason: "its network namespace does not open: \(error)")
    }
  }

  /// Acts on what was seen twice: a container's first process is elsewhere for an instant.
  private func doubt(_ uid: String, _ entry: Entry, _ objection: SightingObjection) {
    guard entry.doubt?.isSame(as: objection) == true else {
      entries[uid]?.doubt = objection
      return lookAgain(at: uid)
    }
    let reason = objection.description
    guard let namespace = entry.namespace else {
      return handle(.namespaceRefused(reason: reason), of: uid)
    }
    close(uid, entry, namespace, reason)
  }

  /// Captures the pod without anybody to serve it.
  private func close(
    _ uid: String, _ entry: Entry, _ namespace: PodNamespace, _ reason: String
  ) {
    do throws(RedirectError) {
      try enrol(redirection(for: entry.pod), namespace, nil)
      entries[uid]?.isRedirectedByUs = true
      handle(.contradicted(reason: reason), of: uid)
    } catch {
      handle(.redirectionFailed(reason: "\(error)"), of: uid)
    }
  }

  private func sawNone(
    of uid: String, _ entry: Entry, _ reason: String, _ sighting: Sighting
  ) {
    if entry.isLeaving { return handle(.release, of: uid) }
    guard let namespace = entry.namespace else {
      return handle(.namespaceAbsent(reason: reason), of: uid)
    }
    let called = calledNamespace(of: entry.pod)
    switch CallTrust(
      in: namespace.inode, called: called, since: entry.calledAt, at: MonotonicClock.now())
    {
    case .absent:
      handle(.namespaceGone, of: uid)
      if called != nil { handle(.start, of: uid) }
    case .fresh:
      entries[uid]?.witness = nil
      if let objection = sighting.objection(to: namespace.inode, of: uid) {
        return doubt(uid, entry, objection)
      }
      agree(uid)
    case .spent:
      entries[uid]?.witness = nil
      close(uid, entry, namespace, CallTrust.spentReason(reason))
    }
  }

  /// The look itself failed: what is proven stays, what is not is not begun.
  private func sawNothing(of uid: String, _ reason: String) {
    guard let entry = entries[uid] else { return }
    let reason = "its processes cannot be looked at: \(reason)"
    if entry.namespace == nil {
      handle(.namespaceRefused(reason: reason), of: uid)
    } else {
      logger.warning("\(reason)", metadata: ["pod": "\(entry.pod.title)"])
    }
  }

  /// Pods of ours that the cluster does not have any more, or has without an address.
  ///
  /// They stay captured until their processes are gone: none of them shall go on in plaintext.
  func departing(besides placements: [PodPlacement]) -> [DesiredPod] {
    guard namespaceSource == .controlGroups else { return [] }
    var known: [String: PodPlacement] = [:]
    for placement in placements { known[placement.uid] = placement }
    var kept: [DesiredPod] = []
    for (uid, entry) in entries {
      if entry.isOnItsWayOut { continue }
      entries[uid]?.isLeaving = known[uid] == nil
      guard let placement = known[uid] else {
        look(at: uid)
        kept.append(entry.pod)
        continue
      }
      guard placement.enrolment == .notEnrolled(.noAddress) else { continue }
      var pod = entry.pod
      // A runtime's word may have come, or gone.
      pod.networkNamespace = placement.networkNamespace
      kept.append(pod)
    }
    return kept
  }
}
