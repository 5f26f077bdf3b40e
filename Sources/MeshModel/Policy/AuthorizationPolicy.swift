/// The name of a policy: its namespace and its name, as Istio's wire writes it: `ns/name`.
public struct PolicyKey: Hashable, Sendable {
  public var namespace: String
  public var name: String

  public init(namespace: String, name: String) {
    self.namespace = namespace
    self.name = name
  }
}

extension PolicyKey: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    (a.namespace, a.name) < (b.namespace, b.name)
  }
}

extension PolicyKey: CustomStringConvertible {
  public var description: String { "\(namespace)/\(name)" }
}

/// An L4 authorization policy as Istio's ambient wire carries it.
///
/// Policy = OR of rules; rule = AND of clauses; clause = OR of matches; match = AND of its fields.
/// Source: `istio.security.Authorization`.
public struct AuthorizationPolicy: Hashable, Sendable {
  public enum Scope: UInt8, Hashable, Sendable {
    case global = 0
    case namespace = 1
    /// Applies only to workloads that list it.
    case workloadSelector = 2
  }

  public enum Action: UInt8, Hashable, Sendable {
    case allow = 0
    case deny = 1
  }

  public var key: PolicyKey
  public var scope: Scope
  public var action: Action
  /// Evaluated and counted, never enforced.
  public var isDryRun: Bool
  public var rules: [Rule]
  /// What it says could not be read: it stands where the policy applies, and denies there.
  public var isUnreadable = false

  public init(
    key: PolicyKey, scope: Scope, action: Action, isDryRun: Bool = false, rules: [Rule] = []
  ) {
    self.key = key
    self.scope = scope
    self.action = action
    self.isDryRun = isDryRun
    self.rules = rules
  }

  /// Stands for a policy that came and could not be read, and that has no earlier version.
  ///
  /// It denies everything even for a reader that does not know the flag.
  public static func unreadable(_ key: PolicyKey, scope: Scope) -> Self {
    var policy = Self(key: key, scope: scope, action: .deny, rules: [Rule()])
    policy.isUnreadable = true
    return policy
  }

  /// All clauses must hold; a rule without clauses always matches.
  public struct Rule: Hashable, Sendable {
    public var clauses: [Clause]
    public init(clauses: [Clause] = []) { self.clauses = clauses }
  }

  /// One match must hold; a clause without matches holds.
  public struct Clause: Hashable, Sendable {
    public var matches: [Match]
    public init(matches: [Match] = []) { self.matches = matches }
  }

  /// All given fields must hold; a match with no field at all never makes its clause true.
  public struct Match: Hashable, Sendable {
    public var principals: [StringMatch] = []
    public var notPrincipals: [StringMatch] = []
    public var namespaces: [StringMatch] = []
    public var notNamespaces: [StringMatch] = []
    public var serviceAccounts: [ServiceAccountMatch] = []
    public var notServiceAccounts: [ServiceAccountMatch] = []
    public var sourceIPs: [CIDR] = []
    public var notSourceIPs: [CIDR] = []
    public var destinationIPs: [CIDR] = []
    public var notDestinationIPs: [CIDR] = []
    public var destinationPorts: [UInt16] = []
    public var notDestinationPorts: [UInt16] = []

    public init() {}
  }
}

public enum StringMatch: Hashable, Sendable {
  case exact(String)
  case prefix(String)
  case suffix(String)
  /// Any value that is not empty.
  case presence
}

public struct ServiceAccountMatch: Hashable, Sendable {
  public var namespace: String
  public var serviceAccount: String

  public init(namespace: String, serviceAccount: String) {
    self.namespace = namespace
    self.serviceAccount = serviceAccount
  }
}
