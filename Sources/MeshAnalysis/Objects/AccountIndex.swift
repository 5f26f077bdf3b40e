import MeshCompiler

/// The identities there can be: of accounts that are declared, and of those that pods run as.
struct AccountIndex: Sendable {
  private let trustDomain: String
  private(set) var trustDomains: Set<String>
  private var accounts: [String: Set<String>] = [:]
  /// Of those that pods run as: whether one of the pods is in the mesh.
  private var users: [String: Bool] = [:]
  /// In order, forwards and backwards, for patterns.
  private var principals: [String] = []
  private var reversed: [String] = []

  init(trustDomain: String) {
    self.trustDomain = trustDomain
    trustDomains = [trustDomain]
  }

  mutating func declare(_ namespace: String, _ account: String) {
    accounts[namespace, default: ["default"]].insert(account)
  }

  mutating func use(_ pod: PodSource) {
    declare(pod.namespace, pod.account)
    let hasIdentity = pod.isEnrolled || pod.enrolment == .notEnrolled(.nativeTunnel)
    users["\(pod.namespace)/\(pod.account)", default: false] =
      users["\(pod.namespace)/\(pod.account)", default: false]
      || hasIdentity || pod.enrolment == .notEnrolled(.sidecar)
    if let domain = pod.annotations[Key.trustDomain] { trustDomains.insert(domain) }
  }

  mutating func finish() {
    principals = accounts.flatMap { namespace, names in
      names.flatMap { name in trustDomains.map { "\($0)/ns/\(namespace)/sa/\(name)" } }
    }.sorted()
    reversed = principals.map { String($0.reversed()) }.sorted()
  }

  func has(_ namespace: String, _ account: String) -> Bool {
    account == "default" || accounts[namespace]?.contains(account) ?? false
  }

  func names(in namespace: String) -> [String] { accounts[namespace]?.sorted() ?? [] }

  /// Whether pods run as it, and none of them has an identity.
  func isWithoutIdentity(_ namespace: String, _ account: String) -> Bool {
    users["\(namespace)/\(account)"] == false
  }

  /// Whether a pattern with a star at its end or its beginning takes any principal.
  func matches(pattern: String) -> Bool {
    if pattern.hasSuffix("*") { return Self.has(prefix: pattern.dropLast(), in: principals) }
    return Self.has(prefix: Substring(String(pattern.dropFirst().reversed())), in: reversed)
  }

  private static func has(prefix: Substring, in sorted: [String]) -> Bool {
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < prefix { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low].hasPrefix(prefix)
  }
}

/// The parts of `<trust domain>/ns/<namespace>/sa/<account>`; nil for what is written otherwise.
struct Principal {
  let trustDomain: String
  let namespace: String
  let account: String

  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 5, parts[1] == "ns", parts[3] == "sa" else { return nil }
    (trustDomain, namespace, account) = (parts[0], parts[2], parts[4])
  }
}
