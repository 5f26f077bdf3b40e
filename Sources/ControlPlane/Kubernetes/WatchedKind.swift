import KubernetesClient

/// A kind of object the mesh is made of: where the API has it, and how much of it is kept.
///
/// Kinds in which a field that is unknown may matter, the policies, are kept whole; of others only
/// what the compiler reads.
struct WatchedKind: Sendable {
  var resource: Resource
  var selection: FieldSelection

  var kind: String { resource.kind }

  static let all: [WatchedKind] = [
    WatchedKind(
      resource: Resource(plural: "namespaces", kind: "Namespace"),
      selection: .fields(["metadata": .metadata])),
    WatchedKind(
      resource: Resource(plural: "nodes", kind: "Node"),
      selection: .fields(["metadata": .metadata])),
    WatchedKind(
      resource: Resource(plural: "serviceaccounts", kind: "ServiceAccount"),
      selection: .fields(["metadata": .metadata])),
    WatchedKind(resource: Resource(plural: "pods", kind: "Pod"), selection: pod),
    WatchedKind(resource: Resource(plural: "services", kind: "Service"), selection: service),
    WatchedKind(
      resource: Resource(
        group: "discovery.k8s.io", plural: "endpointslices", kind: "EndpointSlice"),
      selection: endpointSlice),
    WatchedKind(
      resource: security("peerauthentications", "PeerAuthentication"), selection: policy),
    WatchedKind(
      resource: security("authorizationpolicies", "AuthorizationPolicy"), selection: policy),
    WatchedKind(resource: networking("serviceentries", "ServiceEntry"), selection: whole),
    WatchedKind(resource: networking("workloadentries", "WorkloadEntry"), selection: whole),
    WatchedKind(
      resource: Resource(
        group: "gateway.networking.k8s.io", versions: ["v1", "v1beta1"], plural: "gateways",
        kind: "Gateway"),
      selection: gateway),
  ]

  private static func security(_ plural: String, _ kind: String) -> Resource {
    Resource(
      group: "security.istio.io", versions: ["v1", "v1beta1"], plural: plural, kind: kind)
  }

  private static func networking(_ plural: String, _ kind: String) -> Resource {
    Resource(
      group: "networking.istio.io", versions: ["v1", "v1beta1", "v1alpha3"], plural: plural,
      kind: kind)
  }

  private static let policy = FieldSelection.fields(["metadata": .metadata, "spec": .all])
  private static let whole = FieldSelection.fields([
    "metadata": .metadata, "spec": .all, "status": .words("addresses"),
  ])

  private static let container = FieldSelection.fields([
    "restartPolicy": .all, "ports": .words("name containerPort protocol"),
  ])

  private static let pod = FieldSelection.fields([
    "metadata": .metadata,
    "spec": .fields([
      "nodeName": .all, "hostNetwork": .all, "serviceAccountName": .all, "serviceAccount": .all,
      "containers": container, "initContainers": container,
    ]),
    "status": .fields([
      "phase": .all, "podIP": .all, "podIPs": .words("ip"), "conditions": .words("type status"),
    ]),
  ])

  private static let service = FieldSelection.fields([
    "metadata": .metadata,
    "spec": .words(
      "type clusterIP clusterIPs selector ports ipFamilies "
        + "publishNotReadyAddresses internalTrafficPolicy trafficDistribution sessionAffinity"),
    "status": .words("loadBalancer"),
  ])

  private static let endpointSlice = FieldSelection.fields([
    "metadata": .metadata, "addressType": .all, "ports": .all,
    "endpoints": .fields([
      "addresses": .all, "conditions": .all, "nodeName": .all,
      "targetRef": .words("kind namespace name"),
    ]),
  ])

  private static let gateway = FieldSelection.fields([
    "metadata": .metadata, "spec": .all, "status": .words("addresses"),
  ])
}
