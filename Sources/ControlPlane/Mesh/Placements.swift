import MeshCompiler
import MeshModel

/// Which identities each node may ask certificates for, and where each pod runs.
struct Placements: Hashable, Sendable {
  private struct Pod: Hashable {
    var uid: String
    var node: String
  }

  private var identities: [String: Set<SPIFFEID>] = [:]
  private var pods: [String: Pod] = [:]

  init(_ placements: [PodPlacement] = []) {
    for pod in placements where !pod.node.isEmpty && pod.enrolment != .notEnrolled(.finished) {
      identities[pod.node, default: []].insert(pod.identity)
      pods["\(pod.namespace)/\(pod.name)"] = Pod(uid: pod.uid, node: pod.node)
    }
  }

  /// Whether a pod with this identity is placed on `node`.
  func allows(_ identity: SPIFFEID, on node: String) -> Bool {
    identities[node]?.contains(identity) ?? false
  }

  /// The node of a pod; nil when there is none of that name, or another than the one meant.
  func node(of pod: PodReference) -> String? {
    guard let found = pods["\(pod.namespace)/\(pod.name)"] else { return nil }
    guard let uid = pod.uid else { return found.node }
    return uid == found.uid ? found.node : nil
  }
}
