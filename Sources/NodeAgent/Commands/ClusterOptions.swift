import ArgumentParser
import FoundationEssentials
import KubernetesClient

/// How `run` finds its pods on a cluster.
struct ClusterOptions: ParsableArguments {
  @Flag(help: "Find this node's pods through the API of its Kubernetes cluster.")
  var kubernetes = false

  @Option(help: "The cluster of this file's current context. (default: the pod's own)")
  var kubeconfig: String?

  @Flag(help: "Enrol namespaces labelled istio-injection: enabled, as our own label does.")
  var enrollInjectionLabel = false

  @Option(
    help: """
      The DaemonSet that this node agent is of, NAMESPACE/NAME: once it is deleted, SIGTERM releases \
      the pods in spite of --at-exit keep.
      """)
  var daemonSet: String?

  func validate() throws {
    guard kubeconfig == nil || kubernetes else {
      throw ValidationError("--kubeconfig goes with --kubernetes")
    }
    if let daemonSet {
      guard kubernetes else { throw ValidationError("--daemon-set goes with --kubernetes") }
      guard daemonSetName != nil else {
        throw ValidationError("--daemon-set is NAMESPACE/NAME, not \"\(daemonSet)\"")
      }
    }
  }

  var daemonSetName: ObjectName? { daemonSet.flatMap { ObjectName(slashed: $0) } }

  /// Nil when manifests say where the pods are.
  var source: ClusterSource? {
    guard kubernetes else { return nil }
    return kubeconfig.map { .file($0) } ?? .ownPod
  }
}

/// Where to find a cluster's API.
enum ClusterSource: Hashable, Sendable {
  /// By a kubeconfig's current context.
  case file(String)
  /// By the service account of the pod we are in.
  case ownPod

  func configuration() throws(KubernetesError) -> ClusterConfiguration {
    switch self {
    case .file(let path): try .kubeconfig(path)
    case .ownPod: try .inCluster(environment: ProcessInfo.processInfo.environment)
    }
  }
}
