public import IstioAPI
internal import SwiftProtobuf

/// Who a node is, as a control plane reads it from the first request of a stream.
///
/// Source: ambient-protocol.md, section 3.1.
public struct NodeDescription: Hashable, Sendable {
  /// The agent's own address; istiod refuses a node without one.
  public var address: String
  public var podName: String
  public var namespace: String
  public var serviceAccount: String
  /// The Kubernetes node; its pods' workloads are local to the agent.
  public var nodeName: String
  public var clusterID: String
  public var network: String
  public var clusterDomain: String
  /// Of Istio, as far as this end follows it.
  public var version: String
  /// More of the same: `ISTIO_META_*` without the prefix.
  public var extraMetadata: [String: String]

  public init(
    address: String, podName: String, namespace: String, nodeName: String,
    serviceAccount: String = "", clusterID: String = "", network: String = "",
    clusterDomain: String = "cluster.local", version: String = "",
    extraMetadata: [String: String] = [:]
  ) {
    self.address = address
    self.podName = podName
    self.namespace = namespace
    self.nodeName = nodeName
    self.serviceAccount = serviceAccount
    self.clusterID = clusterID
    self.network = network
    self.clusterDomain = clusterDomain
    self.version = version
    self.extraMetadata = extraMetadata
  }

  /// `ztunnel~<address>~<pod>.<namespace>~<namespace>.svc.<cluster domain>`.
  public var id: String {
    "ztunnel~\(address)~\(podName).\(namespace)~\(namespace).svc.\(clusterDomain)"
  }

  public var message: Envoy_Config_Core_V3_Node {
    var metadata = extraMetadata
    metadata["NAME"] = podName
    metadata["NAMESPACE"] = namespace
    metadata["INSTANCE_IPS"] = address
    metadata["NODE_NAME"] = nodeName
    metadata["SERVICE_ACCOUNT"] = serviceAccount
    metadata["CLUSTER_ID"] = clusterID
    metadata["NETWORK"] = network
    metadata["ISTIO_VERSION"] = version
    return .with {
      $0.id = id
      for (key, value) in metadata where !value.isEmpty {
        $0.metadata.fields[key] = .with { $0.stringValue = value }
      }
    }
  }
}

extension NodeDescription {
  /// Reads what a client says of itself; nothing of it is proven.
  public init(_ message: Envoy_Config_Core_V3_Node) throws(StreamRefusal) {
    guard message.id.utf8.count <= Limit.nodeTextBytes else { throw .malformedNode(message.id) }
    let parts = message.id.utf8.split(
      separator: UInt8(ascii: "~"), omittingEmptySubsequences: false
    ).map { String(Substring($0)) }
    guard parts.count == 4, parts[0] == "ztunnel" else { throw .malformedNode(message.id) }
    func text(_ key: String) -> String {
      guard case .stringValue(let value)? = message.metadata.fields[key]?.kind,
        value.utf8.count <= Limit.nodeTextBytes
      else { return "" }
      return value
    }
    let pod = parts[2].utf8.split(separator: UInt8(ascii: "."), maxSplits: 1).map {
      String(Substring($0))
    }
    let domain = parts[3].utf8.split(separator: UInt8(ascii: "."), maxSplits: 2).map {
      String(Substring($0))
    }
    self.init(
      address: parts[1], podName: pod.first ?? "",
      namespace: text("NAMESPACE").isEmpty ? pod.count > 1 ? pod[1] : "" : text("NAMESPACE"),
      nodeName: text("NODE_NAME"), serviceAccount: text("SERVICE_ACCOUNT"),
      clusterID: text("CLUSTER_ID"), network: text("NETWORK"),
      clusterDomain: domain.count == 3 ? domain[2] : "", version: text("ISTIO_VERSION"))
  }
}
