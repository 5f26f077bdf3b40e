import AgentProtocol
import MeshModel
import Telemetry

/// The node agent's own numbers, under `skein_`.
struct NodeMetrics: Equatable, Sendable {
  var podsByState: [String: Int] = [:]
  var generation: UInt64 = 0
  var enforcedGeneration: UInt64 = 0
  /// From receiving a generation to ztunnel enforcing it.
  var enforcement = NodeMetrics.noEnforcement
  var ztunnelRestarts: UInt64 = 0
  var isZTunnelConnected = false
  var canariesPassed: UInt64 = 0
  var canaryFailures: UInt64 = 0
  var connections = LivingConnectionCounters()
  var refusals: UInt64 = 0
  var certificatesIssued: UInt64 = 0
  var certificatesRefused: UInt64 = 0
  /// Requests that wait for an answer of the authority.
  var certificatesWaiting = 0
  /// Identities whose last request failed.
  var certificatesFailing = 0
  /// Nil while the mesh comes from manifests.
  var discovery: DiscoveryMetrics?
  var manifestErrors: Int = 0
  var labelSetOverflows: UInt64 = 0
  /// Nil without a container runtime.
  var cni: CNIStatus?
  /// Nil while ztunnel does not answer: its counters are absent then, never back at zero.
  var ztunnel: Summary?

  static let noEnforcement = Histogram(
    bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])

  func write(to text: inout PrometheusText, version: String) {
    text.family("istio_build", .gauge, "The version of the mesh component.")
    text.sample(
      "istio_build",
      [PrometheusText.Label("component", "ztunnel"), PrometheusText.Label("tag", version)],
      1 as UInt64)
    text.family("skein_pods", .gauge, "Pods of this node by enrolment state (unstable).")
    for state in PodState.names {
      text.sample(
        "skein_pods", [PrometheusText.Label("state", state)], UInt64(podsByState[state] ?? 0))
    }
    text.gauge("skein_model_generation", "The last good generation of the mesh", generation)
    text.gauge(
      "skein_model_enforced_generation", "The generation ztunnel enforces", enforcedGeneration)
    text.gauge("skein_manifest_errors", "Errors in the manifests on disk", UInt64(manifestErrors))
    text.family(
      "skein_enforcement_seconds", .histogram,
      "Time from receiving a generation of the mesh to ztunnel enforcing it (unstable).")
    text.histogram("skein_enforcement_seconds", enforcement)
    text.gauge(
      "skein_ztunnel_connected", "Whether ztunnel is connected", isZTunnelConnected ? 1 : 0)
    text.counter("skein_ztunnel_restarts_total", "Restarts of ztunnel", ztunnelRestarts)
    text.counter("skein_canaries_passed_total", "Canary connections that arrived", canariesPassed)
    text.counter("skein_canary_failures_total", "Canary connections that failed", canaryFailures)
    connections.write(to: &text)
    text.counter("skein_refusals_total", "Connections refused", refusals)
    text.counter("skein_certificates_issued_total", "Certificates signed", certificatesIssued)
    text.counter(
      "skein_certificates_refused_total", "Signing requests refused", certificatesRefused)
    text.gauge(
      "skein_certificate_requests_pending", "Signing requests without an answer",
      UInt64(certificatesWaiting))
    text.gauge(
      "skein_certificate_requests_failing", "Identities whose last signing request failed",
      UInt64(certificatesFailing))
    discovery?.write(to: &text)
    text.counter(
      "skein_metric_label_set_overflows_total",
      "Samples summed because there are too many label sets", labelSetOverflows)
    cni?.write(to: &text)
    ztunnel?.write(to: &text)
  }
}
