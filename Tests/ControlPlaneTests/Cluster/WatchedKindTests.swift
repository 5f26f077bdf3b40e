import KubernetesClient
import MeshCompiler
import MeshModel
import Testing

@testable import ControlPlane

/// Objects as an API server writes them, with all that the mesh has no use for.
private let cluster: [String: [String]] = [
  "Namespace": [
    #"""
    {"metadata":{"name":"shop","uid":"1","resourceVersion":"1","labels":{
     "istio.io/dataplane-mode":"ambient","istio.io/use-waypoint":"way"},"managedFields":[{"a":{}}]},
     "spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}
    """#
  ],
  "Node": [
    #"""
    {"metadata":{"name":"a","labels":{"topology.kubernetes.io/region":"r",
     "topology.kubernetes.io/zone":"z"}},"spec":{"podCIDR":"10.0.0.0/24"},
     "status":{"capacity":{"cpu":"2"},"images":[{"names":["x"],"sizeBytes":1}]}}
    """#
  ],
  "ServiceAccount": [#"{"metadata":{"name":"web","namespace":"shop"},"secrets":[{"name":"t"}]}"#],
  "Pod": [
    #"""
    {"metadata":{"name":"web-1","namespace":"shop","uid":"2","labels":{"app":"web"},
     "creationTimestamp":"2026-01-01T00:00:00Z","annotations":{"skein.dev/netns":"/run/netns/web",
     "kubectl.kubernetes.io/last-applied-configuration":"{}"},"ownerReferences":[{
     "apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-7d4f","uid":"9","controller":true,
     "blockOwnerDeletion":true}]},
     "spec":{"nodeName":"a","serviceAccountName":"web","serviceAccount":"web","hostNetwork":false,
     "containers":[{"name":"app","image":"x","env":[{"name":"A","value":"b"}],"ports":[
     {"name":"http","containerPort":8080,"protocol":"TCP","hostPort":1}]}],
     "initContainers":[{"name":"side","restartPolicy":"Always","ports":[
     {"name":"admin","containerPort":9090,"protocol":"TCP"}]}],"volumes":[{"name":"v"}]},
     "status":{"phase":"Running","podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],"hostIP":"10.1.0.1",
     "conditions":[{"type":"Ready","status":"True","lastProbeTime":null}],
     "containerStatuses":[{"name":"app","ready":true}]}}
    """#,
    #"""
    {"metadata":{"name":"old","namespace":"shop","uid":"3","labels":{"app":"web"}},
     "spec":{"nodeName":"a","hostNetwork":true,"containers":[]},"status":{"phase":"Succeeded"}}
    """#,
  ],
  "Service": [
    #"""
    {"metadata":{"name":"web","namespace":"shop"},"spec":{"selector":{"app":"web"},
     "type":"LoadBalancer","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"ipFamilies":["IPv4"],
     "sessionAffinity":"None","internalTrafficPolicy":"Cluster","trafficDistribution":"PreferClose",
     "publishNotReadyAddresses":true,"externalTrafficPolicy":"Cluster","healthCheckNodePort":30000,
     "ports":[{"name":"http","port":80,"targetPort":"http","protocol":"TCP","nodePort":30080,
     "appProtocol":"http"},{"name":"x","port":81,"targetPort":"admin"}]},
     "status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1","ipMode":"VIP"}]}}}
    """#,
    #"""
    {"metadata":{"name":"out","namespace":"shop"},"spec":{"clusterIP":"None","ports":[
     {"port":443}]}}
    """#,
  ],
  "EndpointSlice": [
    #"""
    {"metadata":{"name":"out-1","namespace":"shop","labels":{"kubernetes.io/service-name":"out"}},
     "addressType":"IPv4","endpoints":[{"addresses":["192.0.2.7"],"conditions":{"ready":true,
     "serving":true},"nodeName":"a","zone":"z","hints":{"forZones":[{"name":"z"}]}},
     {"addresses":["10.0.0.1"],"targetRef":{"kind":"Pod","namespace":"shop","name":"web-1",
     "uid":"2"}}],"ports":[{"name":"","port":443,"protocol":"TCP"}]}
    """#
  ],
  "PeerAuthentication": [
    #"""
    {"metadata":{"name":"strict","namespace":"shop"},"spec":{"selector":{"matchLabels":{
     "app":"web"}},"mtls":{"mode":"STRICT"},"portLevelMtls":{"8080":{"mode":"PERMISSIVE"}}}}
    """#
  ],
  "AuthorizationPolicy": [
    #"""
    {"metadata":{"name":"p","namespace":"shop","annotations":{"istio.io/dry-run":"true"}},
     "spec":{"action":"DENY","rules":[{"from":[{"source":{"namespaces":["a"],
     "ipBlocks":["10.0.0.0/8"]}}],"to":[{"operation":{"ports":["80"]}}]}]}}
    """#,
    #"{"metadata":{"name":"q","namespace":"shop"},"spec":{"targetRefs":[{"kind":"Service","group":"","name":"web"}],"misspelt":1}}"#,
  ],
  "ServiceEntry": [
    #"""
    {"metadata":{"name":"api","namespace":"shop","creationTimestamp":"2026-01-01T00:00:00Z"},
     "spec":{"hosts":["api.example"],"addresses":["192.0.2.9"],"resolution":"STATIC",
     "ports":[{"number":443,"name":"tls","protocol":"TLS"}],"endpoints":[{"address":"192.0.2.10",
     "labels":{"a":"b"},"network":"n","locality":"r/z","weight":3,"serviceAccount":"s"}]},
     "status":{"addresses":[{"host":"api.example","value":"240.240.0.1"}]}}
    """#
  ],
  "WorkloadEntry": [
    #"""
    {"metadata":{"name":"vm","namespace":"shop"},"spec":{"address":"192.0.2.20","labels":{
     "app":"web"},"ports":{"http":80},"serviceAccount":"vm"}}
    """#
  ],
  "Gateway": [
    #"""
    {"metadata":{"name":"way","namespace":"shop","labels":{"istio.io/waypoint-for":"all"}},
     "spec":{"gatewayClassName":"istio-waypoint","listeners":[{"name":"mesh","port":15008,
     "protocol":"HBONE","allowedRoutes":{"namespaces":{"from":"Same"}}}]},
     "status":{"addresses":[{"type":"IPAddress","value":"10.96.0.40"}],"conditions":[]}}
    """#
  ],
]

@Suite struct `Of the objects of a cluster` {
  private func objects(_ watched: WatchedKind, _ selection: FieldSelection) throws
    -> [ManifestObject]
  {
    let items = try #require(cluster[watched.kind], "no object of kind \(watched.kind)")
    let text = """
      {"metadata":{"resourceVersion":"1"},"items":[\(items.joined(separator: ","))]}
      """
    let form = ObjectForm(
      apiVersion: watched.resource.apiVersions[0], kind: watched.kind, selection: selection)
    return try ListPage(Array(text.utf8), form).objects.map { received in
      guard case .object(let object) = received else { throw Unread() }
      return ManifestObject(
        file: "\(watched.kind)/\(object.name)", document: 0, root: object.root)
    }
  }

  private struct Unread: Error {}

  @Test func `everything that means something is kept, and what is kept is known`() throws {
    let whole = try WatchedKind.all.flatMap { try objects($0, .all) }
    let kept = try WatchedKind.all.flatMap { try objects($0, $0.selection) }
    let (all, some) = (compile(objects: whole), compile(objects: kept))
    #expect(all.model == some.model && all.pods == some.pods)
    #expect(all.model.workloads.count >= 4 && all.model.services.count >= 3)
    // Warnings of fields that later clusters may have are gone, what is refused is not.
    let graver = { (compilation: Compilation) in
      compilation.diagnostics.filter { $0.severity > .warning }
    }
    #expect(graver(all) == graver(some) && graver(some).contains { $0.field == "spec.misspelt" })
    #expect(!some.diagnostics.contains { $0.code == .unknownField && $0.severity == .warning })
    #expect(whole != kept)
  }

  @Test func `no kind is forgotten that the compiler reads`() {
    #expect(Set(WatchedKind.all.map(\.kind)) == Set(cluster.keys))
    #expect(WatchedKind.all.count == 11)
  }
}
