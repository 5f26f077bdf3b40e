import MeshModel
import Telemetry

/// What keeps a node from being healthy, each in one sentence; empty when it is.
///
/// A pod on its way in and a generation on its way to ztunnel count, so that a script can wait for
/// health. Objects in force in a stricter form than written are told in `model`: nothing is broken.
func healthProblems(
  ztunnel: ZTunnelStatus, model: ModelStatus, pods: [PodStatus],
  certificates: [CertificateStatus], authority: String?, controlPlane: ControlPlaneStatus? = nil,
  cluster: ClusterStatus? = nil, trust: [String] = [],
  prober: String? = nil,
  now: WallTime
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
  if let controlPlane { problems += controlPlaneProblems(controlPlane) }
  if let cluster { problems += cluster.problems }
  if let rejection = model.rejection { problems.append("ztunnel refused \(rejection)") }
  if ztunnel.isConnected, model.enforcedGeneration != model.generation {
    problems.append("generation \(model.generation) is not enforced yet")
  }
  if let authority { problems.append("the certificate authority is not reloaded: \(authority)") }
  problems += trust
  if let prober { problems.append("probes do not pass: \(prober)") }
  for pod in pods where !["enrolled", "notEnrolled", "draining", "releasing"].contains(pod.state) {
    let reason = pod.reason.map { ": \($0)" } ?? ", not enrolled yet"
    problems.append("pod \(pod.namespace)/\(pod.name) is \(pod.state)\(reason)")
  }
  for certificate in certificates where !certificate.isInOrder {
    // Timestamps of one format are ordered as text.
    let isValid = now.timestamp < certificate.notAfter
    problems.append(
      certificate.state.hasPrefix("revoked")
        ? "the certificate for \(certificate.identity) is \(certificate.state)"
        : isValid
          ? "the certificate for \(certificate.identity) is not renewed: \(certificate.state); it is "
            + "valid until \(certificate.notAfter), next try \(certificate.renewal)"
          : "no certificate for \(certificate.identity): \(certificate.state)")
  }
  return problems
}

private func controlPlaneProblems(_ controlPlane: ControlPlaneStatus) -> [String] {
  var problems: [String] = []
  if controlPlane.isStale {
    let reason = controlPlane.lastError.map { ": \($0)" } ?? ""
    problems.append(
      "the control plane \(controlPlane.address) has not confirmed the mesh since "
        + "\(controlPlane.staleSince ?? "the start")\(reason)")
  }
  if controlPlane.rejectedCount > 0 {
    problems.append(
      "\(controlPlane.rejectedCount) resources of the control plane are refused; see: node-agent "
        + "status control-plane")
  }
  return problems
}

extension CertificateStatus {
  /// Whether there is a certificate, or one is on its way.
  fileprivate var isInOrder: Bool { ["valid", "requested", "not requested"].contains(state) }
}
