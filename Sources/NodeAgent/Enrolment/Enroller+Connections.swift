import Linux
import Logging
import MeshCompiler
import MeshModel
import Redirect
import Telemetry

/// Connections that live when their pod comes into the mesh or leaves it: docs/decisions/0013.
extension Enroller {
  func settings(of pod: DesiredPod) -> ConnectionSettings {
    connectionSettings.following(pod.connectionWish)
  }

  // MARK: On the way in

  /// Until when connections of the pod may go on that it has now; when that is over they are cut.
  func keepingDeadline(of uid: String) -> Instant {
    let now = MonotonicClock.now()
    guard let entry = entries[uid] else { return now }
    let settings = settings(of: entry.pod)
    switch settings.mode {
    case .reset: return now
    case .grandfather: return now + settings.deadline
    // Those that came up since the last look end with the wait.
    case .wait: return entry.awaitedUntil ?? now + settings.deadline
    }
  }

  /// Why a pod that waits for its connections is not captured yet; nil when it may be.
  func occupation(
    of uid: String, _ entry: Entry, _ namespace: PodNamespace
  ) throws(RedirectError) -> String? {
    let settings = settings(of: entry.pod)
    guard settings.mode == .wait else {
      entries[uid]?.living = nil
      return nil
    }
    let now = MonotonicClock.now()
    let until = entry.awaitedUntil ?? now + settings.deadline
    entries[uid]?.awaitedUntil = until
    let count = try redirection.existingConnections(in: namespace.namespace)
    guard count > 0, now < until else {
      entries[uid]?.living = nil
      return nil
    }
    entries[uid]?.living = LivingConnections(.awaited, count: count, until: until, at: now)
    return "\(count) connections that it has, at most until \(time(of: until, now))"
  }

  /// Looks how many go on in a pod that was just captured.
  func followKept(of uid: String) throws(RedirectError) {
    guard let entry = entries[uid], let namespace = entry.namespace else { return }
    let passage = try redirection.passage(of: uid)
    entries[uid]?.living = nil
    guard passage.mode == .keep else { return }
    let count = try redirection.keptConnections(of: uid, namespace: namespace.namespace)
    guard count > 0 else { return }
    let now = MonotonicClock.now()
    guard passage.until > now else {
      return tellCut(try redirection.endKept(of: uid, namespace: namespace.namespace), entry)
    }
    entries[uid]?.living = LivingConnections(
      .grandfathered, count: count, until: passage.until, at: now)
    logger.info(
      "connections of before go on, in plaintext",
      metadata: [
        "pod": "\(entry.pod.title)", "count": "\(count)",
        "until": "\(time(of: passage.until, now))",
      ])
  }

  // MARK: On the way out

  /// Releases a pod; where it is so wanted, its connections end as what they are.
  ///
  /// - until: when the last of them is cut; nil for as long as its settings say.
  func letGo(_ uid: String, until earlier: Instant? = nil) {
    guard let entry = entries[uid] else { return }
    if case .draining = entry.enrolment.state { return }
    guard settings(of: entry.pod).mode != .reset, !entry.isLeaving, entry.enrolment.mayDrain,
      let namespace = entry.namespace
    else { return handle(.release, of: uid) }
    let now = MonotonicClock.now()
    let until = earlier ?? now + settings(of: entry.pod).deadline
    do throws(RedirectError) {
      guard try redirection.drain(uid, namespace: namespace.namespace, until: until) else {
        logger.warning(
          "its connections are cut: they are too many",
          metadata: ["pod": "\(entry.pod.title)", "limit": "\(RedirectLimit.keptConnections)"])
        return handle(.release, of: uid)
      }
    } catch {
      logger.warning(
        "its connections are cut", metadata: ["pod": "\(entry.pod.title)", "error": "\(error)"])
      return handle(.release, of: uid)
    }
    entries[uid]?.living = LivingConnections(.draining, count: 0, until: until, at: now)
    dns.suspended.insert(uid)
    handle(.drain(until: until), of: uid)
  }

  /// Pods that an earlier node agent was letting go: they count as wanted until they are looked at, so
  /// that their connections have somebody.
  func drainingStill(_ placements: [PodPlacement], on node: String) -> [DesiredPod] {
    guard !draining.isEmpty else { return [] }
    // What else takes a pod out of the mesh leaves nothing to drain.
    let byLabel: [Enrolment.Reason] = [.notLabelled, .optedOut, .noInjection]
    let now = MonotonicClock.now()
    let pods = placements.filter { placement in
      guard let until = draining[placement.uid] else { return false }
      return placement.node == node && until > now
        && byLabel.contains { placement.enrolment == .notEnrolled($0) }
    }
    let uids = Set(pods.map(\.uid))
    draining = draining.filter { uids.contains($0.key) }
    return pods.map(DesiredPod.init)
  }

  /// Lets such a pod go again, once ztunnel and the pod have been seen, or its time is over.
  func drainAgain(_ uid: String) {
    guard let until = draining[uid], let entry = entries[uid] else { return }
    guard entry.enrolment.mayDrain || until <= MonotonicClock.now() else { return }
    draining[uid] = nil
    letGo(uid, until: until)
  }

  /// The pod is wanted again before it was let go; false when it has to be begun anew.
  func takeBack(_ pod: DesiredPod) -> Bool {
    guard let entry = entries[pod.uid], case .draining = entry.enrolment.state,
      entry.pod.workloadUID == pod.workloadUID, entry.pod.dnsCapture == pod.dnsCapture,
      namespaceSource == .controlGroups || entry.pod.networkNamespace == pod.networkNamespace
    else { return false }
    entries[pod.uid]?.pod = pod
    entries[pod.uid]?.living = nil
    // As one that is not captured yet, so that its plain connections are taken care of.
    entries[pod.uid]?.isRedirectedByUs = false
    handle(.takenBack, of: pod.uid)
    return true
  }

  // MARK: Time

  /// Counts the connections that were let live, and cuts those whose time is over.
  func followConnections(of uid: String) {
    guard let entry = entries[uid], let living = entry.living, let namespace = entry.namespace
    else { return }
    let now = MonotonicClock.now()
    guard living.nextAt <= now || living.until <= now else { return }
    do throws(RedirectError) {
      switch living.kind {
      case .awaited: break
      case .grandfathered: try followGrandfathered(uid, entry, living, namespace, at: now)
      case .draining: try followDraining(uid, entry, living, namespace, at: now)
      }
    } catch {
      logger.warning(
        "its connections cannot be followed",
        metadata: ["pod": "\(entry.pod.title)", "error": "\(error)"])
      entries[uid]?.living?.nextAt = now + Limit.livingConnectionsCheck
      if living.until <= now, living.kind == .draining { handle(.drained, of: uid) }
    }
  }

  private func followGrandfathered(
    _ uid: String, _ entry: Entry, _ living: LivingConnections, _ namespace: PodNamespace,
    at now: Instant
  ) throws(RedirectError) {
    if living.until <= now {
      let count = try redirection.endKept(of: uid, namespace: namespace.namespace)
      tellCut(count, entry)
      entries[uid]?.living = nil
      return
    }
    let count = try redirection.keptConnections(of: uid, namespace: namespace.namespace)
    guard count > 0 else {
      entries[uid]?.living = nil
      logger.info(
        "the last connection of before has ended", metadata: ["pod": "\(entry.pod.title)"])
      return
    }
    entries[uid]?.living = LivingConnections(
      .grandfathered, count: count, until: living.until, at: now)
  }

  private func followDraining(
    _ uid: String, _ entry: Entry, _ living: LivingConnections, _ namespace: PodNamespace,
    at now: Instant
  ) throws(RedirectError) {
    let count = try redirection.drainingConnections(of: uid, namespace: namespace.namespace)
    if living.until <= now { tellCut(count, entry) }
    // Others may not know yet that the pod leaves, and open tunnels to it.
    let hasRested = entry.enrolment.hasDrained(for: Limit.drainLeast, at: now)
    guard living.until > now, count > 0 || !hasRested else {
      entries[uid]?.living = nil
      return handle(.drained, of: uid)
    }
    entries[uid]?.living = LivingConnections(.draining, count: count, until: living.until, at: now)
  }

  private func tellCut(_ count: Int, _ entry: Entry) {
    guard count > 0 else { return }
    connectionCounters.cut += UInt64(count)
    logger.warning(
      "connections are cut",
      metadata: ["pod": "\(entry.pod.title)", "count": "\(count)"])
  }

  /// What lives on now.
  var livingConnections: LivingConnectionCounters {
    var counters = connectionCounters
    for entry in entries.values {
      switch entry.living?.kind {
      case .grandfathered: counters.grandfathered += entry.living?.count ?? 0
      case .draining: counters.draining += entry.living?.count ?? 0
      case .awaited, nil: break
      }
    }
    return counters
  }

  func time(of instant: Instant, _ now: Instant) -> String {
    let seconds = Double(instant.since(now).milliseconds) / 1_000
    return WallTime(secondsSinceEpoch: WallClock.now().secondsSinceEpoch + seconds).timestamp
  }
}
