import Telemetry

extension CNIStatus {
  /// The calls of a container runtime in numbers.
  func write(to text: inout PrometheusText) {
    text.gauge(
      "skein_cni_chained",
      "Whether the plugin is in the network the runtime takes", state == "chained" ? 1 : 0)
    text.family(
      "skein_cni_calls_total", .counter, "Calls of the plugin by how they were answered (unstable)."
    )
    for answer in CNIStatus.answerNames {
      text.sample(
        "skein_cni_calls_total", [PrometheusText.Label("answer", answer)], answers[answer] ?? 0)
    }
    text.gauge(
      "skein_cni_calls_waiting", "Calls that wait for their answer", UInt64(max(underWay, 0)))
    text.counter(
      "skein_cni_repairs_total",
      "Changes of others that were mended: networks and programs", repairs)
  }
}
