import MeshModel

/// What is kept of a namespace from one compilation to the next.
struct NamespaceState {
  /// Who is in it and who serves what.
  var roll: Roll
  /// What that came to; nil as long as that is not known.
  var outcome: Outcome?

  struct Roll {
    var surroundings: Surroundings
    var exports: Exports
    /// The waypoints that something here asks for.
    var waypointsAskedFor: Set<PolicyKey>
    /// Its first pod, if nobody declares the namespace.
    var undeclaredPod: Origin?

    init(_ members: Members) {
      let scope = members.scope
      surroundings = scope.surroundings
      exports = members.exports
      waypointsAskedFor = scope.waypointsAskedFor
      let isDeclared = scope.objects.namespace != nil || scope.objects.name == "default"
      undeclaredPod = isDeclared ? nil : scope.objects.pods.values.map(\.value.origin).min()
    }
  }

  struct Outcome {
    var neighbours: Neighbours
    /// Its keys in the model.
    var workloads: [String]
    var services: [ServiceKey]
    var policies: [PolicyKey]
    var placements: [PodPlacement]
    var rootReach: [String: PolicyAssembly.Reach]
    var diagnostics: [Diagnostic]

    init(_ mesh: NamespaceMesh, _ neighbours: Neighbours) {
      self.neighbours = neighbours
      workloads = Array(mesh.workloads.keys)
      services = Array(mesh.services.keys)
      policies = Array(mesh.policies.keys)
      placements = mesh.placements
      rootReach = mesh.rootReach
      diagnostics = mesh.diagnostics
    }
  }
}
