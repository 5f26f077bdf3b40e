import AgentProtocol
import MeshModel
import Telemetry

/// What became of the pods' DNS queries, by Istio's names.
///
/// Pods of one canonical service and revision are counted together.
/// Source: ambient-protocol.md, section 2.5.
struct DNSMetrics {
  private struct Key: Hashable {
    var type: String
    var isStream: Bool
    var service: String
    var revision: String
  }

  private var sums: [Key: DNSSample] = [:]

  init(_ samples: [DNSSample], index: MeshIndex) {
    for sample in samples {
      let workload = index.workload(uid: sample.sourceWorkload)
      let key = Key(
        type: sample.queryType, isStream: sample.isStream,
        service: Self.known(workload?.canonicalName),
        revision: Self.known(workload?.canonicalRevision))
      guard var sum = sums[key] else {
        sums[key] = sample
        continue
      }
      sum.add(sample)
      sums[key] = sum
    }
  }

  private static func known(_ name: String?) -> String {
    guard let name, !name.isEmpty else { return "unknown" }
    return name
  }

  func write(to text: inout PrometheusText) {
    counter(
      "istio_dns_requests_total", "DNS queries of pods that came to ztunnel (unstable).", &text
    ) { $0.requests }
    counter(
      "istio_dns_upstream_requests_total",
      "Queries sent on to the resolver the pod addressed (unstable).", &text
    ) { $0.upstreamRequests }
    counter(
      "istio_dns_upstream_failures_total",
      "Queries that resolver did not answer (unstable).", &text
    ) { $0.upstreamFailures }
    durations(to: &text)
  }

  private var sorted: [(labels: [PrometheusText.Label], sample: DNSSample)] {
    let rows = sums.map { key, sample in
      let labels = [
        PrometheusText.Label("request_query_type", key.type),
        PrometheusText.Label("request_protocol", key.isStream ? "tcp" : "udp"),
        PrometheusText.Label("source_canonical_service", key.service),
        PrometheusText.Label("source_canonical_revision", key.revision),
      ]
      return (labels: labels, sample: sample)
    }
    return rows.sorted {
      $0.labels.map(\.value).lexicographicallyPrecedes($1.labels.map(\.value))
    }
  }

  private func counter(
    _ name: String, _ help: String, _ text: inout PrometheusText,
    _ value: (DNSSample) -> UInt64
  ) {
    text.family(name, .counter, help)
    for row in sorted { text.sample(name, row.labels, value(row.sample)) }
  }

  private func durations(to text: inout PrometheusText) {
    let name = "istio_dns_upstream_request_duration_seconds"
    text.family(name, .histogram, "How long that resolver took (unstable).")
    for row in sorted where row.sample.upstreamRequests > 0 {
      var total: UInt64 = 0
      for (bound, count) in zip(DNSSample.durationBuckets, row.sample.durations) {
        total &+= count
        let limit = PrometheusText.Label("le", "\(Double(bound) / 1e9)")
        text.sample("\(name)_bucket", row.labels + [limit], total)
      }
      total &+= row.sample.durations.last ?? 0
      text.sample("\(name)_bucket", row.labels + [PrometheusText.Label("le", "+Inf")], total)
      text.sample("\(name)_sum", row.labels, Double(row.sample.totalDuration) / 1e9)
      text.sample("\(name)_count", row.labels, total)
    }
  }
}
