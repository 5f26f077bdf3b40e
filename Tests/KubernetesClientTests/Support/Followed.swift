import KubernetesClient
import KubernetesHarness
import MeshCompiler

/// What following a resource came to.
actor Followed {
  private(set) var objects: [String: String] = [:]
  private(set) var changes: [String] = []
  private(set) var state: ResourceWatch.State?
  private(set) var problems: Set<String> = []

  func take(_ changes: [Reflector.Change], _ state: ResourceWatch.State) {
    for change in changes {
      switch change {
      case .applied(let object):
        objects[object.name.description] = object.resourceVersion
        self.changes.append("+\(object.name.name)@\(object.resourceVersion)")
      case .removed(let name):
        objects[name.description] = nil
        self.changes.append("-\(name.name)")
      case .refused(let object):
        self.changes.append("!\(object.name.name)")
      }
    }
    self.state = state
    if let problem = state.problem { problems.insert(problem) }
  }

  var names: [String] { objects.keys.sorted() }
}

extension ScriptedServer {
  static let pods = Resource(plural: "pods", kind: "Pod")
  static let policies = Resource(
    group: "security.istio.io", versions: ["v1", "v1beta1"], plural: "authorizationpolicies",
    kind: "AuthorizationPolicy")

  /// Follows `resource` while `body` runs.
  func follow(
    _ resource: Resource = ScriptedServer.pods,
    timing: KubernetesClient.Timing = KubernetesClient.Timing(),
    _ body: (Followed) async throws -> Void
  ) async throws {
    try await client(timing) { client in
      let followed = Followed()
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          await ResourceWatch(client, resource, .all).run { changes, state in
            await followed.take(changes, state)
          }
        }
        defer { group.cancelAll() }
        try await body(followed)
      }
    }
  }
}
