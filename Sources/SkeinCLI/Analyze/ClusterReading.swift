import KubernetesClient
import MeshAnalysis
import MeshCompiler

/// The objects of a cluster that an analysis looks at, read once.
struct ClusterReading: Sendable {
  private(set) var objects: [ManifestObject] = []
  /// Kinds that the caller may not list, with their names in the plural.
  private(set) var forbidden: [ObjectKind: String] = [:]

  /// - only: of these kinds; nil for all.
  init(_ client: KubernetesClient, only kinds: Set<ObjectKind>? = nil) async throws {
    for kind in ObjectKind.allCases where kinds?.contains(kind) ?? true {
      guard let selection = kind.selection else { continue }
      do throws(KubernetesError) {
        let list = try await client.objects(of: kind.resource, selection)
        for root in list?.objects ?? [] {
          objects.append(ManifestObject(file: kind.file(of: root), document: 0, root: root))
        }
      } catch {
        guard error.status?.isForbidden == true else { throw error }
        forbidden[kind] = kind.resource.plural
      }
    }
  }
}

extension ObjectKind {
  /// Where the compiler's findings say they were found, as in the control plane.
  fileprivate func file(of root: ManifestValue) -> String {
    let metadata = root["metadata"]
    let names = [metadata?["namespace"]?.text, metadata?["name"]?.text].compactMap(\.self)
    return ([name] + names).joined(separator: "/")
  }

  var resource: Resource {
    let versions: [String]
    switch self {
    case .virtualService, .destinationRule, .istioGateway, .serviceEntry, .workloadEntry:
      versions = ["v1", "v1beta1", "v1alpha3"]
    case .authorizationPolicy, .peerAuthentication, .requestAuthentication, .gateway, .httpRoute,
      .referenceGrant:
      versions = ["v1", "v1beta1"]
    case .grpcRoute, .tcpRoute, .tlsRoute: versions = ["v1", "v1alpha3", "v1alpha2"]
    case .cronJob: versions = ["v1", "v1beta1"]
    default: versions = ["v1"]
    }
    return Resource(group: group, versions: versions, plural: plural, kind: name)
  }

  private var plural: String {
    let lower = name.lowercased()
    if lower.hasSuffix("y") { return lower.dropLast() + "ies" }
    return lower.hasSuffix("s") ? lower + "es" : lower + "s"
  }

  /// As much of an object as the analysis and the compiler read; nil for what other objects say.
  fileprivate var selection: FieldSelection? {
    switch self {
    // Their owners, and their pods, say it.
    case .replicaSet, .job: nil
    case .namespace, .serviceAccount: .fields(["metadata": .metadata])
    case .pod:
      .fields([
        "metadata": .metadata, "spec": Self.podSpec,
        "status": .fields([
          "phase": .all, "podIP": .all, "podIPs": .words("ip"),
          "conditions": .words("type status"),
        ]),
      ])
    case .deployment, .statefulSet, .daemonSet:
      .fields(["metadata": .metadata, "spec": .fields(["template": Self.template])])
    case .cronJob:
      .fields([
        "metadata": .metadata,
        "spec": .fields([
          "jobTemplate": .fields(["spec": .fields(["template": Self.template])])
        ]),
      ])
    case .service:
      .fields([
        "metadata": .metadata, "spec": .all, "status": .fields(["loadBalancer": .all]),
      ])
    case .endpointSlice:
      .fields([
        "metadata": .metadata, "addressType": .all, "ports": .all,
        "endpoints": .fields([
          "addresses": .all, "conditions": .all, "nodeName": .all,
          "targetRef": .words("kind namespace name"),
        ]),
      ])
    case .serviceEntry, .workloadEntry, .gateway:
      .fields(["metadata": .metadata, "spec": .all, "status": .words("addresses")])
    case .networkPolicy, .authorizationPolicy, .peerAuthentication, .requestAuthentication,
      .virtualService, .destinationRule, .istioGateway, .httpRoute, .grpcRoute, .tcpRoute,
      .tlsRoute, .referenceGrant:
      .fields(["metadata": .metadata, "spec": .all])
    }
  }

  private static let container = FieldSelection.fields([
    "name": .all, "restartPolicy": .all, "ports": .words("name containerPort protocol"),
  ])
  private static let podSpec = FieldSelection.fields([
    "nodeName": .all, "hostNetwork": .all, "serviceAccountName": .all, "serviceAccount": .all,
    "containers": container, "initContainers": container,
  ])
  private static let template = FieldSelection.fields(["metadata": .metadata, "spec": podSpec])
}
