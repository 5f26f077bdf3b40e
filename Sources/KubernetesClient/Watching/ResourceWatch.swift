import Linux
import MeshModel

/// Follows one resource for as long as its task lives: carries out what a `Reflector` decides.
public struct ResourceWatch: Sendable {
  /// How far following has come; for status.
  public struct State: Hashable, Sendable {
    public var isSynced: Bool
    public var isAbsent: Bool
    public var objects: Int
    public var problem: String?
  }

  private let client: KubernetesClient
  private let resource: Resource
  private let selection: FieldSelection
  private let filter: ResourceFilter

  public init(
    _ client: KubernetesClient, _ resource: Resource, _ selection: FieldSelection,
    filter: ResourceFilter = ResourceFilter()
  ) {
    self.client = client
    self.resource = resource
    self.selection = selection
    self.filter = filter
  }

  /// Tells what changed and how things stand, until the task is cancelled.
  ///
  /// Nothing more is read while `deliver` works: what cannot be taken in waits at the server.
  public func run(_ deliver: @Sendable ([Reflector.Change], State) async -> Void) async {
    var reflector = Reflector()
    var stream: WatchStream?
    var action = reflector.start
    var told: State?
    while !Task.isCancelled {
      let event = await carryOut(action, &stream)
      if Task.isCancelled { return }
      let step = reflector.take(event, at: MonotonicClock.now(), chance: Random.fraction())
      let state = State(
        isSynced: reflector.isSynced, isAbsent: reflector.isAbsent, objects: reflector.objectCount,
        problem: reflector.problem)
      if !step.changes.isEmpty || state != told { await deliver(step.changes, state) }
      told = state
      action = step.action
    }
  }

  private func carryOut(
    _ action: Reflector.Action, _ stream: inout WatchStream?
  ) async -> Reflector.Event {
    do throws(KubernetesError) {
      switch action {
      case .discover:
        return .served(apiVersion: try await client.servedVersion(of: resource))
      case .list(let apiVersion, let limit, let next):
        return .page(
          try await client.page(
            resource, form(apiVersion), limit: limit, next: next, filter: filter))
      case .watch(let apiVersion, let version, let lifetime):
        stream = try await client.watch(
          resource, form(apiVersion), from: version, lifetime: lifetime, filter: filter)
        return try await read(&stream)
      case .read:
        return try await read(&stream)
      case .wait(let duration):
        // The watch before is over; its connection is let go.
        stream = nil
        do {
          try await Task.sleep(for: duration)
        } catch {
          throw KubernetesError.cancelled
        }
        return .timer
      }
    } catch {
      stream = nil
      return .failed(error)
    }
  }

  private func read(_ stream: inout WatchStream?) async throws(KubernetesError) -> Reflector.Event {
    guard var running = stream.take() else { preconditionFailure("no watch is running") }
    let event = try await running.next()
    stream = running
    return event.map { .line($0) } ?? .ended
  }

  private func form(_ apiVersion: String) -> ObjectForm {
    ObjectForm(apiVersion: apiVersion, kind: resource.kind, selection: selection)
  }
}

extension Random {
  /// From 0 up to 1.
  static func fraction() -> Double { Double(uint64() >> 11) / Double(1 << 53) }
}
