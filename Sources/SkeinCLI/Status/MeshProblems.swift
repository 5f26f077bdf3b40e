extension MeshFacts {
  /// What is wrong with the control plane.
  var planeProblems: [String] {
    guard let wantedReplicas else {
      guard agents.isEmpty else {
        return ["no Deployment \(namespace)/control-plane is there; nodes keep what they have"]
      }
      return ["\(InstallationError.absent(namespace: namespace))"]
    }
    var problems: [String] = []
    let ready = replicas.count { $0.pod.isReady }
    if ready < wantedReplicas {
      let reasons = Set(replicas.compactMap(\.pod.waiting)).sorted()
      let reason = reasons.isEmpty ? "" : " (\(reasons.joined(separator: ", ")))"
      problems.append(
        "control plane: \(ready) of \(wantedReplicas) replicas are ready\(reason); see: kubectl -n "
          + "\(namespace) describe pods -l app.kubernetes.io/name=control-plane")
    }
    for replica in replicas where replica.pod.isReady {
      switch replica.report {
      case .value(let report):
        problems += report.problems.map { "\(replica.pod.name): \($0)" }
      case .problem(let problem): problems.append("\(replica.pod.name): \(problem)")
      }
    }
    if ready > 0, leader == nil || !replicas.contains(where: { $0.pod.name == leader }) {
      problems.append(
        "control plane: no replica leads: certificates are signed, but nobody keeps the roots in "
          + "the namespaces; see: kubectl -n \(namespace) get lease skein-control-plane")
    }
    return problems
  }

  /// What is wrong with a node.
  func problems(of node: MeshStatus.Node) -> [String] {
    let agent = agents.first { $0.pod.node == node.name }
    let isReady = nodes.first { $0.name == node.name }?.isReady ?? false
    guard let agent else {
      return [
        "\(node.name): no node agent runs there\(isReady ? "" : ", and the node is not ready"); "
          + "see: kubectl -n \(namespace) describe daemonset node-agent"
      ]
    }
    let prefix = isReady ? node.name : "\(node.name) (the node is not ready)"
    switch agent.report {
    case .problem(let problem):
      let reason = agent.pod.waiting.map { "its pod waits: \($0)" } ?? problem
      return [
        "\(prefix): the node agent does not answer: \(reason); see: kubectl -n \(namespace) "
          + "describe pod \(agent.pod.name)"
      ]
    case .value(let report):
      var problems = report.node.problems.map { "\(prefix): \($0)" }
      if problems.isEmpty, !agent.pod.isReady {
        problems.append("\(prefix): the node agent is healthy, and its pod is not ready yet")
      }
      if node.generation == nil, !replicas.compactMap(\.report.value).isEmpty {
        problems.append(
          "\(prefix): it has no stream from the control plane; see: \(Program.name) agent status "
            + "\(node.name) control-plane")
      }
      return problems
    }
  }
}
