import KubernetesClient
import MeshCompiler

/// What stands in for a policy that cannot be read and never could; nil for a kind that is none.
///
/// It lets nobody in that the policy might have kept out.
func stricterPolicy(
  _ kind: String, _ name: ObjectName, _ written: ManifestObject?
) -> (root: ManifestValue, effect: String)? {
  let labels = written.flatMap { selector($0.root["spec"]) }
  let whom = labels == nil ? "everything in its scope" : "what it selects"
  var spec: ManifestValue = ["selector": ["matchLabels": labels ?? [:]]]
  if labels == nil { spec = [:] }
  let effect: String
  switch kind {
  case "AuthorizationPolicy":
    // ALLOW without a rule allows nobody.
    spec = spec.with("action", "ALLOW")
    effect = "until it can be read, \(whom) lets nobody in"
  case "PeerAuthentication":
    spec = spec.with("mtls", ["mode": "STRICT"])
    effect = "until it can be read, \(whom) takes mutual TLS only"
  default:
    return nil
  }
  return (
    [
      "apiVersion": "security.istio.io/v1", "kind": .text(kind),
      "metadata": ["name": .text(name.name), "namespace": .text(name.namespace)], "spec": spec,
    ], effect
  )
}

/// The labels a policy selects by, if they are readable whatever else is not.
///
/// With targetRefs beside them, or none at all, its scope is taken to be as wide as it can be.
private func selector(_ spec: ManifestValue?) -> ManifestValue? {
  guard let spec, spec["targetRef"] == nil, spec["targetRefs"] == nil,
    case .mapping(let fields)? = spec["selector"]?.content, fields.map(\.key) == ["matchLabels"],
    case .mapping(let labels) = fields[0].value.content, !labels.isEmpty,
    labels.allSatisfy({ $0.value.text != nil })
  else { return nil }
  return fields[0].value
}
