/// What keeps a node from being healthy, each in one sentence; empty when it is.
///
/// Objects in force in a stricter form than written are told in `model`, not here: nothing is broken.
func healthProblems(
  ztunnel: ZTunnelStatus, model: ModelStatus, pods: [PodStatus], authority: String?
) -> [String] {
  var problems: [String] = []
  if !ztunnel.isConnected {
    problems.append("ztunnel is not connected (\(ztunnel.state)); see its log")
  }
  if model.isStale {
    problems.append(
      "the manifests have \(model.errors) errors, generation \(model.generation) stays in force; "
        + "see: node-agent status model")
  }
  if let rejection = model.rejection { problems.append("ztunnel refused \(rejection)") }
  if let authority { problems.append("the certificate authority is not reloaded: \(authority)") }
  for pod in pods {
    guard let reason = pod.reason, pod.state != "notEnrolled" else { continue }
    problems.append("pod \(pod.namespace)/\(pod.name) is \(pod.state): \(reason)")
  }
  return problems
}
