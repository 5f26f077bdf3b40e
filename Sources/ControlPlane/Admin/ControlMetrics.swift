import Telemetry

/// The numbers of a control plane in Prometheus' text.
struct ControlMetrics {
  var status: ControlStatus
  var counters: Counters.Values
  var resources: [(type: String, count: Int, bytes: Int)]

  var text: String {
    var text = PrometheusText()
    writeMesh(&text)
    writeStreams(&text)
    writeCertificates(&text)
    return text.text
  }

  private func writeMesh(_ text: inout PrometheusText) {
    text.gauge("skein_control_generation", "The generation that is served", status.mesh.generation)
    text.gauge(
      "skein_control_stale", "Whether the manifests on disk have errors",
      status.mesh.isStale ? 1 : 0)
    text.gauge(
      "skein_control_manifest_errors", "Errors in the manifests on disk",
      UInt64(status.mesh.errors))
    text.family("skein_control_resources", .gauge, "Resources that are served (unstable).")
    for row in resources {
      text.sample("skein_control_resources", [.init("type", row.type)], UInt64(row.count))
    }
    text.family("skein_control_resource_bytes", .gauge, "Bytes of these resources (unstable).")
    for row in resources {
      text.sample("skein_control_resource_bytes", [.init("type", row.type)], UInt64(row.bytes))
    }
    text.gauge("skein_control_resident_bytes", "Memory of the control plane", status.residentBytes)
  }

  private func writeStreams(_ text: inout PrometheusText) {
    text.gauge("skein_control_connections", "Connections open", UInt64(status.connections))
    text.gauge("skein_control_streams", "Discovery streams open", UInt64(status.streamCount))
    family(
      &text, "skein_control_streams_refused_total", "Streams refused", "reason",
      counters.streamsRefused)
    family(
      &text, "skein_control_streams_ended_total", "Streams whose proof ended before them", "reason",
      counters.streamsEnded)
    text.counter("skein_control_responses_total", "Responses sent", counters.responses)
    text.counter(
      "skein_control_resources_sent_total", "Resources sent to all streams",
      counters.resources)
    text.counter(
      "skein_control_removals_sent_total", "Removals sent to all streams", counters.removals)
    text.counter(
      "skein_control_nacks_total", "Responses that nodes refused in part",
      counters.refusals)
    text.family(
      "skein_control_push_seconds", .histogram,
      "Time from reading changed manifests to writing them to a stream (unstable).")
    text.histogram("skein_control_push_seconds", counters.pushes)
  }

  private func writeCertificates(_ text: inout PrometheusText) {
    let results = Counters.CertificateResult.allCases.map {
      ($0.rawValue, counters.certificates[$0] ?? 0)
    }
    family(
      &text, "skein_control_certificates_total", "Requests for certificates", "result",
      Dictionary(uniqueKeysWithValues: results))
    family(
      &text, "skein_control_authentication_failures_total", "Peers that proved nothing", "reason",
      counters.authenticationFailures)
  }

  private func family(
    _ text: inout PrometheusText, _ name: String, _ help: String, _ label: String,
    _ values: [String: UInt64]
  ) {
    text.family(name, .counter, help + " (unstable).")
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      text.sample(name, [.init(label, key)], value)
    }
  }
}
