import KubernetesClient
import Linux
import MeshCompiler
import MeshModel

/// The owner of what the control plane knows of a cluster: its objects, and how far each watch is.
actor Cluster {
  /// How one resource is followed, for people and programs.
  struct ResourceStatus: Codable, Hashable, Sendable {
    var kind: String
    var isSynced: Bool
    /// The cluster has no such resource.
    var isAbsent: Bool
    var objects: Int
    /// Why it may be out of date; absent while it is followed.
    var problem: String?
  }

  private var objects: ClusterObjects
  private var states: [String: ResourceWatch.State] = [:]
  private var changedAt: Instant?
  private var lastChange: Instant?
  /// Rings that nobody has heard yet count as one.
  private let rings: AsyncStream<Void>
  private let bell: AsyncStream<Void>.Continuation

  init(options: CompilerOptions) {
    objects = ClusterObjects(options: options)
    (rings, bell) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
  }

  func take(_ changes: [Reflector.Change], _ state: ResourceWatch.State, kind: String) {
    let wasSynced = isSynced
    states[kind] = state
    let isNew = objects.take(changes, kind: kind)
    guard isNew || isSynced != wasSynced else { return }
    let now = MonotonicClock.now()
    if changedAt == nil { changedAt = now }
    lastChange = now
    bell.yield()
  }

  /// Every resource was read once, or is not served.
  var isSynced: Bool {
    states.count == WatchedKind.all.count && states.values.allSatisfy(\.isSynced)
  }

  /// The meaning of the objects once they have settled; again after every change.
  ///
  /// Nothing is told before all watches are in sync: half a cluster is no mesh. What is refused
  /// comes without a change, and is part of the next one.
  func settled(
    _ deliver: @Sendable (Compilation, ModelChange?, _ readAt: Instant) async -> Void
  ) async {
    for await _ in rings {
      while let changedAt, let lastChange, isSynced {
        let settlement = Settlement(
          first: changedAt, last: lastChange, quiet: Limit.clusterQuiet, most: Limit.clusterDelay)
        if let wait = settlement.wait(at: MonotonicClock.now()) {
          do { try await Task.sleep(for: wait) } catch { return }
          continue
        }
        (self.changedAt, self.lastChange) = (nil, nil)
        let compilation = objects.compiled()
        let change = compilation.hasErrors ? nil : objects.takeChange()
        await deliver(compilation, change, changedAt)
      }
    }
  }

  var status: [ResourceStatus] {
    WatchedKind.all.map { watched in
      let state = states[watched.kind]
      return ResourceStatus(
        kind: watched.kind, isSynced: state?.isSynced ?? false, isAbsent: state?.isAbsent ?? false,
        objects: state?.objects ?? 0, problem: state?.problem)
    }
  }

  /// What keeps us from serving; empty once everything was read.
  var problems: [String] {
    status.filter { !$0.isSynced }.map { row in
      "\(row.kind): not read yet" + (row.problem.map { ", \($0)" } ?? "")
    }
  }
}

/// When changes that come one after the other are taken up: after a quiet moment, and soon at most.
struct Settlement: Hashable, Sendable {
  var first: Instant
  var last: Instant
  var quiet: Duration
  var most: Duration

  /// How long to wait still; nil when it is time.
  func wait(at now: Instant) -> Duration? {
    let (calm, age) = (now.since(last), now.since(first))
    if calm >= quiet || age >= most { return nil }
    return min(quiet - calm, most - age)
  }
}
