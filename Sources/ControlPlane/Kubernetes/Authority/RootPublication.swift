import KubernetesClient
import Linux
import Logging
import MeshCompiler
import MeshModel

/// Puts the root where pods can mount it: ConfigMaps in every namespace, written and mended by the
/// one replica that leads.
actor RootPublication {
  /// For people and programs.
  struct Status: Codable, Hashable, Sendable {
    /// Whether this replica is the one that writes.
    var isLeading: Bool
    /// ConfigMaps that are not as they should be; absent until all were read.
    var outdated: Int?
    /// Why; absent while all can be written and read.
    var problem: String?
  }

  private let client: KubernetesClient
  private let leadership: Leadership
  private let logger: Logger
  private var copies: RootCopies
  private var states: [String: ResourceWatch.State] = [:]
  private var failures: [ObjectName: String] = [:]
  private var wasLeading = false
  private var outdated: Int?

  init(
    _ client: KubernetesClient, names: [String], leadership: Leadership, logger: Logger
  ) {
    self.client = client
    self.leadership = leadership
    self.logger = logger
    copies = RootCopies(names: names)
  }

  var status: Status {
    let unread = states.sorted { $0.key < $1.key }.first { !$0.value.isSynced }
    let problems = [
      unread.map { "\($0.key): not read yet, \($0.value.problem ?? "being read")" },
      leadership.problem.map { "Lease: \($0)" },
      failures.min { $0.key < $1.key }.map { "ConfigMap \($0.key): \($0.value)" },
    ]
    return Status(
      isLeading: leadership.isLeading, outdated: isSynced ? outdated : nil,
      problem: problems.compactMap(\.self).first)
  }

  private var isSynced: Bool {
    states.count == 1 + copies.names.count && states.values.allSatisfy(\.isSynced)
  }

  /// Takes part in the election and keeps the copies until the task is cancelled.
  nonisolated func run(_ root: @escaping @Sendable () async -> String) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.leadership.run() }
      group.addTask { await self.watchNamespaces() }
      for name in await copies.names {
        group.addTask { await self.watchCopies(name) }
      }
      group.addTask { await self.keep(root) }
    }
  }

  private nonisolated func watchNamespaces() async {
    await ResourceWatch(client, .namespaces, .fields(["metadata": .metadata])).run {
      changes, state in
      await self.take(state, "Namespace") { $0.takeNamespaces(changes) }
    }
  }

  private nonisolated func watchCopies(_ name: String) async {
    let selection = FieldSelection.fields([
      "metadata": .metadata, "data": .words(RootCopies.key),
    ])
    let filter = ResourceFilter(fields: "metadata.name=\(name)")
    await ResourceWatch(client, .configMaps, selection, filter: filter).run { changes, state in
      await self.take(state, "ConfigMap \(name)") { $0.takeCopies(changes) }
    }
  }

  private func take(
    _ state: ResourceWatch.State, _ watch: String, _ change: @Sendable (inout RootCopies) -> Void
  ) {
    states[watch] = state
    change(&copies)
  }

  // MARK: Writing

  private func keep(_ root: @Sendable () async -> String) async {
    while !Task.isCancelled {
      await pass(await root())
      do { try await Task.sleep(for: Limit.copyInterval) } catch { return }
    }
  }

  private func pass(_ root: String) async {
    let isLeading = leadership.isLeading
    if isLeading != wasLeading {
      wasLeading = isLeading
      logger.info(isLeading ? "leading: this replica writes" : "not leading any more")
    }
    guard isSynced else { return }
    let steps = copies.steps(for: root)
    outdated = steps.count
    let names = Set(steps.map(\.name))
    failures = isLeading ? failures.filter { names.contains($0.key) } : [:]
    for step in steps {
      let now = MonotonicClock.now()
      guard copies.isDue(step.name, at: now) else { continue }
      // Somebody else may write from now on.
      guard leadership.isLeading, !Task.isCancelled else { return }
      copies.write(step.name, at: now)
      guard await carryOut(step, root) else { return }
    }
  }

  /// False when there is no use in going on now.
  private func carryOut(_ step: RootCopies.Step, _ root: String) async -> Bool {
    let name = step.name
    let data: ManifestValue = [RootCopies.key: .text(root)]
    do throws(KubernetesError) {
      switch step {
      case .create:
        try await client.create(
          .configMaps, namespace: name.namespace,
          [
            "metadata": [
              "name": .text(name.name), "namespace": .text(name.namespace),
              "labels": ["app.kubernetes.io/managed-by": "skein"],
            ],
            "data": data,
          ])
      case .correct:
        try await client.patch(
          .configMaps, namespace: name.namespace, name: name.name, ["data": data])
      }
      failures[name] = nil
      return true
    } catch {
      // There already, or gone with its namespace: the watch tells.
      if let status = error.status, status.isConflict || status.isNotFound { return true }
      if failures[name] == nil {
        logger.error(
          "root not written", metadata: ["configmap": "\(name)", "reason": "\(error)"])
      }
      failures[name] = "\(error)"
      return error.status != nil
    }
  }
}

extension Resource {
  fileprivate static let namespaces = Resource(plural: "namespaces", kind: "Namespace")
}
