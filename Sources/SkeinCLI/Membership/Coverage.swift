import KubernetesClient
import MeshCompiler

/// Whether a namespace's pods shall be in the mesh.
enum Membership: String, Sendable {
  case enrolled, released

  static let label = "istio.io/dataplane-mode"

  /// The value of the label; null takes it away.
  var value: ManifestValue {
    self == .enrolled ? "ambient" : ManifestValue(.null, line: 0)
  }
}

/// The pods of a namespace, and which of them the mesh takes care of once the label is as wanted.
struct Coverage: Hashable, Sendable {
  struct Pod: Hashable, Sendable, Comparable {
    var name: String
    var node: String
    /// Why the mesh does not take care of it; nil when it does.
    var reason: String?

    static func < (a: Self, b: Self) -> Bool { a.name < b.name }
  }

  var namespace: String
  /// Those that run, by name.
  var pods: [Pod]

  static let selection = FieldSelection.fields([
    "metadata": .metadata, "spec": .words("nodeName hostNetwork serviceAccountName"),
    "status": .words("phase podIP podIPs"),
  ])

  /// By the rules of the nodes, with their code.
  init(_ namespace: ManifestValue, pods: [ManifestValue], as membership: Membership) {
    let name = namespace["metadata"]?["name"]?.text ?? ""
    self.namespace = name
    let metadata = namespace["metadata"] ?? [:]
    let labelled = (metadata["labels"] ?? [:]).with(Membership.label, membership.value)
    var objects = [
      namespace.with("metadata", metadata.with("labels", labelled)).with("apiVersion", "v1")
        .with("kind", "Namespace")
    ]
    objects += pods.filter {
      $0["status"]?["phase"]?.text == "Running" && $0["metadata"]?["deletionTimestamp"] == nil
    }
    let compilation = compile(
      objects: objects.map { ManifestObject(file: "", document: 0, root: $0) })
    self.pods = compilation.pods.map { pod in
      let reason: String? =
        if case .notEnrolled(let reason) = pod.enrolment { reason.rawValue } else { nil }
      return Pod(name: pod.name, node: pod.node, reason: reason)
    }.sorted()
  }

  var covered: [Pod] { pods.filter { $0.reason == nil } }
  var uncovered: [Pod] { pods.filter { $0.reason != nil } }
}

/// How far a namespace is.
struct MembershipProgress: Codable, Hashable, Sendable {
  struct Pod: Codable, Hashable, Sendable {
    var name: String
    var node: String
    /// As the node agent has it.
    var state: String
    var reason: String?
  }

  var namespace: String
  var pods: Int
  /// Pods that are as wanted.
  var done: Int
  /// Pods that are not as wanted yet.
  var waiting: [Pod]
  /// Pods that the mesh does not take care of, with the reason.
  var uncovered: [Pod]

  var isDone: Bool { waiting.isEmpty }

  /// `states` are the pods of the nodes, by `node/pod`; `problems` why a node's are not known.
  init(
    _ coverage: Coverage, as membership: Membership, states: [String: NodeReport.Pod],
    problems: [String: String]
  ) {
    namespace = coverage.namespace
    let concerned = membership == .enrolled ? coverage.covered : coverage.pods
    pods = concerned.count
    waiting = concerned.compactMap { pod in
      let found = states["\(pod.node)/\(pod.name)"]
      if let problem = problems[pod.node] {
        return Pod(name: pod.name, node: pod.node, state: "unknown", reason: problem)
      }
      switch membership {
      case .enrolled:
        guard found?.state != "enrolled" else { return nil }
        return Pod(
          name: pod.name, node: pod.node, state: found?.state ?? "not seen yet",
          reason: found?.reason)
      case .released:
        guard let found, found.state != "notEnrolled" else { return nil }
        // A pod may ask for itself.
        guard pod.reason != nil else { return nil }
        return Pod(name: pod.name, node: pod.node, state: found.state, reason: found.reason)
      }
    }
    done = pods - waiting.count
    uncovered =
      membership == .enrolled
      ? coverage.uncovered.map {
        Pod(name: $0.name, node: $0.node, state: "notEnrolled", reason: $0.reason)
      }
      : coverage.covered.map {
        Pod(
          name: $0.name, node: $0.node, state: "enrolled", reason: "its own label asks for the mesh"
        )
      }
  }

  /// One line while it is waited for.
  func line(_ membership: Membership) -> String {
    let first = waiting.first.map { pod in
      ": \(pod.name) is \(pod.state)" + (pod.reason.map { " (\($0))" } ?? "")
    }
    return "\(namespace): \(done) of \(pods) pods \(membership.rawValue)\(first ?? "")"
  }
}
