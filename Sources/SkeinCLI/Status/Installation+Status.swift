import KubernetesClient
import MeshCompiler

extension Installation {
  /// Asks the API server and then every program, side by side.
  func facts() async throws(KubernetesError) -> MeshFacts {
    async let deployment = client.object(
      .deployments, namespace: namespace, name: "control-plane")
    async let lease = client.object(
      .leases, namespace: namespace, name: "skein-control-plane")
    async let nodes = nodes()
    async let replicas = pods(of: .controlPlane)
    async let agents = pods(of: .nodeAgent)
    do {
      let holder = try await lease?["spec"]?["holderIdentity"]?.text
      let wanted = try await deployment.map { $0["spec"]?["replicas"]?.whole ?? 1 }
      let (planePods, agentPods) = try await (replicas, agents)
      async let planes = sideBySide(planePods) { pod in
        MeshFacts.Replica(pod: pod, report: await planeReport(of: pod))
      }
      async let reports = sideBySide(agentPods) { pod in
        MeshFacts.Agent(pod: pod, report: await nodeReport(of: pod))
      }
      return MeshFacts(
        namespace: namespace, wantedReplicas: wanted,
        // A replica calls itself by its pod and a number of this life.
        leader: holder.flatMap { $0.isEmpty ? nil : String($0.prefix { $0 != "_" }) },
        replicas: await planes, nodes: try await nodes, agents: await reports)
    } catch let error as KubernetesError {
      throw error
    } catch {
      throw .cancelled
    }
  }

  /// The streams of every node, as the replicas tell of them.
  func streams() async throws -> ProxyStatus {
    let replicas = try await pods(of: .controlPlane)
    guard !replicas.isEmpty else { throw InstallationError.absent(namespace: namespace) }
    let agents = try await pods(of: .nodeAgent)
    let reports = await sideBySide(replicas) { await planeReport(of: $0) }
    return ProxyStatus(
      replicas: zip(replicas, reports).map { ($0.name, $1) }, agents: agents.map(\.node))
  }
}
