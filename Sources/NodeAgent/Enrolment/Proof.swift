/// What was seen of a pod's network namespace when its enrolment had to be proven.
struct ProofInputs: Hashable {
  var pod: DesiredPod
  var namespaceInode: UInt64
  /// The node agent's own namespace.
  var nodeNamespaceInode: UInt64
  /// Other pods of this node by the namespace they are enrolled in.
  var titlesByNamespace: [UInt64: String]
  /// What disagrees between the namespace and its redirection; empty before there is one.
  var objections: [String]
  /// Processes whose network namespace is the pod's, without ztunnel's own.
  var processes: [PodProcess]
  /// Path of the cgroup whose packets pass, below the root of cgroup2.
  var ztunnelCgroup: String
}

struct PodProcess: Hashable {
  var processID: Int32
  /// Path below the root of cgroup2.
  var cgroup: String
}

/// Why a pod is not proven to be captured; each names what to look at.
enum ProofFailure: Error, Hashable {
  case nodeNamespace(path: String)
  case sharedNamespace(inode: UInt64, with: String)
  /// Addresses, interfaces, listeners or settings are not as they must be.
  case redirection(objections: [String])
  case processPasses(PodProcess)
  case canary(isIPv4: Bool, CanaryFailure)
  /// The facts themselves could not be had.
  case notLooked(reason: String)
}

enum CanaryFailure: Error, Hashable {
  /// The connection was not made: refused, timed out, no route.
  case notConnected(reason: String)
  case noAnswer
  case wrongAnswer
  /// Something answered, but ztunnel does not know of the connection.
  case notSeenByZTunnel
  /// ztunnel took the connection for another pod's.
  case attributed(to: String)
}

/// The first thing that speaks against the proof; nil when netns, cgroup, UID and addresses agree.
func contradiction(in inputs: ProofInputs) -> ProofFailure? {
  if inputs.namespaceInode == inputs.nodeNamespaceInode {
    return .nodeNamespace(path: inputs.pod.networkNamespace ?? "")
  }
  if let other = inputs.titlesByNamespace[inputs.namespaceInode] {
    return .sharedNamespace(inode: inputs.namespaceInode, with: other)
  }
  if !inputs.objections.isEmpty { return .redirection(objections: inputs.objections) }
  let passing = inputs.processes.first { process in
    process.cgroup == inputs.ztunnelCgroup || process.cgroup.hasPrefix(inputs.ztunnelCgroup + "/")
  }
  return passing.map(ProofFailure.processPasses)
}

extension ProofFailure: CustomStringConvertible {
  var description: String {
    switch self {
    case .nodeNamespace(let path):
      "\(path) is the node's own network namespace; annotate the pod with its own namespace"
    case .sharedNamespace(let inode, let other):
      "network namespace \(inode) is already that of pod \(other); each pod needs its own"
    case .redirection(let objections):
      objections.joined(separator: "; ")
    case .processPasses(let process):
      "process \(process.processID) of the pod runs in ztunnel's cgroup \(process.cgroup), so its "
        + "packets would pass; move it to a cgroup of its own"
    case .canary(let isIPv4, let failure):
      "the \(isIPv4 ? "IPv4" : "IPv6") canary failed: \(failure)"
    case .notLooked(let reason):
      "its capture cannot be checked: \(reason)"
    }
  }
}

extension CanaryFailure: CustomStringConvertible {
  var description: String {
    switch self {
    case .notConnected(let reason): reason
    case .noAnswer: "connected, but no answer came in time"
    case .wrongAnswer: "something other than ztunnel answered; the pod is not captured"
    case .notSeenByZTunnel: "it was answered, but ztunnel did not report it"
    case .attributed(let uid): "ztunnel took it for a connection of pod \(uid)"
    }
  }
}
