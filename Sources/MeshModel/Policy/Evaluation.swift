extension ConnectionFacts {
  /// Whether a workload lets this connection in.
  ///
  /// Deny wins; then, if any ALLOW applies, one must match.
  ///
  ///     workload unknown here                  deny
  ///     an enforced DENY matches               deny
  ///     a listed policy has not arrived        deny   (Istio skips it)
  ///     plaintext at a port that believes a    deny   (Istio lets it in)
  ///     PROXY header
  ///     it passes a waypoint by                deny   (Istio lets it in)
  ///     no enforced ALLOW applies              allow
  ///     an enforced ALLOW matches              allow
  ///     otherwise                              deny
  ///
  /// Source: ambient-protocol.md, section 4.2.
  public func verdict(for workload: Workload?, in index: MeshIndex) -> Verdict {
    guard let workload else { return .deny(because: .unknownWorkload) }
    let (policies, missing) = index.policies(for: workload)
    return verdict(
      at: workload, under: policies.filter { !$0.isDryRun }, missing: missing.first,
      fault: fault(at: workload, in: index))
  }

  /// The dry-run policies that would turn the answer round, each enforced alone beside the others.
  public func dryRunMatches(for workload: Workload, in index: MeshIndex) -> [DryRunMatch] {
    let (policies, missing) = index.policies(for: workload)
    guard policies.contains(where: \.isDryRun) else { return [] }
    let enforced = policies.filter { !$0.isDryRun }
    let fault = fault(at: workload, in: index)
    func isAllowed(_ policies: [AuthorizationPolicy]) -> Bool {
      verdict(at: workload, under: policies, missing: missing.first, fault: fault).isAllowed
    }
    let isAllowedNow = isAllowed(enforced)
    return policies.filter(\.isDryRun).compactMap { policy in
      let wouldAllow = isAllowed(enforced + [policy])
      guard wouldAllow != isAllowedNow else { return nil }
      return DryRunMatch(policy: policy.key, action: policy.action, wouldAllow: wouldAllow)
    }
  }

  /// What no policy can permit.
  private func fault(at workload: Workload, in index: MeshIndex) -> Verdict.Denial? {
    if source == nil, let tunnel = workload.applicationTunnel,
      tunnel.believesHeader(on: destinationPort)
    {
      return .couldForgeHeader(port: tunnel.port)
    }
    return index.bypass(of: self, at: workload).map { .aroundWaypoint($0) }
  }

  private func verdict(
    at workload: Workload, under policies: [AuthorizationPolicy], missing: PolicyKey?,
    fault: Verdict.Denial?
  ) -> Verdict {
    if policies.isEmpty, missing == nil, fault == nil { return .allow(because: .noPolicy) }
    let subject = ConnectionSubject(self, at: workload)
    for policy in policies where policy.action == .deny {
      guard let rule = policy.firstMatchingRule(for: subject) else { continue }
      return .deny(because: .matched(policy: policy.key, rule: rule))
    }
    if let missing { return .deny(because: .missingPolicy(missing)) }
    if let fault { return .deny(because: fault) }
    let allowing = policies.filter { $0.action == .allow }
    if allowing.isEmpty { return .allow(because: .noPolicy) }
    for policy in allowing {
      guard let rule = policy.firstMatchingRule(for: subject) else { continue }
      return .allow(because: .matched(policy: policy.key, rule: rule))
    }
    return .deny(because: .noAllowMatched(nearest: NearMiss(among: allowing, for: subject)))
  }
}

extension AuthorizationPolicy {
  /// Whether it applies to every workload of a namespace, listed or not.
  func appliesUnlisted(in namespace: String) -> Bool {
    switch scope {
    case .global: true
    case .namespace: key.namespace == namespace
    case .workloadSelector: false
    }
  }

  /// The first rule that matches; a policy without rules never does.
  func firstMatchingRule(for subject: ConnectionSubject) -> Int? {
    rules.firstIndex { $0.matches(subject, action) }
  }
}

extension AuthorizationPolicy.Rule {
  func matches(_ subject: ConnectionSubject, _ action: AuthorizationPolicy.Action) -> Bool {
    clauses.allSatisfy { $0.matches(subject, action) }
  }
}

extension AuthorizationPolicy.Clause {
  func matches(_ subject: ConnectionSubject, _ action: AuthorizationPolicy.Action) -> Bool {
    matches.isEmpty || matches.contains { $0.matches(subject, action) }
  }
}

extension AuthorizationPolicy.Match {
  /// Whether every field asked for holds; a match that asks for nothing never matches.
  func matches(_ subject: ConnectionSubject, _ action: AuthorizationPolicy.Action) -> Bool {
    var isAsking = false
    for field in MatchField.inOrder {
      switch holds(field, for: subject, action) {
      case false: return false
      case true: isAsking = true
      case nil: continue
      }
    }
    return isAsking
  }
}
