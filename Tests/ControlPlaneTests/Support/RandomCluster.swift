import KubernetesClient
import MeshCompiler
import TestSupport

/// One version of an object, as a watch tells of it.
struct RandomVersion {
  var kind: String
  var name: ObjectName
  var change: Reflector.Change
  /// Nothing is wrong with it by itself.
  var isGood: Bool

  var source: String { "\(kind)/\(name)" }
}

/// Objects of few names and addresses, so that they meet: right and wrong ones.
extension SeededGenerator {
  mutating func version() -> RandomVersion {
    switch below(12) {
    case 0...4: pod()
    case 5...6: service()
    case 7: namespace()
    case 8: policy()
    case 9: peerAuthentication()
    case 10: slice()
    default: node()
    }
  }

  // MARK: Kinds

  private mutating func pod() -> RandomVersion {
    let isGood = chance(85)
    var addresses = [address()]
    if chance(20) { addresses.append("fd00::\(1 + below(3))") }
    if !isGood { addresses = ["10.0.0.999"] }
    return version(
      "Pod", isGood,
      [
        "spec": [
          "nodeName": .text("n\(below(2))"), "serviceAccountName": .text(one(of: ["x", "y"])),
          "hostNetwork": .flag(chance(5)),
        ],
        "status": [
          "phase": .text(chance(10) ? "Succeeded" : "Running"),
          "podIPs": .list(addresses.map { ["ip": .text($0)] }),
        ],
      ])
  }

  private mutating func service() -> RandomVersion {
    let isGood = chance(85)
    var fields: ManifestValue = [
      "spec": [
        "clusterIP": .text(chance(15) ? address() : "10.96.0.\(1 + below(4))"),
        "selector": selector(), "ports": .list([["port": isGood ? .whole(80) : "x"]]),
      ]
    ]
    if chance(25) {
      let ingress: ManifestValue = .list([["ip": .text("10.97.0.\(1 + below(2))")]])
      fields = fields.with("status", ["loadBalancer": ["ingress": ingress]])
    }
    return version("Service", isGood, fields)
  }

  private mutating func namespace() -> RandomVersion {
    let isGood = chance(85)
    let labels: ManifestValue = [
      "istio.io/dataplane-mode": .text(chance(70) ? "ambient" : "none"),
      "istio.io/use-waypoint": .text(isGood ? one(of: ["a", "none"]) : "Not_A_Name"),
    ]
    return version("Namespace", isGood, labels: labels, [:])
  }

  private mutating func policy() -> RandomVersion {
    let isGood = chance(60)
    let source: ManifestValue =
      isGood
      ? ["namespaces": .list([.text(one(of: ["shop", "web"]))])]
      : ["ipBlocks": .list(["10.0.0.0/99"])]
    var spec: ManifestValue = ["rules": .list([["from": .list([["source": source]])]])]
    if chance(60) { spec = spec.with("selector", ["matchLabels": selector()]) }
    return version("AuthorizationPolicy", isGood, ["spec": spec])
  }

  private mutating func peerAuthentication() -> RandomVersion {
    let isGood = chance(60)
    let mode = isGood ? one(of: ["STRICT", "PERMISSIVE"]) : "STRIKT"
    var spec: ManifestValue = ["mtls": ["mode": .text(mode)]]
    if chance(60) { spec = spec.with("selector", ["matchLabels": selector()]) }
    return version("PeerAuthentication", isGood, ["spec": spec])
  }

  private mutating func slice() -> RandomVersion {
    let isGood = chance(85)
    return version(
      "EndpointSlice", isGood, labels: ["kubernetes.io/service-name": .text(one(of: Self.names))],
      [
        "addressType": "IPv4", "ports": .list([["port": .whole(8080)]]),
        "endpoints": .list([["addresses": .list([.text(isGood ? address() : "nowhere")])]]),
      ])
  }

  private mutating func node() -> RandomVersion {
    version(
      "Node", true, labels: ["topology.kubernetes.io/zone": .text("z\(below(3))")], [:])
  }

  // MARK: Parts

  private static let names = ["a", "b", "c", "d"]
  private static let versions = [
    "AuthorizationPolicy": "security.istio.io/v1", "PeerAuthentication": "security.istio.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
  ]

  private mutating func address() -> String { "10.0.0.\(1 + below(8))" }
  private mutating func selector() -> ManifestValue { ["app": .text(one(of: ["x", "y"]))] }

  private mutating func version(
    _ kind: String, _ isGood: Bool, labels: ManifestValue? = nil, _ fields: ManifestValue
  ) -> RandomVersion {
    let name =
      switch kind {
      case "Node": ObjectName(namespace: "", name: "n\(below(2))")
      case "Namespace": ObjectName(namespace: "", name: one(of: ["shop", "web"]))
      default:
        ObjectName(
          namespace: one(of: ["shop", "shop", "web", "istio-system"]), name: one(of: Self.names))
      }
    if chance(4) {
      let refused = RefusedObject(name: name, resourceVersion: "1", reason: "it is too large")
      return RandomVersion(kind: kind, name: name, change: .refused(refused), isGood: false)
    }
    var metadata: ManifestValue = [
      "name": .text(name.name), "labels": labels ?? selector(),
      "creationTimestamp": .text("2026-01-0\(1 + below(4))T00:00:00Z"),
    ]
    if !name.namespace.isEmpty { metadata = metadata.with("namespace", .text(name.namespace)) }
    if chance(70) { metadata = metadata.with("uid", .text("u\(below(60))")) }
    if chance(8) { metadata = metadata.with("deletionTimestamp", "2026-01-05T00:00:00Z") }
    var root: ManifestValue = [
      "apiVersion": .text(Self.versions[kind] ?? "v1"), "kind": .text(kind), "metadata": metadata,
    ]
    if case .mapping(let entries) = fields.content {
      for entry in entries { root = root.with(entry.key, entry.value) }
    }
    let object = WatchedObject(name: name, resourceVersion: "1", root: root)
    return RandomVersion(kind: kind, name: name, change: .applied(object), isGood: isGood)
  }
}
