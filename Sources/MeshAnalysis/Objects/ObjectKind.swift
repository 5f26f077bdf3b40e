import MeshCompiler

/// The kinds the analysis looks at.
public enum ObjectKind: Hashable, Sendable, CaseIterable {
  case namespace, pod, service, serviceAccount, endpointSlice
  /// What makes pods: looked at where the pods themselves are not there.
  case deployment, statefulSet, daemonSet, replicaSet, job, cronJob
  case networkPolicy
  case authorizationPolicy, peerAuthentication, requestAuthentication
  case virtualService, destinationRule, istioGateway, serviceEntry, workloadEntry
  case gateway, httpRoute, grpcRoute, tcpRoute, tlsRoute, referenceGrant

  /// Empty for the core.
  public var group: String {
    switch self {
    case .namespace, .pod, .service, .serviceAccount: ""
    case .endpointSlice: "discovery.k8s.io"
    case .deployment, .statefulSet, .daemonSet, .replicaSet: "apps"
    case .job, .cronJob: "batch"
    case .networkPolicy: "networking.k8s.io"
    case .authorizationPolicy, .peerAuthentication, .requestAuthentication: "security.istio.io"
    case .virtualService, .destinationRule, .istioGateway, .serviceEntry, .workloadEntry:
      "networking.istio.io"
    case .gateway, .httpRoute, .grpcRoute, .tcpRoute, .tlsRoute, .referenceGrant:
      "gateway.networking.k8s.io"
    }
  }

  /// As objects write it.
  public var name: String {
    switch self {
    case .namespace: "Namespace"
    case .pod: "Pod"
    case .service: "Service"
    case .serviceAccount: "ServiceAccount"
    case .endpointSlice: "EndpointSlice"
    case .deployment: "Deployment"
    case .statefulSet: "StatefulSet"
    case .daemonSet: "DaemonSet"
    case .replicaSet: "ReplicaSet"
    case .job: "Job"
    case .cronJob: "CronJob"
    case .networkPolicy: "NetworkPolicy"
    case .authorizationPolicy: "AuthorizationPolicy"
    case .peerAuthentication: "PeerAuthentication"
    case .requestAuthentication: "RequestAuthentication"
    case .virtualService: "VirtualService"
    case .destinationRule: "DestinationRule"
    case .istioGateway, .gateway: "Gateway"
    case .serviceEntry: "ServiceEntry"
    case .workloadEntry: "WorkloadEntry"
    case .httpRoute: "HTTPRoute"
    case .grpcRoute: "GRPCRoute"
    case .tcpRoute: "TCPRoute"
    case .tlsRoute: "TLSRoute"
    case .referenceGrant: "ReferenceGrant"
    }
  }

  static let workloads: [ObjectKind] = [
    .deployment, .statefulSet, .daemonSet, .replicaSet, .job, .cronJob,
  ]
  static let routes: [ObjectKind] = [.httpRoute, .grpcRoute, .tcpRoute, .tlsRoute]

  private struct GroupAndName: Hashable {
    var group: String
    var name: String
  }

  private static let all: [GroupAndName: ObjectKind] = Dictionary(
    uniqueKeysWithValues: allCases.map {
      (GroupAndName(group: $0.group, name: $0.name), $0)
    })

  init?(apiVersion: String, name: String) {
    let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false)
    let group = parts.count == 2 ? String(parts[0]) : ""
    guard let kind = Self.all[GroupAndName(group: group, name: name)] else { return nil }
    self = kind
  }
}

extension ManifestObject {
  /// The object itself, or those of a v1 List, as if each stood alone.
  var members: [ManifestObject] {
    let node = Node(root)
    let items = node["items"].items.compactMap(\.value)
    guard node["kind"].text == "List", node["apiVersion"].text == "v1", !items.isEmpty else {
      return [self]
    }
    return items.map { ManifestObject(file: file, document: document, root: $0) }
  }

  /// Whether the compiler reads it, or should say that it does not know it.
  var isCompiled: Bool {
    guard let apiVersion = Node(root)["apiVersion"].text, let name = Node(root)["kind"].text else {
      return true
    }
    guard let kind = ObjectKind(apiVersion: apiVersion, name: name) else {
      return apiVersion == "v1" ? ["Node", "List"].contains(name) : Self.isOurs(apiVersion)
    }
    switch kind {
    case .namespace, .pod, .service, .serviceAccount, .endpointSlice, .authorizationPolicy,
      .peerAuthentication, .serviceEntry, .workloadEntry, .gateway:
      return true
    case .deployment, .statefulSet, .daemonSet, .replicaSet, .job, .cronJob, .networkPolicy,
      .requestAuthentication, .virtualService, .destinationRule, .istioGateway, .httpRoute,
      .grpcRoute, .tcpRoute, .tlsRoute, .referenceGrant:
      return false
    }
  }

  /// A kind nobody knows of a group we read may be one that is misspelt.
  private static func isOurs(_ apiVersion: String) -> Bool {
    ["security.istio.io/", "networking.istio.io/"].contains { apiVersion.hasPrefix($0) }
  }
}

extension [ManifestObject] {
  /// These, with others in place of those of the same kind and name.
  func replacing(_ change: [ManifestObject]) -> [ManifestObject] {
    let names = Set(change.flatMap { Item.all(of: $0).map(\.key) })
    return filter { object in Item.all(of: object).allSatisfy { !names.contains($0.key) } }
      + change
  }
}
