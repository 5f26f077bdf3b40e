import AgentProtocol
import MeshModel
import Telemetry

/// Istio's TCP metrics, made from ztunnel's counters and the model's names.
///
/// Source: ambient-protocol.md, section 2.5.
struct ConnectionMetrics {
  typealias Label = PrometheusText.Label

  private struct Counts {
    var opened: UInt64 = 0
    var closed: UInt64 = 0
    var failed: UInt64 = 0
    var received: UInt64 = 0
    var sent: UInt64 = 0
  }

  /// By label set without the flag (opened, bytes) and with it (closed, failed).
  private var plain: [[Label]: Counts] = [:]
  private var flagged: [[Label]: Counts] = [:]

  /// The limiter decides which label sets are shown on their own; the rest are summed.
  init(samples: [MetricSample], index: MeshIndex, limiter: inout LabelSetLimiter) {
    for sample in samples {
      let labels = limiter.admitted(ConnectionMetrics.labels(of: sample, in: index))
      let open = labels + [Label("response_flags", ResponseFlag.none.rawValue)]
      let final = labels + [Label("response_flags", sample.flag.rawValue)]
      // Counters wrap; whatever ztunnel says, a sum stops nothing.
      plain[open, default: Counts()].opened &+= sample.opened
      plain[open, default: Counts()].received &+= sample.receivedBytes
      plain[open, default: Counts()].sent &+= sample.sentBytes
      flagged[final, default: Counts()].closed &+= sample.closed
      flagged[final, default: Counts()].failed &+= sample.failed
    }
    limiter.endRound()
  }

  func write(to text: inout PrometheusText) {
    func counter(
      _ name: String, _ help: String, _ sets: [[Label]: Counts], _ value: KeyPath<Counts, UInt64>,
      skipsZero: Bool = false
    ) {
      text.family(name, .counter, help)
      for (labels, counts) in sets.sorted(by: ConnectionMetrics.isOrdered) {
        let value = counts[keyPath: value]
        if value > 0 || !skipsZero { text.sample(name, labels, value) }
      }
    }
    counter(
      "istio_tcp_connections_opened_total", "The total number of TCP connections opened.", plain,
      \.opened)
    counter(
      "istio_tcp_connections_closed_total", "The total number of TCP connections closed.", flagged,
      \.closed)
    counter(
      "istio_tcp_connections_failed_total",
      "The total number of TCP connections that ended with a response flag (unstable).", flagged,
      \.failed, skipsZero: true)
    counter(
      "istio_tcp_received_bytes_total", "The total bytes from client to server.", plain, \.received)
    counter("istio_tcp_sent_bytes_total", "The total bytes from server to client.", plain, \.sent)
    writeOpenSockets(to: &text)
  }

  private func writeOpenSockets(to text: inout PrometheusText) {
    var open: [String: Int64] = ["source": 0, "destination": 0]
    for (labels, counts) in plain {
      open[labels[0].value, default: 0] &+= Int64(clamping: counts.opened)
    }
    for (labels, counts) in flagged {
      open[labels[0].value, default: 0] &-= Int64(clamping: counts.closed)
    }
    text.family(
      "istio_tcp_sockets_open", .gauge, "The number of connections open now (unstable).")
    for (reporter, count) in open.sorted(by: { $0.key < $1.key }) {
      text.sample(
        "istio_tcp_sockets_open", [Label("reporter", reporter)], UInt64(clamping: count))
    }
  }

  private static func isOrdered(
    _ a: (key: [Label], value: Counts), _ b: (key: [Label], value: Counts)
  ) -> Bool {
    a.key.lexicographicallyPrecedes(b.key) { $0.value < $1.value }
  }

  private static func labels(of sample: MetricSample, in index: MeshIndex) -> [Label] {
    let service = sample.service
    let name = service.flatMap { index.model.services[$0]?.name } ?? ""
    let source = index.workload(uid: sample.sourceWorkload)
    let destination = index.workload(uid: sample.destinationWorkload)
    return [Label("reporter", sample.reporter.reporter)]
      + labels(of: source, prefix: "source", identity: sample.sourceIdentity)
      + [
        Label("destination_service", known(service?.hostname)),
        Label("destination_service_namespace", known(service?.namespace)),
        Label("destination_service_name", known(name)),
      ]
      + labels(of: destination, prefix: "destination", identity: sample.destinationIdentity)
      + [
        Label("request_protocol", "tcp"),
        Label("connection_security_policy", sample.isMutualTLS ? "mutual_tls" : "unknown"),
      ]
  }

  private static func labels(
    of workload: Workload?, prefix: String, identity: SPIFFEID?
  ) -> [Label] {
    [
      Label("\(prefix)_workload", known(workload?.workloadName)),
      Label("\(prefix)_canonical_service", known(workload?.canonicalName)),
      Label("\(prefix)_canonical_revision", known(workload?.canonicalRevision)),
      Label("\(prefix)_workload_namespace", known(workload?.namespace ?? identity?.namespace)),
      Label("\(prefix)_principal", known(identity?.description)),
      Label("\(prefix)_app", known(workload?.canonicalName)),
      Label("\(prefix)_version", known(workload?.canonicalRevision)),
      Label("\(prefix)_cluster", known(workload?.clusterID)),
    ]
  }

  private static func known(_ value: String?) -> String {
    guard let value, !value.isEmpty else { return "unknown" }
    guard value.utf8.count > Limit.labelValueBytes else { return value }
    var cut = value.prefix(Limit.labelValueBytes)
    while cut.utf8.count > Limit.labelValueBytes { cut.removeLast() }
    return String(cut)
  }
}

/// Keeps the number of label sets bounded: the first come are shown, later ones share one.
///
/// A set that ztunnel has forgotten makes room for another.
struct LabelSetLimiter {
  private let capacity: Int
  private var known: Set<[PrometheusText.Label]> = []
  /// Those asked for in this round.
  private var seen: Set<[PrometheusText.Label]> = []
  /// Label sets seen beyond the capacity, counted once per scrape.
  private(set) var overflows: UInt64 = 0

  init(capacity: Int = Limit.metricLabelSets) {
    self.capacity = capacity
  }

  /// The same labels, or those of the shared set: the reporter, and `unknown` for all else.
  mutating func admitted(_ labels: [PrometheusText.Label]) -> [PrometheusText.Label] {
    if known.contains(labels) {
      seen.insert(labels)
      return labels
    }
    if known.count < capacity {
      known.insert(labels)
      seen.insert(labels)
      return labels
    }
    overflows += 1
    return labels.map { label in
      label.name == "reporter" || label.name == "request_protocol"
        ? label : PrometheusText.Label(label.name, "unknown")
    }
  }

  /// Every sample of a scrape has been asked for.
  mutating func endRound() {
    known = seen
    seen = []
  }
}
