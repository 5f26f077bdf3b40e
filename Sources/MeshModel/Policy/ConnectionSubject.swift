/// What the matches of a policy are compared with, worked out once per connection.
struct ConnectionSubject {
  let facts: ConnectionFacts
  /// Proven, and of another trust domain than the workload: its namespaces are not the policy's.
  let isForeign: Bool
  /// The identity without `spiffe://`; nil for plaintext.
  let principal: String?
  /// Empty for plaintext.
  let namespace: String

  init(_ facts: ConnectionFacts, at workload: Workload) {
    self.facts = facts
    isForeign = facts.source.map { $0.trustDomain != workload.trustDomain } ?? false
    principal = facts.source.map { "\($0.trustDomain)/ns/\($0.namespace)/sa/\($0.serviceAccount)" }
    namespace = facts.source?.namespace ?? ""
  }
}

extension StringMatch {
  /// Compares bytes, not characters: names that merely look alike are different names.
  func matches(_ text: String) -> Bool {
    switch self {
    case .exact(let value): text.utf8.elementsEqual(value.utf8)
    case .prefix(let value): text.utf8.starts(with: value.utf8)
    case .suffix(let value): text.utf8.reversed().starts(with: value.utf8.reversed())
    case .presence: !text.utf8.isEmpty
    }
  }
}

extension ServiceAccountMatch {
  /// Whatever its trust domain.
  func matches(_ identity: SPIFFEID) -> Bool {
    namespace.utf8.elementsEqual(identity.namespace.utf8)
      && serviceAccount.utf8.elementsEqual(identity.serviceAccount.utf8)
  }
}
