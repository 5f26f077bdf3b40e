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
    text.family(
      "skein_ztunnel_failed_accepts_total", .counter,
      "Connections that died before ztunnel looked, or had no descriptor left (unstable).")
    text.sample("skein_ztunnel_failed_accepts_total", [], failedAccepts)
    text.family(
      "skein_ztunnel_dropped_records_total", .counter,
      "Records of connections that ztunnel could not deliver (unstable).")
    text.sample("skein_ztunnel_dropped_records_total", [], droppedRecords)
    text.family("skein_ztunnel_resident_bytes", .gauge, "Memory of ztunnel (unstable).")
    text.sample("skein_ztunnel_resident_bytes", [], residentBytes)
    text.family("skein_ztunnel_open_descriptors", .gauge, "Descriptors of ztunnel (unstable).")
    text.sample("skein_ztunnel_open_descriptors", [], UInt64(openDescriptors))
  }
}
