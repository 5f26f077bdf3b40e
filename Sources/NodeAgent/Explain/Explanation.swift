import MeshModel

/// What would become of one connection, decided without sending anything.
struct Explanation: Codable, Equatable, Sendable {
  var source: Source
  /// What the application would dial.
  var destination: String
  var route: Route
  /// `allowed`, `denied`, `refused` (no way there), `notEnforced` (outside the mesh), `waypoint`
  /// (a waypoint decides) or `otherNetwork` (the far network's node decides).
  var outcome: String
  /// The endpoints in the order ztunnel would try them from the first turn.
  var endpoints: [Endpoint]
  /// The policy that decided, as `namespace/name`.
  var policy: String?
  /// The rule of that policy, counted from 0.
  var rule: Int?
  var nearest: NearMissStatus?
  var reason: String
  /// Dry-run policies that would have changed the answer.
  var dryRun: [DryRun]
  var nextStep: String

  struct Source: Codable, Equatable, Sendable {
    var pod: String
    var workloadUID: String
    var identity: String
    var address: String?
    var isEnrolled: Bool
  }

  struct Route: Codable, Equatable, Sendable {
    /// `service`, `pod`, `passthrough`, `direct` (the source is not enrolled) or `refused`.
    var kind: String
    var service: String?
    /// The uid of the waypoint that takes the connection first.
    var waypoint: String?
    /// The uid of the entry to the network it goes to.
    var gateway: String?
    var refusal: String?
  }

  struct Endpoint: Codable, Equatable, Sendable {
    var workloadUID: String
    var address: String
    /// `local`, `hbone`, `plaintext` or `double hbone`.
    var transport: String
    /// Where the tunnel or the plain connection goes: an address, or a host name.
    var dialled: String
    /// Who answers must prove this; for a name a service lends, the first of them.
    var identity: String
    var isAllowed: Bool
    var reason: String
  }

  struct DryRun: Codable, Equatable, Sendable {
    var policy: String
    var wouldAllow: Bool
  }
}

/// A question `explain` cannot answer, because of what was asked.
enum ExplanationError: Error, Equatable {
  case unknownSource(String)
  case malformedSource(String)
}

extension ExplanationError: CustomStringConvertible {
  var description: String {
    switch self {
    case .unknownSource(let name): "no pod \(name) in the manifests; see: node-agent status pods"
    case .malformedSource(let text): "\"\(text)\" is no pod; write NAMESPACE/POD"
    }
  }
}

extension MeshIndex {
  /// Decides a connection of pod `source`, written `namespace/name`, to `destination`.
  func explanation(
    from source: String, to destination: SocketAddress
  ) throws(ExplanationError) -> Explanation {
    let parts = source.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
      throw .malformedSource(source)
    }
    let workload = model.workloads.values.first { $0.namespace == parts[0] && $0.name == parts[1] }
    guard let workload else { throw .unknownSource(source) }
    // The source's ztunnel serves the enrolled pods of the source's node.
    let localPods = Set(
      model.workloads.values.lazy.filter { $0.node == workload.node && $0.isEnrolled }.map(\.uid))
    let plan = plan(
      from: workload, to: destination, turn: 0, localPods: localPods,
      passingWaypoints: workload.isEnrolled)
    return explanation(from: workload, to: destination, plan: plan)
  }

  private func explanation(
    from workload: Workload, to destination: SocketAddress, plan: RoutePlan
  ) -> Explanation {
    let address = workload.addresses.first { $0.isIPv4 == destination.ip.isIPv4 }
    let source = Explanation.Source(
      pod: "\(workload.namespace)/\(workload.name)", workloadUID: workload.uid,
      identity: workload.identity.description, address: address?.description,
      isEnrolled: workload.isEnrolled)
    switch plan {
    case .passthrough:
      return Explanation(
        source: source, destination: destination.description,
        route: Explanation.Route(kind: workload.isEnrolled ? "passthrough" : "direct"),
        outcome: "notEnforced", endpoints: [],
        reason: "the mesh knows no workload and no service at \(destination.ip)", dryRun: [],
        nextStep: "the connection goes out as plain TCP; if the destination should be in the mesh, "
          + "add its Pod or Service to the manifests")
    case .refuse(let refusal):
      return Explanation(
        source: source, destination: destination.description,
        route: Explanation.Route(kind: "refused", refusal: refusal.description),
        outcome: "refused", endpoints: [], reason: refusal.description, dryRun: [],
        nextStep: refusal.nextStep)
    case .candidates(let hops, let service):
      return explanation(
        from: workload, source: source, to: destination, hops: hops, service: service)
    }
  }

  private func explanation(
    from workload: Workload, source: Explanation.Source, to destination: SocketAddress,
    hops: [Hop], service: ServiceKey?
  ) -> Explanation {
    let judged = hops.map { hop in judgement(from: workload, over: hop) }
    var explanation = Explanation(
      source: source, destination: destination.description,
      route: Explanation.Route(
        kind: !workload.isEnrolled ? "direct" : service == nil ? "pod" : "service",
        service: service?.description,
        waypoint: hops.first { $0.isWaypoint }?.workloadUID,
        gateway: hops.first?.gateway?.workloadUID),
      outcome: "notEnforced", endpoints: judged.map(\.endpoint), reason: "", dryRun: [],
      nextStep: "")
    // The first endpoint that says no is the one worth explaining; without one, the first.
    guard let decisive = judged.first(where: { !$0.endpoint.isAllowed }) ?? judged.first else {
      return explanation
    }
    explanation.reason = decisive.endpoint.reason
    explanation.dryRun = decisive.dryRun.map {
      Explanation.DryRun(policy: $0.policy.description, wouldAllow: $0.wouldAllow)
    }
    if explanation.explainOtherJudge(of: decisive.hop) { return explanation }
    guard let verdict = decisive.verdict else {
      explanation.nextStep =
        "\(decisive.hop.workloadUID) is not enrolled, so nothing enforces a policy there; label "
        + "its namespace or pod istio.io/dataplane-mode: ambient"
      return explanation
    }
    explanation.outcome = verdict.isAllowed ? "allowed" : "denied"
    explanation.policy = verdict.policy?.description
    explanation.rule = verdict.rule
    explanation.nearest = verdict.nearest.map(NearMissStatus.init)
    explanation.nextStep = verdict.nextStep(isSourceEnrolled: workload.isEnrolled)
    return explanation
  }

  private struct Judgement {
    var hop: Hop
    var endpoint: Explanation.Endpoint
    /// Nil when nobody judges there.
    var verdict: Verdict?
    var dryRun: [DryRunMatch]
  }

  private func judgement(from workload: Workload, over hop: Hop) -> Judgement {
    // What is not captured arrives as plaintext without an identity.
    let transport = workload.isEnrolled ? hop.transport : .plaintext
    var endpoint = Explanation.Endpoint(
      workloadUID: hop.workloadUID, address: hop.address.description, transport: transport.name,
      dialled: hop.dialledText, identity: hop.identity?.description ?? "", isAllowed: true,
      reason: "")
    if let reason = hop.otherJudge {
      endpoint.reason = reason
      return Judgement(hop: hop, endpoint: endpoint, verdict: nil, dryRun: [])
    }
    guard let target = self.workload(uid: hop.workloadUID), target.isEnrolled else {
      endpoint.reason = "the destination is outside the mesh, no policy is enforced"
      return Judgement(hop: hop, endpoint: endpoint, verdict: nil, dryRun: [])
    }
    let ownAddress = workload.addresses.first { $0.isIPv4 == hop.address.ip.isIPv4 }
    let facts = ConnectionFacts(
      source: transport == .plaintext ? nil : workload.identity,
      sourceIP: ownAddress ?? workload.addresses.first ?? .v4(0),
      destinationIP: hop.address.ip, destinationPort: hop.address.port)
    let verdict = facts.verdict(for: target, in: self)
    endpoint.isAllowed = verdict.isAllowed
    endpoint.reason = verdict.description
    return Judgement(
      hop: hop, endpoint: endpoint, verdict: verdict,
      dryRun: facts.dryRunMatches(for: target, in: self))
  }
}

extension Workload {
  /// Whether a ztunnel takes care of it.
  var isEnrolled: Bool { tunnelProtocol == .hbone }
}
