extension NearMiss {
  /// The rule with the fewest fields amiss, and the first of them; nil without any policy.
  ///
  /// Of equals the one with more fields that hold wins, then the first in order. Of the matches
  /// that stand side by side in a clause only the closest counts, since one would be enough.
  init?(among policies: [AuthorizationPolicy], for subject: ConnectionSubject) {
    var nearest: (distance: Distance, miss: NearMiss)?
    for policy in policies {
      for (number, rule) in policy.rules.enumerated() {
        guard let (distance, fault) = rule.fault(for: subject) else { continue }
        if let nearest, !(distance < nearest.distance) { continue }
        nearest = (distance, NearMiss(policy.key, rule: number, fault, subject))
      }
    }
    if let nearest {
      self = nearest.miss
      return
    }
    guard let policy = policies.first else { return nil }
    self.init(
      policy: policy.key, rule: 0, field: "", expected: "a rule",
      actual: "none: this policy allows nothing")
  }

  private init(_ policy: PolicyKey, rule: Int, _ fault: Fault, _ subject: ConnectionSubject) {
    switch fault {
    case .emptyMatch:
      self.init(
        policy: policy, rule: rule, field: "", expected: "a condition on the connection",
        actual: "none: this part of the rule never matches")
    case .field(let field, _) where subject.isForeign && field.isDomestic:
      self.init(
        policy: policy, rule: rule, field: MatchField.principals.spelling,
        expected: "it by name, as \(field.spelling) are those of this trust domain",
        actual: MatchField.principals.actual(subject))
    case .field(let field, let match):
      let values = match.values(of: field).joined(separator: ", ")
      self.init(
        policy: policy, rule: rule, field: field.spelling,
        expected: field.isNegative ? "none of \(values)" : "one of \(values)",
        actual: field.actual(subject))
    }
  }
}

/// The first thing amiss in a rule.
private enum Fault {
  case field(MatchField, AuthorizationPolicy.Match)
  /// A match that asks for nothing, and so never matches.
  case emptyMatch
}

/// How far a rule is from matching.
private struct Distance: Comparable {
  var failing = 0
  var holding = 0

  static func < (a: Self, b: Self) -> Bool {
    a.failing == b.failing ? a.holding > b.holding : a.failing < b.failing
  }

  static func + (a: Self, b: Self) -> Self {
    Self(failing: a.failing + b.failing, holding: a.holding + b.holding)
  }
}

extension AuthorizationPolicy.Rule {
  /// Nil when the rule matches.
  fileprivate func fault(for subject: ConnectionSubject) -> (Distance, Fault)? {
    var distance = Distance()
    var first: Fault?
    for clause in clauses {
      guard let (clauseDistance, fault) = clause.nearest(for: subject) else { continue }
      distance = distance + clauseDistance
      first = first ?? fault
    }
    return first.map { (distance, $0) }
  }
}

extension AuthorizationPolicy.Clause {
  /// The closest match, nil for a clause without matches; the fault is nil when it holds.
  fileprivate func nearest(for subject: ConnectionSubject) -> (Distance, Fault?)? {
    matches.map { $0.fault(for: subject) }.min { $0.0 < $1.0 }
  }
}

extension AuthorizationPolicy.Match {
  fileprivate func fault(for subject: ConnectionSubject) -> (Distance, Fault?) {
    var distance = Distance()
    var first: Fault?
    for field in MatchField.inOrder {
      // Only ALLOW policies have near misses.
      switch holds(field, for: subject, .allow) {
      case true: distance.holding += 1
      case nil: continue
      case false:
        distance.failing += 1
        first = first ?? .field(field, self)
      }
    }
    guard distance.failing + distance.holding > 0 else {
      return (Distance(failing: 1), .emptyMatch)
    }
    return (distance, first)
  }
}
