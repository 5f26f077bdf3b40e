extension StatusReport {
  /// What keeps the node from taking care of its pods, each in one sentence; empty when it does.
  ///
  /// Less than health: a single pod, certificate or object in trouble, or a control plane that is away
  /// while the last good mesh is enforced, must not hold up the update of all other nodes.
  var readinessProblems: [String] {
    var problems: [String] = []
    if node.isDraining { problems.append("the node agent is leaving") }
    if !ztunnel.isConnected {
      problems.append("ztunnel is not connected (\(ztunnel.state)); see its log")
    } else if (ztunnel.generation ?? 0) == 0 {
      problems.append("ztunnel has heard of no mesh yet")
    }
    for resource in cluster?.resources ?? [] where !resource.isSynced {
      let reason = resource.problem.map { ": \($0)" } ?? ""
      problems.append("the cluster's \(resource.kind) objects: not read yet\(reason)")
    }
    return problems + (cni?.problems ?? [])
  }
}
