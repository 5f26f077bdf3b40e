import AgentProtocol
import Linux
import Logging
import MeshModel
import Redirect

extension Enroller {
  /// Carries out one action; what came of it at once, if anything.
  func perform(_ action: PodEnrolment.Action, on uid: String) -> PodEnrolment.Event? {
    switch action {
    case .openNamespace: return openNamespace(of: uid)
    case .closeNamespace: closeNamespace(of: uid)
    case .serve: return serve(uid)
    case .unserve: link.send(.removePod(uid: uid))
    case .dropListeners: entries[uid]?.listeners = []
    case .inspect: return inspect(uid)
    case .redirect: return redirect(uid)
    case .releaseRedirection: releaseRedirection(of: uid)
    case .prove: prove(uid)
    case .forget: forget(uid)
    }
    return nil
  }

  private func openNamespace(of uid: String) -> PodEnrolment.Event? {
    guard let entry = entries[uid] else { return nil }
    let pod = entry.pod
    if namespaceSource == .controlGroups {
      if !entry.isLeaving, let event = openCalled(uid, pod) { return event }
      look(at: uid)
      return nil
    }
    guard let path = pod.networkNamespace else {
      return .namespaceRefused(
        reason: "no CNI call named its network namespace; annotate the pod with skein.dev/netns")
    }
    do throws(LinuxError) {
      return try opened(try PodNamespace(path: path), of: uid, pod)
    } catch {
      return .namespaceRefused(reason: "its network namespace does not open: \(error)")
    }
  }

  /// Takes the namespace for the pod's, unless something speaks against that.
  func opened(
    _ namespace: PodNamespace, of uid: String, _ pod: DesiredPod
  ) throws(LinuxError) -> PodEnrolment.Event {
    if let failure = contradiction(in: proofInputs(of: uid, pod, namespace)) {
      return .namespaceRefused(reason: failure.description)
    }
    entries[uid]?.watchToken = try addresses.watch(namespace, of: uid)
    entries[uid]?.namespace = namespace
    return .namespaceOpened
  }

  /// Has the pod's capture proven; where it is told apart by its processes, those are looked at too.
  ///
  /// One that is closed and served by nobody has nothing to prove: it is looked at, and served when
  /// all agrees now.
  func prove(_ uid: String) {
    if let enrolment = entries[uid]?.enrolment, case .closed = enrolment.state, !enrolment.isServed
    {
      if let event = inspect(uid) { handle(event, of: uid) }
      return
    }
    startProof(of: uid)
    if namespaceSource == .controlGroups { look(at: uid) }
  }

  private func closeNamespace(of uid: String) {
    if let token = entries[uid]?.watchToken { addresses.forget(token) }
    entries[uid]?.watchToken = nil
    entries[uid]?.namespace = nil
    entries[uid]?.witness = nil
    entries[uid]?.doubt = nil
    // Sockets keep a namespace alive.
    entries[uid]?.listeners = []
    dns.forget(uid)
  }

  private func serve(_ uid: String) -> PodEnrolment.Event? {
    guard let entry = entries[uid], let namespace = entry.namespace else { return nil }
    do throws(LinuxError) {
      let pod = AgentProtocol.Pod(
        uid: uid, workloadUID: entry.pod.workloadUID, hasListeners: !entry.listeners.isEmpty,
        dnsCapture: entry.pod.dnsCapture)
      link.send(.addPod(pod), [try namespace.descriptor()] + entry.listeners)
      return nil
    } catch {
      return .tunnelFailed(reason: "\(error)")
    }
  }

  private func redirect(_ uid: String) -> PodEnrolment.Event? {
    guard let entry = entries[uid], let namespace = entry.namespace else { return nil }
    guard let listeners = PodListeners(entry.listeners.map(\.number)) else {
      return .tunnelFailed(reason: "it sent \(entry.listeners.count) listeners, not 3 or 6")
    }
    let pod = redirection(for: entry.pod)
    do throws(RedirectError) {
      if entry.isRedirectedByUs {
        try redirection.updateListeners(of: uid, to: listeners)
      } else {
        if let reason = try occupation(of: uid, entry, namespace) {
          try redirection.open(
            pod, namespace: namespace.namespace, listeners: listeners,
            until: entries[uid]?.awaitedUntil ?? MonotonicClock.now())
          return .occupied(reason: reason)
        }
        try enrol(pod, namespace, listeners, keepingUntil: keepingDeadline(of: uid))
        try followKept(of: uid)
      }
      entries[uid]?.isRedirectedByUs = true
      placeWaitingDNS(in: uid)
      if let reason = try objection(to: pod, in: namespace) {
        return .contradicted(reason: reason)
      }
      return .redirected
    } catch {
      return .redirectionFailed(reason: "\(error)")
    }
  }

  func enrol(
    _ pod: PodRedirection, _ namespace: PodNamespace, _ listeners: PodListeners?,
    keepingUntil deadline: Instant? = nil
  ) throws(RedirectError) {
    do throws(RedirectError) {
      try redirection.enrol(
        pod, namespace: namespace.namespace, listeners: listeners, keepingUntil: deadline)
    } catch .otherNamespace {
      // Pins of a namespace that this uid had before.
      try redirection.release(pod.uid)
      try redirection.enrol(pod, namespace: namespace.namespace, listeners: listeners)
    } catch .addressMissing {
      // Close it all the same: the proof says what is missing.
      var known = pod
      known.addresses = []
      try redirection.enrol(known, namespace: namespace.namespace, listeners: listeners)
    }
  }

  /// What speaks against the pod's capture, beside listeners that come later; nil when all agrees.
  private func objection(
    to pod: PodRedirection, in namespace: PodNamespace
  ) throws(RedirectError) -> String? {
    var evidence = try redirection.evidence(for: pod, namespace: namespace.namespace)
    evidence.missingListeners = 0
    let objections = evidence.objections
    return objections.isEmpty
      ? nil : ProofFailure.redirection(objections: objections).description
  }

  /// Looks at the pod, and closes or mends what is not as it must be.
  ///
  /// One that nothing contradicts and that is not captured yet is not touched: ztunnel's listeners
  /// come first. One that is contradicted is captured without listeners, and so closed.
  private func inspect(_ uid: String) -> PodEnrolment.Event? {
    guard namespaceSource == .controlGroups else { return inspectNow(uid) }
    entries[uid]?.wantsInspection = true
    look(at: uid)
    return nil
  }

  func inspectNow(_ uid: String) -> PodEnrolment.Event? {
    guard let entry = entries[uid], let namespace = entry.namespace else { return nil }
    let pod = redirection(for: entry.pod)
    do throws(RedirectError) {
      let isCaptured = try redirection.isEnrolled(uid) ? try !redirection.isOpen(uid) : false
      if !isCaptured,
        try redirection.missingAddresses(of: pod, namespace: namespace.namespace).isEmpty
      {
        return .agreed
      }
      // Also brings back what somebody removed, and addresses that came meanwhile.
      try enrol(
        pod, namespace, nil, keepingUntil: isCaptured ? keepingDeadline(of: uid) : nil)
      if !entry.isRedirectedByUs { try followKept(of: uid) }
      entries[uid]?.isRedirectedByUs = true
      let reason = try objection(to: pod, in: namespace)
      return reason.map { .contradicted(reason: $0) } ?? .agreed
    } catch {
      return entry.isRedirectedByUs
        ? .contradicted(reason: "\(error)") : .redirectionFailed(reason: "\(error)")
    }
  }

  func redirection(for pod: DesiredPod) -> PodRedirection {
    PodRedirection(
      uid: pod.uid, addresses: pod.addresses, namespacePath: pod.networkNamespace)
  }

  private func releaseRedirection(of uid: String) {
    guard let entry = entries[uid] else { return }
    entries[uid]?.isRedirectedByUs = false
    entries[uid]?.proof = nil
    entries[uid]?.living = nil
    do throws(RedirectError) {
      if let namespace = entry.namespace {
        try redirection.release(uid, namespace: namespace.namespace)
      } else {
        try redirection.release(uid)
      }
    } catch {
      logger.error(
        "the redirection stays", metadata: ["pod": "\(entry.pod.title)", "error": "\(error)"])
    }
  }

  private func forget(_ uid: String) {
    let successor = entries[uid]?.successor
    if let pod = entries[uid]?.pod {
      logger.info("pod is released", metadata: ["pod": "\(pod.title)"])
    }
    entries[uid] = nil
    if let successor { begin(successor) }
  }
}
