import Telemetry

extension CNIStatus {
  /// The calls of a container runtime in numbers.
  func write(to text: inout PrometheusText) {
    text.family(
      "skein_cni_chained", .gauge,
      "Whether the plugin is in the network the runtime takes (unstable).")
    text.sample("skein_cni_chained", [], (state == "chained" ? 1 : 0) as UInt64)
    text.family(
      "skein_cni_calls_total", .counter, "Calls of the plugin by how they were answered (unstable)."
    )
    for answer in CNIStatus.answerNames {
      text.sample(
        "skein_cni_calls_total", [PrometheusText.Label("answer", answer)], answers[answer] ?? 0)
    }
    text.family(
      "skein_cni_calls_waiting", .gauge, "Calls that wait for their answer (unstable).")
    text.sample("skein_cni_calls_waiting", [], UInt64(max(underWay, 0)))
    text.family(
      "skein_cni_repairs_total", .counter,
      "Changes of others that were mended: networks and programs (unstable).")
    text.sample("skein_cni_repairs_total", [], repairs)
  }
}
