import CNI
import MeshCompiler
import MeshModel

/// How far a pod's enrolment is in the namespace that its call named.
enum PodStanding: Hashable, Sendable {
  /// On its way; why it is not further.
  case underWay(reason: String)
  /// Nothing leaves it but through ztunnel; whether a canary came through is another matter.
  case captured
  /// Something contradicts the pod.
  case contradicted(reason: String)
}

/// What the node knows of the pod that a runtime asks about.
enum PodFinding: Hashable, Sendable {
  case unknown(reason: String)
  case outside
  /// To be enrolled, but nobody knows its addresses.
  case unaddressed
  case wanted(PodPlacement)
}

enum AdmissionStep: Hashable, Sendable {
  case answer(CNIAnswer)
  case wait(reason: String)
}

/// Finds the pod a call is about; nil placements are those of a node that has not read any yet.
func finding(
  of pod: CNI.Pod, among placements: [PodPlacement]?, on node: String, _ calls: CalledPods
) -> PodFinding {
  let title = "\(pod.namespace)/\(pod.name)"
  guard let placements else { return .unknown(reason: "node-agent has not read the mesh yet") }
  guard
    let named = placements.first(where: { $0.namespace == pod.namespace && $0.name == pod.name })
  else { return .unknown(reason: "pod \(title) is not known to node-agent yet") }
  guard pod.uid.isEmpty || named.hasStandInUID || named.uid == pod.uid else {
    return .unknown(reason: "pod \(title) is known as \(named.uid), not yet as \(pod.uid)")
  }
  let placement = calls.completed(named)
  switch placement.enrolment {
  case .notEnrolled(.noAddress): return .unaddressed
  case .notEnrolled: return .outside
  case .enrolled:
    guard placement.node == node else {
      let place = placement.node.isEmpty ? "on no node" : "on node \(placement.node)"
      return .unknown(reason: "pod \(title) is \(place) as far as node-agent knows")
    }
    return .wanted(placement)
  }
}

/// What to do about a call now.
func admissionStep(_ finding: PodFinding, _ standing: PodStanding?) -> AdmissionStep {
  switch (finding, standing) {
  case (.unknown(let reason), _): .wait(reason: reason)
  case (.outside, _): .answer(.notOurs)
  case (.unaddressed, _): .wait(reason: "neither the pod's status nor the result names an address")
  case (.wanted, nil): .wait(reason: "its enrolment has not begun")
  case (.wanted, .underWay(let reason)): .wait(reason: reason)
  case (.wanted, .captured): .answer(.enrolled)
  case (.wanted, .contradicted(let reason)): .answer(.refused(reason: reason))
  }
}

/// What to say when the wait is over; a pod that nobody knows starts where nothing is enrolled.
func answerAfterWait(
  _ finding: PodFinding, reason: String, isNamespaceEnrolled: Bool
) -> CNIAnswer {
  switch finding {
  case .unknown: isNamespaceEnrolled ? .notYet(reason: reason) : .notOurs
  case .outside: .notOurs
  case .unaddressed, .wanted: .notYet(reason: reason)
  }
}

/// The namespaces that are enrolled, as far as is known here and on disk.
struct EnrolledNamespaces: Hashable, Sendable {
  /// By the mesh; nil before it was read.
  var known: Set<String>?
  /// On disk, where the plugin reads it; nil while that is unreadable.
  var listed: Set<String>?

  /// Whether a pod that nobody knows may be one of the mesh.
  func mayEnrol(_ namespace: String) -> Bool { (known ?? listed)?.contains(namespace) ?? true }

  /// How long an answer may take: less than the plugin waits for it.
  func wait(for namespace: String) -> Duration {
    let isListed = listed?.contains(namespace) ?? false
    return isListed ? Limit.enrolledPodWait : Limit.otherPodWait
  }
}
