import KubernetesClient
import MeshCompiler

/// A pod of the installation, as far as the command line looks at it.
struct PodFacts: Hashable, Sendable {
  var name: String
  /// Empty while it has none.
  var node: String
  var isReady: Bool
  /// Why a container does not run, such as `ImagePullBackOff`.
  var waiting: String?

  static let selection = FieldSelection.fields([
    "metadata": .metadata, "spec": .words("nodeName"),
    "status": .words("phase conditions containerStatuses"),
  ])

  /// Nil for a pod that is going away.
  init?(_ pod: ManifestValue) {
    guard let name = pod["metadata"]?["name"]?.text, pod["metadata"]?["deletionTimestamp"] == nil
    else { return nil }
    let status = pod["status"]
    self.name = name
    node = pod["spec"]?["nodeName"]?.text ?? ""
    isReady = hasCondition("Ready", in: status)
    waiting =
      status?["containerStatuses"]?.items.lazy
      .compactMap { $0["state"]?["waiting"]?["reason"]?.text }.first
  }
}

/// A node of the cluster, as far as the command line looks at it.
struct NodeFacts: Hashable, Sendable {
  var name: String
  var isReady: Bool
  /// Whether the DaemonSet wants to be there.
  var isLinux: Bool

  static let selection = FieldSelection.fields([
    "metadata": .words("name labels"), "status": .words("conditions"),
  ])

  init?(_ node: ManifestValue) {
    guard let name = node["metadata"]?["name"]?.text else { return nil }
    self.name = name
    isReady = hasCondition("Ready", in: node["status"])
    isLinux = (node["metadata"]?["labels"]?["kubernetes.io/os"]?.text ?? "linux") == "linux"
  }
}

private func hasCondition(_ type: String, in status: ManifestValue?) -> Bool {
  status?["conditions"]?.items.contains {
    $0["type"]?.text == type && $0["status"]?.text == "True"
  } ?? false
}
