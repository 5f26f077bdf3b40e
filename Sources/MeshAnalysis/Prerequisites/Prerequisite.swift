public import MeshCompiler

/// Whether something that the mesh needs of a cluster is there.
public struct Prerequisite: Hashable, Sendable {
  /// What is looked at; the order is that of the table.
  public enum Area: String, Hashable, Sendable, CaseIterable {
    case version
    case node
    case network
    case injector
    case networkPolicy = "network policy"
    case podSecurity = "pod security"
    case rights
  }

  public enum Outcome: String, Hashable, Sendable, CaseIterable {
    case good
    /// It works, with less than is promised, or nobody has tried.
    case warning
    /// Something does not work.
    case bad
    /// Could not be looked at.
    case unknown
  }

  public var area: Area
  /// Such as the name of a node.
  public var subject: String
  public var outcome: Outcome
  public var message: String
  /// The exact setting to change; empty where nothing is to be done.
  public var nextStep: String

  public init(
    _ area: Area, _ subject: String, _ outcome: Outcome, _ message: String, next: String = ""
  ) {
    self.area = area
    self.subject = subject
    self.outcome = outcome
    self.message = message
    nextStep = next
  }
}

/// What is known of a cluster; nil is what could not be read.
public struct ClusterFacts: Sendable {
  /// Such as `v1.31.2`.
  public var version: String?
  public var nodes: [ManifestValue]?
  /// What `node-agent check --system` found, by node, where it runs already.
  public var features: [String: [NodeFeature]] = [:]
  public var daemonSets: [ManifestValue]?
  public var webhooks: [ManifestValue]?
  /// The ConfigMap cilium-config; nil where there is none.
  public var cilium: ManifestValue?
  /// Calico's FelixConfiguration default; nil where there is none.
  public var felix: ManifestValue?
  /// Namespaces, pods and NetworkPolicies.
  public var objects: [ManifestObject] = []
  public var unread: Set<ObjectKind> = []
  /// The namespace of the installation.
  public var namespace: String
  public var rights: [Right: Bool] = [:]
  public var options = CompilerOptions()

  public init(namespace: String) {
    self.namespace = namespace
  }
}

/// One thing that a node's kernel has or has not.
public struct NodeFeature: Hashable, Sendable {
  public var name: String
  public var isRequired: Bool
  public var isWorking: Bool
  /// What happens without it.
  public var otherwise: String

  public init(name: String, isRequired: Bool, isWorking: Bool, otherwise: String) {
    self.name = name
    self.isRequired = isRequired
    self.isWorking = isWorking
    self.otherwise = otherwise
  }
}

/// What somebody may do.
public struct Right: Hashable, Sendable, Comparable {
  public var verb: String
  /// Empty for the core.
  public var group: String
  public var resource: String
  /// Empty for all.
  public var namespace: String

  public init(_ verb: String, _ resource: String, group: String = "", namespace: String = "") {
    self.verb = verb
    self.group = group
    self.resource = resource
    self.namespace = namespace
  }

  public static func < (a: Self, b: Self) -> Bool {
    (a.group, a.resource, a.verb, a.namespace) < (b.group, b.resource, b.verb, b.namespace)
  }

  /// What an installation and the work with it ask for.
  public static func all(installing namespace: String) -> [Right] {
    let whole: [Right] = [
      Right("create", "namespaces"), Right("patch", "namespaces"),
      Right("create", "clusterroles", group: "rbac.authorization.k8s.io"),
      Right("create", "clusterrolebindings", group: "rbac.authorization.k8s.io"),
      Right("list", "nodes"), Right("list", "pods"),
    ]
    let own: [Right] = [
      Right("create", "daemonsets", group: "apps", namespace: namespace),
      Right("create", "deployments", group: "apps", namespace: namespace),
      Right("create", "services", namespace: namespace),
      Right("create", "serviceaccounts", namespace: namespace),
      Right("create", "roles", group: "rbac.authorization.k8s.io", namespace: namespace),
      Right("create", "rolebindings", group: "rbac.authorization.k8s.io", namespace: namespace),
      Right("create", "poddisruptionbudgets", group: "policy", namespace: namespace),
      Right("create", "pods/exec", namespace: namespace),
    ]
    return whole + own
  }
}
