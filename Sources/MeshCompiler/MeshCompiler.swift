/// Objects in, the mesh they mean out.
///
/// In: Kubernetes and Istio objects as trees of values, and the mesh's settings. Out: the model,
/// where each pod runs, and everything there is to say about the objects, by file and line.
/// Never here: files, YAML, clocks; whether a node acts on the answer is decided elsewhere.
import MeshModel

/// What the objects mean; the same objects give the same answer, whatever their order.
public func compile(
  objects: [ManifestObject], options: CompilerOptions = CompilerOptions()
) -> Compilation {
  let catalog = Catalog(objects, options)
  let pods = PodAssembly(catalog)
  let entries = EntryAssembly(catalog)
  let services = ServiceAssembly(catalog, pods, entries)
  let external = ExternalAssembly(catalog, pods, entries, services)
  let waypoints = WaypointAssembly(catalog, pods, external)
  let networks = NetworkAssembly(catalog, waypoints)
  let policies = PolicyAssembly(catalog, pods, networks.workloads)
  let model = Model(
    workloads: policies.workloads, services: networks.services, policies: policies.policies)
  return Compilation(
    model: model, pods: pods.placements,
    diagnostics: inOrder(
      catalog.diagnostics + pods.diagnostics + entries.diagnostics + services.diagnostics
        + external.diagnostics + waypoints.diagnostics + networks.diagnostics
        + policies.diagnostics))
}

/// By file, document and line; of too many, the gravest are kept.
private func inOrder(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
  var kept = diagnostics
  if kept.count > Limit.diagnostics {
    kept.sort { $0.severity > $1.severity }
    let dropped = kept.count - Limit.diagnostics
    kept.removeLast(dropped)
    kept.append(
      Diagnostic(.warning, .ignored, file: "", message: "\(dropped) more findings are not shown"))
  }
  return kept.sorted {
    ($0.file, $0.document, $0.line, $0.field, $0.message)
      < ($1.file, $1.document, $1.line, $1.field, $1.message)
  }
}
