import KubernetesClient
import MeshCompiler

/// An object of an installation, and where the API has it.
struct InstalledObject: Hashable, Sendable, CustomStringConvertible {
  var resource: Resource
  var name: ObjectName
  var object: ManifestValue

  /// Nil for a kind that no installation has.
  init?(_ object: ManifestValue) {
    guard let kind = object["kind"]?.text, let resource = Self.resources[kind],
      let name = object["metadata"]?["name"]?.text
    else { return nil }
    self.resource = resource
    self.name = ObjectName(
      namespace: object["metadata"]?["namespace"]?.text ?? "", name: name)
    self.object = object
  }

  var description: String { "\(resource.kind) \(name)" }

  private static let resources: [String: Resource] = {
    let rights = "rbac.authorization.k8s.io"
    let all: [Resource] = [
      .namespaces, .deployments, .daemonSets, .budgets,
      Resource(plural: "serviceaccounts", kind: "ServiceAccount"),
      Resource(plural: "services", kind: "Service"),
      Resource(group: rights, plural: "clusterroles", kind: "ClusterRole"),
      Resource(group: rights, plural: "clusterrolebindings", kind: "ClusterRoleBinding"),
      Resource(group: rights, plural: "roles", kind: "Role"),
      Resource(group: rights, plural: "rolebindings", kind: "RoleBinding"),
    ]
    return Dictionary(uniqueKeysWithValues: all.map { ($0.kind, $0) })
  }()
}

extension Resource {
  static let deployments = Resource(group: "apps", plural: "deployments", kind: "Deployment")
  static let daemonSets = Resource(group: "apps", plural: "daemonsets", kind: "DaemonSet")
  /// Not served before Kubernetes 1.21.
  static let budgets = Resource(
    group: "policy", plural: "poddisruptionbudgets", kind: "PodDisruptionBudget")
}
