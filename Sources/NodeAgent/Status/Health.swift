/// What keeps a node from being healthy, each in one sentence; empty when it is.
///
/// A pod on its way in and a generation on its way to ztunnel count, so that a script can wait for
/// health. Objects in force in a stricter form than written are told in `model`: nothing is broken.
func healthProblems(
  ztunnel: ZTunnelStatus, model: ModelStatus, pods: [PodStatus],
  certificates: [CertificateStatus], authority: String?
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
  if ztunnel.isConnected, model.enforcedGeneration != model.generation {
    problems.append("generation \(model.generation) is not enforced yet")
  }
  if let authority { problems.append("the certificate authority is not reloaded: \(authority)") }
  for pod in pods where !["enrolled", "notEnrolled", "releasing"].contains(pod.state) {
    let reason = pod.reason.map { ": \($0)" } ?? ", not enrolled yet"
    problems.append("pod \(pod.namespace)/\(pod.name) is \(pod.state)\(reason)")
  }
  for certificate in certificates where !certificate.isInOrder {
    problems.append("no certificate for \(certificate.identity): \(certificate.state)")
  }
  return problems
}

extension CertificateStatus {
  /// Whether there is a certificate, or one is on its way.
  fileprivate var isInOrder: Bool { ["valid", "requested", "not requested"].contains(state) }
}
