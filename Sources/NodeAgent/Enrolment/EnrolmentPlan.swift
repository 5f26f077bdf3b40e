import MeshCompiler
import MeshModel

/// A pod of this node that the manifests want in the mesh.
struct DesiredPod: Hashable, Sendable {
  var uid: String
  /// The key in the model.
  var workloadUID: String
  var namespace: String
  var name: String
  /// Absolute path of its network namespace; nil when neither a manifest nor a CNI call names it.
  var networkNamespace: String?
  var addresses: [IPAddress]
  var identity: SPIFFEID
  /// Whether the mesh answers its DNS queries.
  var dnsCapture = true
  var connectionWish = ConnectionWish()

  var title: String { "\(namespace)/\(name)" }
}

/// One step from the enrolled pods of now to those wanted.
enum EnrolmentAction: Hashable {
  /// Bring the pod in; nothing of it is here yet.
  case begin(DesiredPod)
  /// Let the pod go; its traffic flows directly again.
  case release(uid: String)
  /// The same pod in the same namespace, described anew.
  case update(DesiredPod)
  /// Another namespace or workload under the same uid, or another wish about DNS: release, then
  /// begin.
  case replace(DesiredPod)
}

/// The steps that turn `current` into `desired`, releases first; ordered by name and so repeatable.
///
/// On a cluster the path is a CNI call's and comes and goes: where the pod is, its processes say.
func enrolmentPlan(
  desired: [DesiredPod], current: [String: DesiredPod],
  namespaceSource: NamespaceSource = .annotations
) -> [EnrolmentAction] {
  var wanted: [String: DesiredPod] = [:]
  for pod in desired where wanted[pod.uid] == nil { wanted[pod.uid] = pod }
  let gone = current.values.filter { wanted[$0.uid] == nil }.sorted(by: isOrdered)
  var actions = gone.map { EnrolmentAction.release(uid: $0.uid) }
  for pod in wanted.values.sorted(by: isOrdered) {
    switch current[pod.uid] {
    case nil: actions.append(.begin(pod))
    case pod?: continue
    case let known?:
      let isSamePath =
        namespaceSource == .controlGroups || known.networkNamespace == pod.networkNamespace
      let isSamePlace =
        isSamePath && known.workloadUID == pod.workloadUID && known.dnsCapture == pod.dnsCapture
      actions.append(isSamePlace ? .update(pod) : .replace(pod))
    }
  }
  return actions
}

/// The pods of `node` that the mesh takes care of.
func desiredPods(of placements: [PodPlacement], on node: String) -> [DesiredPod] {
  placements.filter { $0.node == node && $0.enrolment.isEnrolled }.map(DesiredPod.init)
}

extension DesiredPod {
  init(_ placement: PodPlacement) {
    self.init(
      uid: placement.uid, workloadUID: placement.workloadUID, namespace: placement.namespace,
      name: placement.name, networkNamespace: placement.networkNamespace,
      addresses: placement.addresses, identity: placement.identity,
      dnsCapture: placement.dnsCapture, connectionWish: placement.connectionWish)
  }
}

private func isOrdered(_ a: DesiredPod, _ b: DesiredPod) -> Bool {
  (a.namespace, a.name, a.uid) < (b.namespace, b.name, b.uid)
}
