import AgentProtocol
import Telemetry

extension Summary {
  /// What ztunnel says of itself, in numbers.
  func write(to text: inout PrometheusText) {
    text.family(
      "istio_crl_policy_rejections_total", .counter,
      "Tunnel connections refused or cut by revocation lists (unstable).")
    for (reporter, count) in [("destination", revokedInbound), ("source", revokedOutbound)] {
      text.sample(
        "istio_crl_policy_rejections_total", [PrometheusText.Label("reporter", reporter)], count)
    }
    text.counter(
      "skein_ztunnel_failed_accepts_total",
      "Connections that died before ztunnel looked, or had no descriptor left", failedAccepts)
    text.counter(
      "skein_ztunnel_dropped_records_total",
      "Records of connections that ztunnel could not deliver", droppedRecords)
    text.gauge("skein_ztunnel_resident_bytes", "Memory of ztunnel", residentBytes)
    text.gauge("skein_ztunnel_open_descriptors", "Descriptors of ztunnel", UInt64(openDescriptors))
  }
}
