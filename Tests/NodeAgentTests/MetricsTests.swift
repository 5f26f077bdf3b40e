import AgentProtocol
import MeshModel
import Telemetry
import Testing

@testable import NodeAgent

private func sample(
  _ source: String, flag: ResponseFlag = .none, opened: UInt64 = 1, closed: UInt64 = 0
) -> MetricSample {
  var sample = MetricSample(
    reporter: .outbound, sourceWorkload: source, destinationWorkload: "", sourceIdentity: web,
    destinationIdentity: nil, service: ServiceKey(namespace: "shop", hostname: "api.shop.svc"),
    isMutualTLS: true, flag: flag)
  sample.opened = opened
  sample.closed = closed
  sample.receivedBytes = 10
  return sample
}

private func model() -> MeshIndex {
  var workload = Workload(uid: "w", name: "web-1", namespace: "shop")
  workload.workloadName = "web"
  workload.canonicalName = "web"
  workload.canonicalRevision = "v1"
  return MeshIndex(Model(workloads: ["w": workload]))
}

private func text(_ samples: [MetricSample], capacity: Int = 100) -> [Substring] {
  var limiter = LabelSetLimiter(capacity: capacity)
  var text = PrometheusText()
  ConnectionMetrics(samples: samples, index: model(), limiter: &limiter).write(to: &text)
  return text.text.split(separator: "\n")
}

@Suite struct `Prometheus text` {
  @Test func `escapes labels and help`() {
    var text = PrometheusText()
    text.family("a", .gauge, "one\\two\nthree \"four\"")
    text.sample("a", [PrometheusText.Label("l", "x\"y\\z\n")], 1.5)
    #expect(
      text.text == """
        # HELP a one\\\\two\\nthree "four"
        # TYPE a gauge
        a{l="x\\"y\\\\z\\n"} 1.5

        """)
  }

  @Test func `writes cumulative buckets, sum and count`() {
    var histogram = Histogram(bounds: [0.1, 1])
    for value in [0.05, 0.5, 5] { histogram.observe(value) }
    var text = PrometheusText()
    text.histogram("h", histogram)
    #expect(
      text.text == """
        h_bucket{le="0.1"} 1
        h_bucket{le="1"} 2
        h_bucket{le="+Inf"} 3
        h_sum 5.55
        h_count 3

        """)
  }

  @Test func `names the node agent's own numbers with help and type`() {
    var text = PrometheusText()
    var metrics = NodeMetrics()
    metrics.cni = CNIStatus()
    metrics.ztunnel = Summary()
    metrics.write(to: &text, version: "1")
    let lines = text.text.split(separator: "\n")
    let families = lines.filter { $0.hasPrefix("# TYPE") }.compactMap {
      $0.split(separator: " ").dropFirst(2).first
    }
    #expect(Set(families).count == families.count)
    for line in lines where !line.hasPrefix("#") {
      let name = line.prefix { $0 != "{" && $0 != " " }
      #expect(families.contains { name == $0 || name.hasPrefix($0 + "_") }, "\(name) has no family")
    }
    for line in lines where line.hasPrefix("# HELP skein_") { #expect(line.contains("unstable")) }
  }
}

@Suite struct `A container runtime's calls` {
  @Test func `are counted by answer, those never given as zero`() {
    var status = CNIStatus()
    status.state = "chained"
    status.answers = ["refused": 2]
    status.repairs = 3
    var text = PrometheusText()
    status.write(to: &text)
    let lines = Set(text.text.split(separator: "\n").filter { !$0.hasPrefix("#") })
    #expect(
      lines == [
        "skein_cni_chained 1", "skein_cni_calls_waiting 0", "skein_cni_repairs_total 3",
        #"skein_cni_calls_total{answer="enrolled"} 0"#,
        #"skein_cni_calls_total{answer="notOurs"} 0"#,
        #"skein_cni_calls_total{answer="notYet"} 0"#,
        #"skein_cni_calls_total{answer="refused"} 2"#,
      ])
  }
}

@Suite struct `Connection metrics` {
  @Test func `outlast numbers that no ztunnel can have counted`() {
    var limiter = LabelSetLimiter(capacity: 10)
    var text = PrometheusText()
    let many = sample("w", opened: .max, closed: .max)
    ConnectionMetrics(samples: [many, many, many], index: model(), limiter: &limiter)
      .write(to: &text)
    #expect(text.text.contains("istio_tcp_connections_opened_total{"))
  }

  @Test func `carry Istio's labels, unknown where nothing is known`() throws {
    let lines = text([sample("w")])
    let line = try #require(lines.first { $0.hasPrefix("istio_tcp_connections_opened_total{") })
    for label in [
      #"reporter="source""#, #"source_workload="web""#, #"source_version="v1""#,
      #"source_principal="spiffe://cluster.local/ns/shop/sa/web""#,
      #"destination_workload="unknown""#, #"destination_service="api.shop.svc""#,
      #"request_protocol="tcp""#, #"connection_security_policy="mutual_tls""#,
      #"response_flags="-""#,
    ] {
      #expect(line.contains(label))
    }
    #expect(line.hasSuffix("} 1"))
  }

  @Test func `open without a flag and close with the final one`() throws {
    let lines = text([
      sample("w", opened: 3, closed: 1), sample("w", flag: .denied, opened: 1, closed: 1),
    ])
    let opened = lines.filter { $0.hasPrefix("istio_tcp_connections_opened_total{") }
    let closed = lines.filter { $0.hasPrefix("istio_tcp_connections_closed_total{") }
    #expect(opened.count == 1 && opened[0].hasSuffix("} 4"))
    #expect(closed.count == 2 && closed.contains { $0.contains(#"response_flags="DENY""#) })
    #expect(lines.contains(#"istio_tcp_sockets_open{reporter="source"} 2"#))
  }

  @Test func `sum what comes after the limit of label sets`() {
    let lines = text([sample("w"), sample("x"), sample("y")], capacity: 2)
    let opened = lines.filter { $0.hasPrefix("istio_tcp_connections_opened_total{") }
    // "x" and "y" are no workloads of the model, so they share one label set to begin with.
    #expect(opened.count == 2)
    var limiter = LabelSetLimiter(capacity: 1)
    let first = [PrometheusText.Label("reporter", "source"), PrometheusText.Label("a", "1")]
    let second = [PrometheusText.Label("reporter", "source"), PrometheusText.Label("a", "2")]
    #expect(limiter.admitted(first) == first)
    #expect(
      limiter.admitted(second) == [
        PrometheusText.Label("reporter", "source"), PrometheusText.Label("a", "unknown"),
      ])
    #expect(limiter.admitted(first) == first)
    #expect(limiter.overflows == 1)
    limiter.endRound()
    #expect(limiter.admitted(second) != second, "the first was in that round")
    limiter.endRound()
    #expect(limiter.admitted(second) == second, "the first was not seen any more")
  }
}
