import KubernetesClient
import Logging
import MeshCompiler
import MeshModel

/// Follows the cluster's namespaces and one node's pods for as long as its task lives.
struct NodeWatch: Sendable {
  /// What of the API a node reads; of each object only what says where a pod is and who it is.
  struct Watched: Sendable {
    var resource: Resource
    var selection: FieldSelection
    var isOfNode: Bool
  }

  static let all = [
    Watched(
      resource: Resource(plural: "namespaces", kind: "Namespace"),
      selection: .fields(["metadata": .metadata]), isOfNode: false),
    Watched(
      resource: Resource(plural: "pods", kind: "Pod"),
      selection: .fields([
        "metadata": .metadata,
        "spec": .words("nodeName hostNetwork serviceAccountName serviceAccount"),
        "status": .fields(["phase": .all, "podIP": .all, "podIPs": .words("ip")]),
      ]), isOfNode: true),
  ]

  let client: KubernetesClient
  let node: String
  let pods: ClusterPods

  /// Calls `changed` whenever pods may have to be brought in or let go.
  func run(_ changed: @escaping @Sendable () -> Void) async {
    await withTaskGroup(of: Void.self) { group in
      for watched in Self.all {
        group.addTask {
          let filter = ResourceFilter(fields: watched.isOfNode ? "spec.nodeName=\(node)" : "")
          let watch = ResourceWatch(client, watched.resource, watched.selection, filter: filter)
          await watch.run { changes, state in
            if await pods.take(changes, state, kind: watched.resource.kind) { changed() }
          }
        }
      }
    }
  }
}

/// The owner of what a node knows of its cluster: where its pods are, and how far each watch is.
actor ClusterPods {
  private let server: String
  private var objects: NodeObjects
  private var states: [String: ResourceWatch.State] = [:]
  private var findings: [Diagnostic] = []
  /// Nil before everything was read once: half a cluster says nothing about the other half.
  private(set) var placements: [PodPlacement]?
  /// The namespaces whose pods are to be enrolled, with pods here or without.
  private(set) var enrolledNamespaces: Set<String> = []
  private let logger = Logger(label: "cluster")

  init(server: String, options: CompilerOptions) {
    self.server = server
    objects = NodeObjects(options: options)
  }

  /// True when the placements or the enrolled namespaces are other than before.
  func take(
    _ changes: [Reflector.Change], _ state: ResourceWatch.State, kind: String
  ) -> Bool {
    tell(of: state, kind: kind)
    states[kind] = state
    let isNew = objects.take(changes, kind: kind)
    guard NodeWatch.all.allSatisfy({ states[$0.resource.kind]?.isSynced == true }),
      isNew || placements == nil
    else { return false }
    let before = (placements, enrolledNamespaces)
    let compiled = objects.compiled()
    placements = compiled.placements
    enrolledNamespaces = objects.enrolledNamespaces
    tell(of: compiled.findings)
    return before.0 != placements || before.1 != enrolledNamespaces
  }

  /// Each finding is said once, when it is new.
  private func tell(of now: [Diagnostic]) {
    let known = Set(findings)
    let new = now.filter { !known.contains($0) }
    for finding in new.prefix(Limit.diagnosticsShown) {
      logger.warning("object of the cluster", metadata: ["finding": "\(finding)"])
    }
    findings = now
  }

  private func tell(of state: ResourceWatch.State, kind: String) {
    let before = states[kind]?.problem
    guard state.problem != before else { return }
    if let problem = state.problem {
      logger.warning(
        "the cluster is not followed", metadata: ["kind": "\(kind)", "reason": "\(problem)"])
    } else if before != nil {
      logger.info("the cluster is followed again", metadata: ["kind": "\(kind)"])
    }
  }

  var status: ClusterStatus {
    let resources = NodeWatch.all.map { watched in
      let state = states[watched.resource.kind]
      return ClusterStatus.Resource(
        kind: watched.resource.kind, isSynced: state?.isSynced ?? false,
        objects: state?.objects ?? 0, problem: state?.problem)
    }
    return ClusterStatus(
      server: server, resources: resources, findingCount: findings.count,
      findings: findings.prefix(Limit.diagnosticsShown).map { DiagnosticStatus($0) })
  }
}
