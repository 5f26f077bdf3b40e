extension Explanation {
  /// The answer for people.
  var text: String {
    var lines = [
      "from      \(source.pod) (\(source.identity))\(source.isEnrolled ? "" : ", not enrolled")",
      "to        \(destination)",
      "route     \(routeText)",
    ]
    for (index, endpoint) in endpoints.enumerated() {
      let title = index == 0 ? "endpoints " : "          "
      lines.append(
        title + "\(endpoint.address) \(endpoint.workloadUID) over \(endpoint.transport)"
          + (endpoint.dialled == endpoint.address ? "" : " to \(endpoint.dialled)")
          + ": \(endpoint.reason)")
    }
    lines.append("outcome   \(outcomeText)")
    if let policy { lines.append("policy    \(policy)\(rule.map { ", rule \($0)" } ?? "")") }
    if let nearest {
      lines.append("nearest   \(nearest.policy), rule \(nearest.rule)")
      let field = nearest.field.isEmpty ? "rules" : nearest.field
      lines.append("missed    \(field): wanted \(nearest.expected), got \(nearest.actual)")
    }
    lines += dryRun.map { "dry run   \($0.policy) would \($0.wouldAllow ? "allow" : "deny") it" }
    lines.append("why       \(reason)")
    lines.append("next      \(nextStep)")
    return lines.joined(separator: "\n") + "\n"
  }

  private var routeText: String {
    let waypoint = route.waypoint.map { ", through waypoint \($0)" } ?? ""
    let gateway = route.gateway.map { ", through the entry \($0) of another network" } ?? ""
    return kindText + waypoint + gateway
  }

  private var kindText: String {
    switch route.kind {
    case "service": "service \(route.service ?? "")"
    case "pod": "the pod's own address"
    case "passthrough": "passthrough, plain TCP to where the application dials"
    case "direct":
      "direct, the source is not captured\(route.service.map { " (service \($0))" } ?? "")"
    default: "refused"
    }
  }

  private var outcomeText: String {
    switch outcome {
    case "notEnforced": "passes, nothing enforces a policy"
    case "waypoint": "the waypoint decides"
    case "otherNetwork": "the far network decides"
    default: outcome
    }
  }
}
