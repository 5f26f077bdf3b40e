import ArgumentParser
import Commands
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

  @Option(
    name: .customLong("ca-secret"),
    help: "Secret with the certificate authority, NAMESPACE/NAME; made when absent.")
  var authoritySecret: String?

  @Flag(
    name: .customLong("istio-root-config-map"),
    help: "Write the root to istio-ca-root-cert too, for what Istio's own agents mount.")
  var hasIstioRootConfigMap = false

  @Flag(
    help: """
      Take namespaces labelled istio-injection: enabled for enrolled, as node agents do that are told \
      the same.
      """)
  var enrollInjectionLabel = false

  var isUsed: Bool { kubernetes }

  func validate() throws {
    guard kubeconfig == nil || kubernetes else {
      throw ValidationError("--kubeconfig goes with --kubernetes")
    }
    if let authoritySecret {
      guard kubernetes else { throw ValidationError("--ca-secret goes with --kubernetes") }
      guard ObjectName(slashed: authoritySecret) != nil else {
        throw ValidationError("--ca-secret is NAMESPACE/NAME, not \"\(authoritySecret)\"")
      }
    }
    guard !hasIstioRootConfigMap || authoritySecret != nil else {
      throw ValidationError("--istio-root-config-map goes with --ca-secret")
    }
  }

  func configuration() throws(KubernetesError) -> ClusterConfiguration {
    if let kubeconfig { return try .kubeconfig(kubeconfig) }
    return try .inCluster(environment: ProcessInfo.processInfo.environment)
  }

  /// The Secret where one is named, else the directory.
  func authority(directory: String?) throws -> RunSettings.Authority {
    if let secret = authoritySecret.flatMap({ ObjectName(slashed: $0) }) {
      let names = ["skein-ca-root-cert"] + (hasIstioRootConfigMap ? ["istio-ca-root-cert"] : [])
      return .secret(secret, rootConfigMaps: names)
    }
    guard let directory else { throw unhealthy }
    return .directory(directory)
  }

  /// An issuer's keys prove tokens without asking anybody, so they come instead.
  func review(nodeAccounts: Set<String>, hasIssuer: Bool) -> RunSettings.Review? {
    guard kubernetes, !hasIssuer else { return nil }
    return RunSettings.Review(audience: tokenAudience, nodeAccounts: nodeAccounts)
  }
}
