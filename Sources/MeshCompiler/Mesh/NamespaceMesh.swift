import MeshModel

/// What the objects of one namespace come to.
struct NamespaceMesh {
  var workloads: [String: Workload]
  var services: [ServiceKey: Service]
  var policies: [PolicyKey: AuthorizationPolicy]
  var placements: [PodPlacement]
  /// How far the policies of the root namespace reach here, by name.
  var rootReach: [String: PolicyAssembly.Reach]
  var diagnostics: [Diagnostic]

  init(_ members: Members, _ neighbours: Neighbours, _ mesh: MeshWide) {
    let waypoints = WaypointAssembly(members, neighbours)
    let networks = NetworkAssembly(members, waypoints, neighbours, mesh)
    let policies = PolicyAssembly(members, networks.workloads, mesh)
    workloads = policies.workloads
    services = networks.services
    self.policies = policies.policies
    placements = members.placements
    rootReach = policies.rootReach
    diagnostics = (members.diagnostics + waypoints.diagnostics + policies.diagnostics).sorted()
  }
}
