import MeshModel
import Telemetry

/// Where a pod stands on its way into the mesh; the names appear in status and metrics.
enum PodState: Hashable, Sendable {
  /// Nothing is in place yet: for its namespace, or for ztunnel.
  case waiting(reason: String)
  /// ztunnel was asked to listen in the pod.
  case listening(since: Instant)
  /// Captured, but not yet proven.
  case proving
  /// Captured and proven.
  case enrolled
  /// Captured, but a proof failed: nothing leaves in plaintext, and nothing is promised.
  case closed(reason: String)
  /// Enrolment did not work; the pod is as if not enrolled.
  case failed(reason: String)
  /// On its way out; new connections are its own, those of ztunnel end as such.
  case draining(since: Instant, until: Instant)
  /// On its way out; ztunnel lets go first, so that no live connection goes on in plaintext.
  case releasing(since: Instant)

  static let names = [
    "waiting", "listening", "proving", "enrolled", "closed", "failed", "draining", "releasing",
  ]

  var name: String {
    switch self {
    case .waiting: "waiting"
    case .listening: "listening"
    case .proving: "proving"
    case .enrolled: "enrolled"
    case .closed: "closed"
    case .failed: "failed"
    case .draining: "draining"
    case .releasing: "releasing"
    }
  }

  var reason: String? {
    switch self {
    case .waiting(let reason), .closed(let reason), .failed(let reason): reason
    case .listening, .proving, .enrolled, .draining, .releasing: nil
    }
  }
}

/// One pod's way into the mesh and out of it: eats what happened, returns what to do.
///
///     start -> namespace open -> agrees -> ztunnel listens -> redirected -> proven = enrolled
///
/// The namespace, ztunnel and the redirection come and go on their own; flags say which of them is
/// there now. The state says what an operator should know.
struct PodEnrolment: Hashable {
  enum Event: Hashable {
    case start
    case namespaceOpened
    case namespaceRefused(reason: String)
    /// There is none yet: nothing of the pod runs.
    case namespaceAbsent(reason: String)
    case namespaceGone
    /// - serves: whether it already listens in this pod, and will send its listeners by itself.
    case tunnelConnected(serves: Bool)
    case tunnelLost
    /// ztunnel's listeners for this pod arrived.
    case listening
    case tunnelFailed(reason: String)
    /// ztunnel holds nothing of the pod any more.
    case tunnelReleased
    case redirected
    case redirectionFailed(reason: String)
    case proven
    /// It would be, but no process of the pod was seen in its namespace yet.
    case unwitnessed
    /// The canary did not arrive; what is in place stays.
    case disproven(reason: String)
    /// The pod is not what its manifest says, or not captured as it must be: nobody may act for it.
    case contradicted(reason: String)
    /// Nothing contradicts the pod, or nothing does any more.
    case agreed
    /// It has connections that it is to have no more before it is captured.
    case occupied(reason: String)
    /// Its new connections are its own from now on, and ztunnel keeps those it has.
    case drain(until: Instant)
    /// ztunnel's have ended, or had their time.
    case drained
    /// It is wanted again.
    case takenBack
    case release
    case tick
  }

  enum Action: Hashable {
    case openNamespace
    case closeNamespace
    /// Ask ztunnel to listen in the pod, with the listeners kept, if any.
    case serve
    case unserve
    /// Close the copies of ztunnel's listeners, so that nothing waits in them.
    case dropListeners
    /// Look whether something contradicts the pod; mend its capture when it has one.
    case inspect
    /// Put the listeners into the pod's redirection, making it when it is not there.
    case redirect
    case releaseRedirection
    case prove
    case forget
  }

  private(set) var state = PodState.waiting(reason: "not looked at yet")
  private(set) var isNamespaceOpen = false
  private(set) var isTunnelConnected: Bool
  private(set) var isServed = false
  private(set) var isRedirected = false
  /// Whether ztunnel serves it for an earlier node agent, and this one has not looked at it yet.
  private var isInherited = false
  /// When to try or to prove again.
  private var nextAt: Instant?
  /// How often there was no namespace, one time after the other.
  private var absences = 0

  init(isTunnelConnected: Bool) {
    self.isTunnelConnected = isTunnelConnected
  }

  /// Whether ztunnel may ask a certificate for the pod now: not while something contradicts it.
  var mayHoldIdentity: Bool {
    switch state {
    case .listening, .proving, .enrolled, .draining: true
    case .closed, .waiting: isServed
    case .failed, .releasing: false
    }
  }

  /// Whether its connections can be left to end: ztunnel serves it, and it is captured.
  var mayDrain: Bool {
    guard isServed, isTunnelConnected, isRedirected, isNamespaceOpen else { return false }
    return state == .enrolled || state == .proving
  }

  func hasDrained(for time: Duration, at now: Instant) -> Bool {
    guard case .draining(let since, _) = state else { return true }
    return now.since(since) >= time
  }

  mutating func on(_ event: Event, at now: Instant) -> [Action] {
    if case .releasing = state { return releasing(event, at: now) }
    if case .draining = state { return draining(event, at: now) }
    switch event {
    case .start: return [.openNamespace]
    case .namespaceOpened:
      isNamespaceOpen = true
      absences = 0
      return inspect(at: now)
    case .namespaceRefused(let reason):
      fail(reason, at: now)
      return disinherit()
    case .namespaceAbsent(let reason): return namespaceAbsent(reason, at: now)
    case .namespaceGone: return namespaceGone(at: now)
    case .tunnelConnected(let serves): return tunnelConnected(serves: serves, at: now)
    case .tunnelLost:
      tunnelLost()
      return []
    case .listening:
      isServed = true
      if isNamespaceOpen { return [.redirect] }
      return isInherited ? [] : [.unserve]
    case .tunnelFailed(let reason):
      isServed = false
      fail("ztunnel: \(reason)", at: now)
      return []
    case .tunnelReleased:
      isServed = false
      return []
    case .redirected:
      isRedirected = true
      if state != .enrolled { state = .proving }
      return [.prove]
    case .redirectionFailed(let reason):
      fail(reason, at: now)
      return []
    case .proven: return looked(.enrolled, again: Limit.canaryInterval, at: now)
    case .unwitnessed:
      return looked(state == .enrolled ? state : .proving, again: Limit.enrolmentRetry, at: now)
    case .disproven(let reason):
      let closed = PodState.closed(reason: isTunnelConnected ? reason : "ztunnel is not connected")
      return looked(closed, again: Limit.enrolmentRetry, at: now)
    case .contradicted(let reason): return contradicted(reason, at: now)
    case .agreed: return serve(at: now)
    case .occupied(let reason):
      waitForConnections(reason, at: now)
      return []
    case .drain(let until):
      state = .draining(since: now, until: until)
      return []
    case .drained, .takenBack: return []
    case .release: return release(at: now)
    case .tick: return tick(at: now)
    }
  }

  /// What a proof says of a pod that is still captured.
  private mutating func looked(
    _ found: PodState, again wait: Duration, at now: Instant
  ) -> [Action] {
    guard isRedirected else { return [] }
    state = found
    nextAt = now + wait
    return []
  }

  private mutating func waitForConnections(_ reason: String, at now: Instant) {
    state = .waiting(reason: "waiting: \(reason)")
    nextAt = now + Limit.livingConnectionsCheck
  }

  private mutating func serve(at now: Instant) -> [Action] {
    guard isTunnelConnected else {
      if !isRedirected { state = .waiting(reason: "ztunnel is not connected") }
      return []
    }
    let wasInherited = isInherited
    isInherited = false
    if isServed { return wasInherited ? [.redirect] : [] }
    if !isRedirected { state = .listening(since: now) }
    nextAt = now + Limit.listeningWait
    return [.serve]
  }

  /// A pod is looked at before ztunnel may act for it.
  private mutating func inspect(at now: Instant) -> [Action] {
    nextAt = now + Limit.enrolmentRetry
    return [.inspect]
  }

  /// One that is proven waits for nothing.
  private mutating func serveOrInspect(at now: Instant) -> [Action] {
    state == .enrolled ? serve(at: now) : inspect(at: now)
  }

  /// Captured and served by nobody: its connections fail instead of speaking in a wrong name.
  private mutating func contradicted(_ reason: String, at now: Instant) -> [Action] {
    isRedirected = true
    state = .closed(reason: reason)
    nextAt = now + Limit.enrolmentRetry
    let unserve: [Action] = isServed ? [.unserve, .dropListeners] : []
    isServed = false
    return unserve
  }

  private mutating func tunnelConnected(serves: Bool, at now: Instant) -> [Action] {
    isTunnelConnected = true
    isServed = false
    isInherited = serves && !isNamespaceOpen
    guard serves else { return isNamespaceOpen ? serveOrInspect(at: now) : [] }
    if !isRedirected { state = .listening(since: now) }
    nextAt = now + Limit.listeningWait
    return []
  }

  private mutating func namespaceAbsent(_ reason: String, at now: Instant) -> [Action] {
    state = .waiting(reason: reason)
    nextAt = now + min(Limit.absenceRetryFirst * (1 << min(absences, 10)), Limit.absenceRetryMost)
    absences += 1
    // Its processes may have changed while they were looked at.
    return absences > 1 ? disinherit() : []
  }

  /// Nothing speaks for it: what an earlier node agent began ends.
  private mutating func disinherit() -> [Action] {
    guard isInherited else { return [] }
    isInherited = false
    let unserve: [Action] = isServed ? [.unserve] : []
    isServed = false
    return unserve
  }

  private mutating func tunnelLost() {
    isTunnelConnected = false
    isServed = false
    isInherited = false
    if case .listening = state { state = .waiting(reason: "ztunnel is not connected") }
  }

  private mutating func namespaceGone(at now: Instant) -> [Action] {
    isNamespaceOpen = false
    isRedirected = false
    state = .waiting(reason: "its network namespace is gone")
    // Another may have taken its place already.
    nextAt = now
    let unserve: [Action] = isServed ? [.unserve] : []
    isServed = false
    return unserve + [.closeNamespace, .releaseRedirection]
  }

  /// What is captured stays captured.
  private mutating func fail(_ reason: String, at now: Instant) {
    state = isRedirected ? .closed(reason: reason) : .failed(reason: reason)
    nextAt = now + Limit.enrolmentRetry
  }

  private mutating func tick(at now: Instant) -> [Action] {
    guard let nextAt, nextAt <= now else { return [] }
    guard isNamespaceOpen else {
      self.nextAt = now + Limit.enrolmentRetry
      return [.openNamespace]
    }
    guard isTunnelConnected else { return [] }
    guard isServed else {
      if case .listening = state {
        fail("ztunnel did not listen in the pod within \(Limit.listeningWait.brief)", at: now)
        return []
      }
      return serveOrInspect(at: now)
    }
    self.nextAt = now + Limit.enrolmentRetry
    return [isRedirected ? .prove : .redirect]
  }

  private mutating func release(at now: Instant) -> [Action] {
    guard isServed, isTunnelConnected else {
      return [.releaseRedirection, .closeNamespace, .forget]
    }
    state = .releasing(since: now)
    return [.unserve]
  }

  private mutating func draining(_ event: Event, at now: Instant) -> [Action] {
    switch event {
    case .takenBack:
      state = .proving
      return [.redirect]
    case .drained, .release, .namespaceGone: return release(at: now)
    case .tunnelLost:
      tunnelLost()
      return release(at: now)
    case .tunnelReleased, .tunnelFailed:
      isServed = false
      return release(at: now)
    case .start, .namespaceOpened, .namespaceRefused, .namespaceAbsent, .tunnelConnected,
      .listening, .redirected, .redirectionFailed, .proven, .unwitnessed, .disproven,
      .contradicted, .agreed, .occupied, .drain, .tick:
      return []
    }
  }

  private mutating func releasing(_ event: Event, at now: Instant) -> [Action] {
    guard case .releasing(let since) = state else { return [] }
    switch event {
    case .tunnelReleased, .tunnelLost, .namespaceGone:
      return [.releaseRedirection, .closeNamespace, .forget]
    case .tick where now.since(since) >= Limit.releaseWait:
      return [.releaseRedirection, .closeNamespace, .forget]
    case .start, .namespaceOpened, .namespaceRefused, .namespaceAbsent, .tunnelConnected,
      .listening, .tunnelFailed, .redirected, .redirectionFailed, .proven, .unwitnessed, .disproven,
      .contradicted, .agreed, .occupied, .drain, .drained, .takenBack, .release, .tick:
      return []
    }
  }
}
