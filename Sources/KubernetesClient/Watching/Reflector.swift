public import MeshModel

/// Decides how the objects of one resource are followed: what came goes in, what changed and what
/// to do next come out.
///
/// A resource is looked for, listed page by page, then watched from the version of the list. What a
/// list says takes effect when it is complete; an object whose version is known already costs
/// nothing then. Nothing that fails takes an object away: only a complete list or the server's
/// word does.
public struct Reflector: Sendable {
  public enum Event: Sendable {
    /// The version of the API the resource is served in now; nil when it is not served.
    case served(apiVersion: String?)
    case page(ListPage)
    case line(WatchEvent)
    /// The watch's answer ended in order.
    case ended
    case failed(KubernetesError)
    /// The wait is over.
    case timer
  }

  public enum Action: Hashable, Sendable {
    case discover
    case list(apiVersion: String, limit: Int, next: String?)
    case watch(apiVersion: String, resourceVersion: String, lifetime: Duration)
    /// The next line of the watch that runs.
    case read
    case wait(Duration)
  }

  public enum Change: Hashable, Sendable {
    case applied(WatchedObject)
    case removed(ObjectName)
    /// There, and not read: what was known of it stays.
    case refused(RefusedObject)
  }

  public struct Step: Sendable {
    public var changes: [Change] = []
    public var action: Action
  }

  private enum Intent: Sendable {
    case discover
    case list(apiVersion: String, next: String?, listing: Listing)
    case watch(apiVersion: String, resourceVersion: String)
  }

  private enum State: Sendable {
    case discovering
    case listing(apiVersion: String, next: String?, listing: Listing)
    case watching(Watching)
    case waiting(Intent)
  }

  private var state = State.discovering
  private var backoff = Backoff()
  private var watchFailures = 0
  private var pageObjects = Limit.pageObjects
  private var versions: [ObjectName: String] = [:]
  /// True once a list was complete, or the resource was found not to be served; never false again.
  public private(set) var isSynced = false
  /// True while the resource is not served.
  public private(set) var isAbsent = false
  /// Why the objects may be out of date; nil while they are followed.
  public private(set) var problem: String?

  public init() {}

  public var objectCount: Int { versions.count }

  /// The first action.
  public var start: Action { .discover }

  public mutating func take(_ event: Event, at now: Instant, chance: Double) -> Step {
    switch event {
    case .served(let version): served(version, at: now, chance)
    case .page(let page): take(page, at: now, chance)
    case .line(let line): take(line, at: now, chance)
    case .ended: ended(at: now, chance)
    case .failed(let error): failed(error, at: now, chance)
    case .timer: timer(at: now, chance)
    }
  }

  // MARK: Looking for it

  private mutating func served(
    _ apiVersion: String?, at now: Instant, _ chance: Double
  ) -> Step {
    guard case .discovering = state else { preconditionFailure("an answer nobody asked for") }
    if let apiVersion {
      isAbsent = false
      return begin(.list(apiVersion: apiVersion, next: nil, listing: Listing()), at: now, chance)
    }
    if versions.isEmpty {
      (isSynced, isAbsent, problem) = (true, true, nil)
      backoff.succeeded()
    } else {
      // Its objects were never said to be deleted: a server that starts may not know it yet.
      problem = "not served any more; its \(versions.count) objects stay until it is again"
    }
    return wait(Limit.discoveryInterval * (1 + chance / 2), then: .discover)
  }

  // MARK: Listing

  private mutating func take(_ page: ListPage, at now: Instant, _ chance: Double) -> Step {
    guard case .listing(let apiVersion, _, var listing) = state else {
      preconditionFailure("a page nobody asked for")
    }
    // The listing has one owner from here on, so that it grows in place.
    state = .discovering
    listing.take(page, known: versions)
    guard listing.seen.count <= Limit.objects, listing.pages <= Limit.pages else {
      return failed(.tooLarge(limit: Limit.objects), at: now, chance)
    }
    if let next = page.next {
      return begin(.list(apiVersion: apiVersion, next: next, listing: listing), at: now, chance)
    }
    let changes = listing.changes(known: versions)
    versions = listing.seen
    (isSynced, isAbsent, problem) = (true, false, nil)
    pageObjects = Limit.pageObjects
    watchFailures = 0
    var step = begin(
      .watch(apiVersion: apiVersion, resourceVersion: listing.resourceVersion), at: now, chance)
    step.changes = changes
    return step
  }

  // MARK: Watching

  private mutating func take(_ line: WatchEvent, at now: Instant, _ chance: Double) -> Step {
    guard case .watching(var watching) = state else {
      preconditionFailure("a line of no watch")
    }
    var step = Step(action: .read)
    switch line {
    case .applied(let object):
      versions[object.name] = object.resourceVersion
      if versions.count > Limit.objects {
        return failed(.tooLarge(limit: Limit.objects), at: now, chance)
      }
      watching.advance(to: object.resourceVersion)
      step.changes = [object.asChange]
    case .deleted(let object):
      versions[object.name] = nil
      watching.advance(to: object.resourceVersion)
      step.changes = [.removed(object.name)]
    case .bookmark(let version): watching.advance(to: version)
    case .unknown: break
    case .error(let status): return failed(.status(status), at: now, chance)
    }
    succeeded()
    state = .watching(watching)
    return step
  }

  private mutating func ended(at now: Instant, _ chance: Double) -> Step {
    guard case .watching(let watching) = state else {
      preconditionFailure("the end of no watch")
    }
    let again = Intent.watch(
      apiVersion: watching.apiVersion, resourceVersion: watching.resourceVersion)
    if watching.isSteady(at: now) {
      succeeded()
      return begin(again, at: now, chance)
    }
    return wait(backoff.failed(chance: chance, retryAfter: nil), then: again)
  }

  private mutating func succeeded() {
    backoff.succeeded()
    watchFailures = 0
    problem = nil
  }

  // MARK: Failing

  private mutating func failed(
    _ error: KubernetesError, at now: Instant, _ chance: Double
  ) -> Step {
    let intent: Intent
    switch state {
    case .discovering, .waiting:
      intent = .discover
    case .listing(let apiVersion, let next, let listing):
      if case .tooLarge = error, pageObjects > 1 {
        // Large objects: the same page again, in smaller pieces.
        pageObjects /= 2
        return begin(
          .list(apiVersion: apiVersion, next: next, listing: listing), at: now, chance)
      }
      intent = afterList(error, apiVersion, next, listing)
    case .watching(let watching):
      if watching.isSteady(at: now) { succeeded() }
      intent = afterWatch(error, watching)
    }
    // An old version is no fault of anybody, once; a storm of it is.
    if error.status?.isExpired == true, backoff.failures == 0 {
      _ = backoff.failed(chance: chance, retryAfter: nil)
      return begin(intent, at: now, chance)
    }
    problem = "\(error)"
    return wait(backoff.failed(chance: chance, retryAfter: error.status?.retryAfter), then: intent)
  }

  private func afterList(
    _ error: KubernetesError, _ apiVersion: String, _ next: String?, _ listing: Listing
  ) -> Intent {
    if error.status?.isNotFound == true { return .discover }
    // A continuation may be tried again, but for one that is too old, or wrong for any reason.
    let isOfServer = error.status.map { !(400..<500).contains($0.code) || $0.code == 429 } ?? true
    if next != nil, isOfServer, backoff.failures < Limit.watchFailures {
      return .list(apiVersion: apiVersion, next: next, listing: listing)
    }
    return .list(apiVersion: apiVersion, next: nil, listing: Listing())
  }

  private mutating func afterWatch(_ error: KubernetesError, _ watching: Watching) -> Intent {
    watchFailures += 1
    if error.status?.isNotFound == true { return .discover }
    // A line too long or unreadable hides a change, and a version may be of no use for good.
    let isLost =
      switch error {
      case .tooLarge, .malformed: true
      case .status(let status): status.isExpired || status.code == 400
      case .notInCluster, .unreadable, .configuration, .credentialProgram,
        .unusableAuthority, .unusableClientCertificate, .unreachable, .timedOut, .cancelled:
        false
      }
    if isLost || watchFailures >= Limit.watchFailures {
      return .list(apiVersion: watching.apiVersion, next: nil, listing: Listing())
    }
    return .watch(apiVersion: watching.apiVersion, resourceVersion: watching.resourceVersion)
  }

  // MARK: Going on

  private mutating func timer(at now: Instant, _ chance: Double) -> Step {
    guard case .waiting(let intent) = state else { preconditionFailure("no wait has ended") }
    return begin(intent, at: now, chance)
  }

  private mutating func wait(_ duration: Duration, then intent: Intent) -> Step {
    state = .waiting(intent)
    return Step(action: .wait(duration))
  }

  private mutating func begin(_ intent: Intent, at now: Instant, _ chance: Double) -> Step {
    switch intent {
    case .discover:
      state = .discovering
      return Step(action: .discover)
    case .list(let apiVersion, let next, let listing):
      state = .listing(apiVersion: apiVersion, next: next, listing: listing)
      return Step(action: .list(apiVersion: apiVersion, limit: pageObjects, next: next))
    case .watch(let apiVersion, let version):
      state = .watching(
        Watching(apiVersion: apiVersion, resourceVersion: version, since: now))
      return Step(
        action: .watch(
          apiVersion: apiVersion, resourceVersion: version,
          lifetime: Limit.watchLifetime * (1 + chance)))
    }
  }
}
