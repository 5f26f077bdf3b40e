import Manifests
import MeshCompiler
import MeshModel
import Testing

/// Compiles manifests as they would stand in one file, `mesh.yaml`.
func compiled(
  _ manifests: String..., options: CompilerOptions = CompilerOptions()
) -> Compilation {
  let text = ManifestText(Array(manifests.joined(separator: "\n---\n").utf8), file: "mesh.yaml")
  #expect(text.diagnostics.isEmpty, "the test's own YAML")
  return compile(objects: text.objects, options: options)
}

/// A namespace in the mesh.
func namespace(
  _ name: String, labels: String = "istio.io/dataplane-mode: ambient", annotations: String = ""
) -> String {
  """
  apiVersion: v1
  kind: Namespace
  metadata:
    name: \(name)
    labels: {\(labels)}\(annotations.isEmpty ? "" : "\n  annotations: {\(annotations)}")
  """
}

/// A pod with one address; `spec` and `status` are lines of flow YAML inside braces.
func pod(
  _ name: String, in namespace: String = "shop", labels: String = "", annotations: String = "",
  metadata: String = "", spec: String = "", ip: String? = "10.0.0.1", status: String = ""
) -> String {
  let addresses = ip.map { "podIPs: [{ip: \"\($0)\"}]," } ?? ""
  return """
    apiVersion: v1
    kind: Pod
    metadata: {name: \(name), namespace: \(namespace), labels: {\(labels)},
      annotations: {\(annotations)}, \(metadata)}
    spec: {\(spec)}
    status: {\(addresses) \(status)}
    """
}

func service(_ name: String, in namespace: String = "shop", _ spec: String) -> String {
  """
  apiVersion: v1
  kind: Service
  metadata: {name: \(name), namespace: \(namespace)}
  spec: {\(spec)}
  """
}

/// An AuthorizationPolicy whose spec is the given block of YAML.
func policy(
  _ spec: String, named name: String = "p", in namespace: String = "shop", annotations: String = ""
) -> String {
  let indented = spec.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
  return """
    apiVersion: security.istio.io/v1
    kind: AuthorizationPolicy
    metadata: {name: \(name), namespace: \(namespace), annotations: {\(annotations)}}
    spec:
    \(indented)
    """
}

func peerAuthentication(
  _ name: String, in namespace: String, created: String? = nil, _ spec: String
) -> String {
  let created = created.map { ", creationTimestamp: \"\($0)\"" } ?? ""
  return """
    apiVersion: security.istio.io/v1
    kind: PeerAuthentication
    metadata: {name: \(name), namespace: \(namespace)\(created)}
    spec: {\(spec)}
    """
}

extension Compilation {
  func workload(_ name: String) -> Workload? {
    model.workloads["Kubernetes//Pod/\(name)"]
  }

  func placement(_ name: String) -> PodPlacement? {
    pods.first { "\($0.namespace)/\($0.name)" == name }
  }

  /// What was found, as an operator reads it.
  var findings: [String] { diagnostics.map(\.description) }

  func findings(_ severity: Diagnostic.Severity) -> [String] {
    diagnostics.filter { $0.severity == severity }.map(\.description)
  }

  /// What was found of one severity: the object, the field and the message.
  func remarks(_ severity: Diagnostic.Severity) -> [String] {
    diagnostics.filter { $0.severity == severity }.map { diagnostic in
      let object = diagnostic.object?.description ?? "?"
      let field = diagnostic.field.isEmpty ? "" : ", \(diagnostic.field)"
      return "\(object)\(field): \(diagnostic.message)"
    }
  }

  /// The verdict on a connection to a pod of the model.
  func verdict(
    to pod: String, port: UInt16 = 80, from source: String?, sourceIP: IPAddress = .v4(0x0a00_0063)
  ) throws -> Verdict {
    let identity = try source.map { try SPIFFEID(parsing: $0) }
    let workload = try #require(self.workload(pod))
    let facts = ConnectionFacts(
      source: identity, sourceIP: sourceIP, destinationIP: try #require(workload.addresses.first),
      destinationPort: port)
    return facts.verdict(for: workload, in: MeshIndex(model))
  }

  func allows(
    to pod: String, port: UInt16 = 80, from source: String?, sourceIP: IPAddress = .v4(0x0a00_0063)
  ) throws -> Bool {
    switch try verdict(to: pod, port: port, from: source, sourceIP: sourceIP) {
    case .allow: true
    case .deny: false
    }
  }
}

let web = "spiffe://cluster.local/ns/shop/sa/web"
