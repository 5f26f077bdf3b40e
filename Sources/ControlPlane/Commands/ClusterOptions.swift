import ArgumentParser
import FoundationEssentials
import KubernetesClient

/// How `run` reads a cluster.
struct ClusterOptions: ParsableArguments {
  @Flag(help: "Serve the mesh of a Kubernetes cluster; its API server reviews tokens.")
  var kubernetes = false

  @Option(help: "The cluster of this file's current context. (default: the pod's own)")
  var kubeconfig: String?

  @Option(help: "What service account tokens must be for.")
  var tokenAudience = "istio-ca"

  var isUsed: Bool { kubernetes }

  func validate() throws {
    guard kubeconfig == nil || kubernetes else {
      throw ValidationError("--kubeconfig goes with --kubernetes")
    }
  }

  func configuration() throws(KubernetesError) -> ClusterConfiguration {
    if let kubeconfig { return try .kubeconfig(kubeconfig) }
    return try .inCluster(environment: ProcessInfo.processInfo.environment)
  }

  /// An issuer's keys prove tokens without asking anybody, so they come instead.
  func review(nodeAccounts: Set<String>, hasIssuer: Bool) -> RunSettings.Review? {
    guard kubernetes, !hasIssuer else { return nil }
    return RunSettings.Review(audience: tokenAudience, nodeAccounts: nodeAccounts)
  }
}
