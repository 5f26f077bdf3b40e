import HBONE
import MeshModel

/// The regular headers of our CONNECT requests and of the answers that open a tunnel.
///
/// Source: ambient-protocol.md, section 1.3.
enum ConnectHeaders {
  static func fields(
    baggage: String, client: SocketAddress, serviceHost: String?, traceHigh: UInt64,
    traceLow: UInt64, span: UInt64
  ) -> [HeaderField] {
    [
      described(by: baggage),
      HeaderField(name: "forwarded", value: forwarded(client: client, serviceHost: serviceHost)),
      HeaderField(name: "traceparent", value: traceParent(traceHigh, traceLow, span)),
    ]
  }

  /// The sender's network, on a tunnel that came through the entry of another one.
  static let network = "x-forwarded-network"

  /// Whether a request comes from a network other than ours, where addresses mean other workloads.
  static func isFromOtherNetwork(_ headers: [HeaderField], own: String) -> Bool {
    guard let network = headers[network] else { return false }
    return network.lowercased() != own.lowercased()
  }

  /// Who the sender is: the source in a request, the destination in an answer.
  static func described(by baggage: String) -> HeaderField {
    HeaderField(name: "baggage", value: baggage)
  }

  /// Who a workload is, for the other side's telemetry; empty values are left out.
  static func baggage(of workload: Workload) -> String {
    let pairs = [
      ("k8s.cluster.name", workload.clusterID),
      ("k8s.namespace.name", workload.namespace),
      (
        "k8s.\(kind(of: workload)).name",
        workload.workloadName.isEmpty ? workload.name : workload.workloadName
      ),
      ("service.name", workload.canonicalName),
      ("service.version", workload.canonicalRevision),
      ("cloud.region", workload.locality.region),
      ("cloud.availability_zone", workload.locality.zone),
    ]
    return pairs.filter { !$0.1.isEmpty }.map { "\($0.0)=\($0.1)" }.joined(separator: ",")
  }

  private static func kind(of workload: Workload) -> String {
    switch workload.kind {
    case .deployment: "deployment"
    case .cronJob: "cronjob"
    case .pod: "pod"
    case .job: "job"
    }
  }

  static func forwarded(client: SocketAddress, serviceHost: String?) -> String {
    var bytes = Array("for=\"".utf8)
    bytes.reserveCapacity(64 + (serviceHost?.utf8.count ?? 0))
    client.appendText(to: &bytes)
    bytes.append(UInt8(ascii: "\""))
    if let serviceHost {
      bytes.append(contentsOf: ";host=".utf8)
      bytes.append(contentsOf: serviceHost.utf8)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A correlation id for logs, new for every connection; never sampled.
  static func traceParent(_ high: UInt64, _ low: UInt64, _ span: UInt64) -> String {
    var bytes = Array("00-".utf8)
    bytes.reserveCapacity(55)
    Hexadecimal.append(high, to: &bytes)
    Hexadecimal.append(low, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    Hexadecimal.append(span, to: &bytes)
    bytes.append(contentsOf: "-00".utf8)
    return String(decoding: bytes, as: UTF8.self)
  }
}
