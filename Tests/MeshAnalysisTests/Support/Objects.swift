import Manifests
import MeshAnalysis
import MeshCompiler
import Testing

/// Objects of one file, `mesh.yaml`.
func objects(_ manifests: [String], file: String = "mesh.yaml") -> [ManifestObject] {
  let text = ManifestText(Array(manifests.joined(separator: "\n---\n").utf8), file: file)
  #expect(text.diagnostics.isEmpty, "the test's own YAML: \(text.diagnostics)")
  return text.objects
}

/// An object in flow YAML: `body` stands beside the metadata, `metadata` inside it.
func object(
  _ kind: String, _ version: String, _ name: String, in namespace: String? = "shop",
  labels: String = "", metadata: String = "", _ body: String = ""
) -> String {
  let place = namespace.map { "namespace: \($0), " } ?? ""
  return "{apiVersion: \(version), kind: \(kind), metadata: {name: \(name), \(place)labels: "
    + "{\(labels)}, \(metadata)}, \(body)}"
}

func namespace(_ name: String, labels: String = "istio.io/dataplane-mode: ambient") -> String {
  object("Namespace", "v1", name, in: nil, labels: labels)
}

/// A pod with a container that serves a port called http.
func pod(
  _ name: String, in namespace: String = "shop", labels: String? = nil, metadata: String = "",
  port: Int = 8080, containers: String = "", spec: String = "", ip: String? = nil,
  status: String = ""
) -> String {
  let address =
    ip ?? "10.0.\(namespace.utf8.count).\(1 + name.utf8.reduce(0) { ($0 * 3 + Int($1)) % 250 })"
  return object(
    "Pod", "v1", name, in: namespace, labels: labels ?? "app: \(name)", metadata: metadata,
    "spec: {\(spec)containers: [{name: main, ports: [{name: http, containerPort: \(port)}]}"
      + "\(containers)]}, status: {podIPs: [{ip: \(address)}], phase: Running, \(status)}")
}

func account(_ name: String, in namespace: String = "shop") -> String {
  object("ServiceAccount", "v1", name, in: namespace)
}

func service(
  _ name: String, in namespace: String = "shop", labels: String = "", ip: String,
  selector: String? = nil, ports: String = "{name: http, port: 80, targetPort: http}",
  spec: String = ""
) -> String {
  object(
    "Service", "v1", name, in: namespace, labels: labels,
    "spec: {clusterIP: \(ip), selector: {\(selector ?? "app: \(name)")}, ports: [\(ports)], \(spec)}"
  )
}

func policy(_ spec: String, named name: String = "p", in namespace: String = "shop") -> String {
  object("AuthorizationPolicy", "security.istio.io/v1", name, in: namespace, "spec: {\(spec)}")
}

func peerAuthentication(
  _ name: String, in namespace: String = "shop", created: String = "2026-01-01T00:00:00Z",
  _ spec: String
) -> String {
  object(
    "PeerAuthentication", "security.istio.io/v1", name, in: namespace,
    metadata: "creationTimestamp: \"\(created)\"", "spec: {\(spec)}")
}

func istio(_ kind: String, _ name: String, in namespace: String = "shop", _ spec: String) -> String
{
  object(kind, "networking.istio.io/v1", name, in: namespace, "spec: {\(spec)}")
}

func gateway(
  _ name: String, in namespace: String = "shop", className: String = "istio-waypoint",
  listeners: String = "{name: mesh, port: 15008, protocol: HBONE}"
) -> String {
  object(
    "Gateway", "gateway.networking.k8s.io/v1", name, in: namespace,
    "spec: {gatewayClassName: \(className), listeners: [\(listeners)]}")
}

func route(_ name: String, in namespace: String = "shop", _ spec: String) -> String {
  object("HTTPRoute", "gateway.networking.k8s.io/v1", name, in: namespace, "spec: {\(spec)}")
}

func networkPolicy(_ name: String, in namespace: String = "shop", _ spec: String) -> String {
  object("NetworkPolicy", "networking.k8s.io/v1", name, in: namespace, "spec: {\(spec)}")
}

/// A mesh of two namespaces with nothing wrong in it: rows add to it.
let healthy: [String] = [
  namespace("shop"), namespace("bank"), namespace("old", labels: ""),
  namespace("istio-system", labels: ""),
  account("web"), account("default"), account("teller", in: "bank"), account("cron", in: "old"),
  pod("web", spec: "serviceAccountName: web, "), pod("cart"),
  pod("teller", in: "bank", spec: "serviceAccountName: teller, "),
  pod("cron", in: "old", spec: "serviceAccountName: cron, "),
  service("web", ip: "10.96.0.1"), service("cart", ip: "10.96.0.2"),
  service("teller", in: "bank", ip: "10.96.0.3"),
]

/// With a waypoint in front of service `front`, whose pods are those of `web`.
let waypoint: [String] = [
  gateway("way"),
  pod(
    "way",
    labels: "app: way, networking.istio.io/tunnel: http, "
      + "gateway.networking.k8s.io/gateway-name: way", port: 15008),
  service("way", ip: "10.96.0.8", ports: "{name: mesh, port: 15008, appProtocol: hbone}"),
  service(
    "front", labels: "istio.io/use-waypoint: way", ip: "10.96.0.9", selector: "app: web"),
]

extension Finding {
  /// `SKN0101 AuthorizationPolicy shop/p spec.selector`.
  var place: String {
    let words = [code.rawValue, object?.description ?? "?", field]
    return words.filter { !$0.isEmpty }.joined(separator: " ")
  }
}

/// One case: what is added to the healthy mesh, and what is found then, in order.
struct Row: CustomTestStringConvertible, Sendable {
  var says: String
  var adds: [String]
  var finds: [String] = []
  /// Parts of the first finding's message and next step.
  var words: [String] = []
  var testDescription: String { says }

  func found(_ completeness: Completeness = .whole(unread: [])) -> [Finding] {
    analyze(AnalysisInput(objects: objects(healthy + adds), completeness: completeness))
  }

  func check() {
    let found = found()
    #expect(found.map(\.place).sorted() == finds.sorted(), "\(found)")
    let text = found.first.map { "\($0.message) \($0.nextStep)" } ?? ""
    for word in words { #expect(text.contains(word), "\(text)") }
  }
}
