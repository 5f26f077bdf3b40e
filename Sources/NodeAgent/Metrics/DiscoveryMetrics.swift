import Telemetry

/// The control plane's stream in numbers; Istio's names where Istio has them.
///
/// Source: ambient-protocol.md, section 2.5.
struct DiscoveryMetrics: Equatable, Sendable {
  var isConnected = false
  var isStale = false
  /// Seconds since 1970 of the last answer; nil when there never was one.
  var lastContact: Double?
  var rejected = 0
  var terminations: [DiscoveryState.Termination: UInt64] = [:]
  var traffic: [String: DiscoveryState.Traffic] = [:]

  func write(to text: inout PrometheusText) {
    text.gauge("skein_xds_connected", "Whether a discovery stream stands", isConnected ? 1 : 0)
    text.gauge(
      "skein_xds_stale", "Whether the control plane has not confirmed the mesh", isStale ? 1 : 0)
    if let lastContact {
      text.family(
        "skein_xds_last_contact_timestamp_seconds", .gauge,
        "When the control plane answered last (unstable).")
      text.sample("skein_xds_last_contact_timestamp_seconds", [], lastContact)
    }
    text.gauge("skein_xds_rejected_resources", "Resources not taken", UInt64(max(rejected, 0)))
    text.family(
      "istio_xds_connection_terminations_total", .counter,
      "Discovery streams that ended, by reason (unstable).")
    for reason in DiscoveryState.Termination.allCases {
      text.sample(
        "istio_xds_connection_terminations_total",
        [PrometheusText.Label("reason", reason.rawValue)], terminations[reason] ?? 0)
    }
    text.family(
      "istio_xds_message_total", .counter, "Messages of the control plane, by type (unstable).")
    for (url, traffic) in traffic.sorted(by: { $0.key < $1.key }) {
      text.sample(
        "istio_xds_message_total", [PrometheusText.Label("url", url)], traffic.messages)
    }
    text.family(
      "istio_xds_message_bytes_total", .counter,
      "Bytes of the control plane's messages, by type (unstable).")
    for (url, traffic) in traffic.sorted(by: { $0.key < $1.key }) {
      text.sample(
        "istio_xds_message_bytes_total", [PrometheusText.Label("url", url)], traffic.bytes)
    }
  }
}
