import MeshModel

extension Verdict {
  var policy: PolicyKey? {
    switch self {
    case .allow(.matched(let policy, _)): policy
    case .allow(.noPolicy): nil
    case .deny(let denial): denial.policy
    }
  }

  var rule: Int? {
    switch self {
    case .allow(.matched(_, let rule)): rule
    case .allow(.noPolicy): nil
    case .deny(let denial): denial.rule
    }
  }

  var nearest: NearMiss? {
    switch self {
    case .allow: nil
    case .deny(let denial): denial.nearest
    }
  }

  /// What an operator does about it, in one sentence.
  func nextStep(isSourceEnrolled: Bool) -> String {
    switch self {
    case .allow:
      "nothing to change; if it still fails, see: node-agent status refusals, and explain on the "
        + "destination's node"
    case .deny(let denial) where !isSourceEnrolled:
      "the source is not enrolled, so it proves no identity; label its namespace or pod "
        + "istio.io/dataplane-mode: ambient, then ask again (now: \(denial))"
    case .deny(let denial): denial.nextStep
    }
  }
}

extension Verdict.Denial {
  var nextStep: String {
    switch self {
    case .matched(let policy, let rule):
      "change rule \(rule) of DENY policy \(policy), or call with another identity"
    case .noAllowMatched(let nearest?) where nearest.field.isEmpty:
      "policy \(nearest.policy) allows nobody; add a rule to it, or another ALLOW policy"
    case .noAllowMatched(let nearest?):
      "if this connection is meant to be: let \(nearest.field) in rule \(nearest.rule) of policy "
        + "\(nearest.policy) include \(nearest.actual)"
    case .noAllowMatched(nil):
      "add an ALLOW policy for this connection"
    case .missingPolicy(let policy):
      "policy \(policy) has not arrived or could not be read; check that its manifest is applied and without errors: "
        + "node-agent status model"
    case .unknownWorkload:
      "add the destination's Pod to the manifests, or wait until it is known on this node"
    case .aroundWaypoint(let bypass) where bypass.expected.isEmpty:
      "start waypoint \(bypass.waypoint), or take its label istio.io/use-waypoint off \(bypass.owner)"
    case .aroundWaypoint(let bypass):
      "dial the address that goes through waypoint \(bypass.waypoint): the service's own for a "
        + "service's waypoint; a gateway passes it with label istio.io/ingress-use-waypoint"
    case .couldForgeHeader(0):
      "name the port that takes the header: annotation "
        + "ambient.istio.io/waypoint-inbound-binding: PROXY/15088 on the Gateway"
    case .couldForgeHeader:
      "connect through the mesh, which writes the header itself; and let the waypoint listen for it "
        + "on loopback only"
    }
  }
}

extension RouteRefusal {
  var nextStep: String {
    switch self {
    case .agentPort: "dial the application's own port"
    case .unknownPort: "dial a port that the Service lists under spec.ports"
    case .noEndpoint:
      "make at least one pod of the service ready and reachable: node-agent status pods, and the "
        + "service's selector and targetPort"
    case .unusableWaypoint(let waypoint, let owner, _):
      "make waypoint \(waypoint) ready, or take its label istio.io/use-waypoint off \(owner)"
    }
  }
}
