import KubernetesClient
import MeshCompiler
import MeshModel

/// Follows a cluster for as long as its task lives.
struct ClusterWatch: Sendable {
  let client: KubernetesClient
  let cluster: Cluster

  func run(
    _ deliver: @escaping @Sendable (Compilation, ModelChange?, Instant) async -> Void
  ) async {
    await withTaskGroup(of: Void.self) { group in
      for watched in WatchedKind.all {
        group.addTask {
          await ResourceWatch(client, watched.resource, watched.selection).run { changes, state in
            await cluster.take(changes, state, kind: watched.kind)
          }
        }
      }
      group.addTask { await cluster.settled(deliver) }
    }
  }
}
