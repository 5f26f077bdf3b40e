/// The whole mesh at a glance, as JSON writes it; the keys are a promise to users.
struct MeshStatus: Codable, Hashable, Sendable {
  struct Replica: Codable, Hashable, Sendable {
    var name: String
    var node: String
    var isReady: Bool
    var isLeader: Bool
    var version: String?
    var generation: UInt64?
    var streams: Int?
  }

  struct Node: Codable, Hashable, Sendable {
    var name: String
    /// `ready`, `not ready`, `missing` or `no answer`.
    var agent: String
    var version: String?
    var ztunnel: String?
    /// The generation of the control plane that the node has answered all of.
    var generation: UInt64?
    /// How many generations of its replica it is behind.
    var lag: UInt64?
    var enrolled: Int?
    /// Pods that should be in the mesh and are not.
    var failed: Int?
  }

  var namespace: String
  var isHealthy: Bool
  var replicas: [Replica]
  var nodes: [Node]
  var workloads: Int
  var services: Int
  var policies: Int
  /// One sentence for each thing that is wrong, with the next step.
  var problems: [String]
}

/// What was found out about a mesh, before it is judged.
struct MeshFacts: Hashable, Sendable {
  struct Replica: Hashable, Sendable {
    var pod: PodFacts
    var report: Answer<PlaneReport>
  }

  struct Agent: Hashable, Sendable {
    var pod: PodFacts
    var report: Answer<NodeReport>
  }

  var namespace: String
  /// Replicas that the Deployment wants; nil when there is none.
  var wantedReplicas: Int64?
  /// Who holds the Lease: a replica's pod.
  var leader: String?
  var replicas: [Replica]
  var nodes: [NodeFacts]
  var agents: [Agent]
}

extension MeshFacts {
  var status: MeshStatus {
    let rows = nodes.filter { node in node.isLinux || agents.contains { $0.pod.node == node.name } }
      .map(nodeStatus)
    let largest = replicas.compactMap(\.report.value).max {
      $0.mesh.generation < $1.mesh.generation
    }
    let problems = planeProblems + rows.flatMap(problems)
    return MeshStatus(
      namespace: namespace, isHealthy: problems.isEmpty, replicas: replicas.map(replicaStatus),
      nodes: rows, workloads: largest?.mesh.workloads ?? 0, services: largest?.mesh.services ?? 0,
      policies: largest?.mesh.policies ?? 0, problems: problems)
  }

  private func replicaStatus(_ replica: Replica) -> MeshStatus.Replica {
    let report = replica.report.value
    return MeshStatus.Replica(
      name: replica.pod.name, node: replica.pod.node, isReady: replica.pod.isReady,
      isLeader: replica.pod.name == leader, version: report?.version,
      generation: report?.mesh.generation, streams: report?.streamCount)
  }

  private func nodeStatus(_ node: NodeFacts) -> MeshStatus.Node {
    guard let agent = agents.first(where: { $0.pod.node == node.name }) else {
      return MeshStatus.Node(name: node.name, agent: "missing")
    }
    guard let report = agent.report.value else {
      return MeshStatus.Node(
        name: node.name, agent: agent.pod.isReady ? "no answer" : "not ready")
    }
    let place = NodeStream.newest(of: node.name, in: replicas.compactMap(\.report.value))
    let failed = report.pods.count { !["enrolled", "notEnrolled", "releasing"].contains($0.state) }
    return MeshStatus.Node(
      name: node.name, agent: agent.pod.isReady ? "ready" : "not ready",
      version: report.node.version,
      ztunnel: report.ztunnel.isConnected ? report.ztunnel.state : "not connected",
      generation: place?.stream.generation, lag: place?.lag,
      enrolled: report.pods.count { $0.state == "enrolled" }, failed: failed)
  }
}

/// A node's stream to a replica of the control plane.
struct NodeStream: Hashable, Sendable {
  var stream: PlaneReport.Stream
  /// The replica's own generation now.
  var current: UInt64

  /// Nil before the node has answered anything.
  var lag: UInt64? { stream.generation.map { current >= $0 ? current - $0 : 0 } }

  /// After a change of replicas an old stream may still be told of: the newest counts.
  static func newest(of node: String, in reports: [PlaneReport]) -> NodeStream? {
    reports.flatMap { report in
      report.streams.filter { $0.node == node }
        .map { NodeStream(stream: $0, current: report.mesh.generation) }
    }.max { $0.stream.since < $1.stream.since }
  }
}
