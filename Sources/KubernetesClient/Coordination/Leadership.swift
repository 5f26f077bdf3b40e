import Linux
import MeshCompiler
import MeshModel
import Synchronization

/// One replica's part in an election, for as long as its task lives.
public final class Leadership: Sendable {
  private let client: KubernetesClient
  private let namespace: String
  private let name: String
  private let election: Mutex<Election>
  private let failure = Mutex<KubernetesError?>(nil)

  public init(
    _ client: KubernetesClient, namespace: String, name: String, identity: String,
    rules: Election.Rules = Election.Rules()
  ) {
    self.client = client
    self.namespace = namespace
    self.name = name
    election = Mutex(Election(identity: identity, rules: rules))
  }

  /// Whether this replica leads now; false at once when renewing took too long.
  public var isLeading: Bool { election.withLock { $0.isLeading(at: MonotonicClock.now()) } }

  /// Why the last look at the Lease, or write of it, did not work; nil when it did.
  public var problem: KubernetesError? { failure.withLock(\.self) }

  /// Takes part until the task is cancelled, and gives up the Lease then.
  public func run() async {
    var action = election.withLock(\.start)
    while !Task.isCancelled { action = decide(await carryOut(action)) }
    let last = decide(.leaving)
    guard last != .end else { return }
    // A child of its own: the task that ran is cancelled, and this one write is to happen.
    _ = await Task { await carryOut(last) }.value
  }

  private func decide(_ event: Election.Event) -> Election.Action {
    election.withLock {
      $0.take(
        event, at: MonotonicClock.now(), wall: WallClock.now(), chance: Random.fraction())
    }
  }

  private func carryOut(_ action: Election.Action) async -> Election.Event {
    do throws(KubernetesError) {
      let event = try await event(after: action)
      if event.isAnswer { failure.withLock { $0 = nil } }
      return event
    } catch {
      if error.status?.isConflict == true { return .conflict }
      if error != .cancelled { failure.withLock { $0 = error } }
      return .failed
    }
  }

  private func event(
    after action: Election.Action
  ) async throws(KubernetesError) -> Election.Event {
    switch action {
    case .read:
      return .read(
        try await client.object(.leases, namespace: namespace, name: name).map { ReadLease($0) })
    case .create(let record):
      return .written(
        ReadLease(
          try await client.create(
            .leases, namespace: namespace,
            [
              "metadata": ["name": .text(name), "namespace": .text(namespace)],
              "spec": record.spec,
            ])))
    case .replace(let record, let lease):
      return .written(
        ReadLease(
          try await client.replace(
            .leases, namespace: namespace, name: name,
            lease.object.with("spec", record.spec))))
    case .wait(let duration):
      do { try await Task.sleep(for: duration) } catch { return .timer }
      return .timer
    case .end:
      return .timer
    }
  }
}

extension Election.Event {
  /// The server did what it was asked.
  fileprivate var isAnswer: Bool {
    switch self {
    case .read, .written: true
    case .conflict, .failed, .timer, .leaving: false
    }
  }
}
