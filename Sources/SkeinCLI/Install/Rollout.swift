import KubernetesClient
import MeshCompiler

/// How far a workload of the installation is.
struct Rollout: Hashable, Sendable {
  /// Pods that are wanted.
  var wanted: Int64
  /// Pods of what was applied last, that are ready.
  var ready: Int64
  /// What is said of it runs everywhere, and nothing else does.
  var isDone: Bool

  init(deployment object: ManifestValue?) {
    let status = object?["status"]
    wanted = object?["spec"]?["replicas"]?.whole ?? 1
    let updated = status?["updatedReplicas"]?.whole ?? 0
    let all = status?["replicas"]?.whole ?? 0
    ready = min(status?["availableReplicas"]?.whole ?? 0, updated)
    isDone =
      object != nil && Self.isSeen(object) && updated == wanted && all == wanted
      && ready == wanted
  }

  init(daemonSet object: ManifestValue?) {
    let status = object?["status"]
    wanted = status?["desiredNumberScheduled"]?.whole ?? 0
    let updated = status?["updatedNumberScheduled"]?.whole ?? 0
    ready = min(status?["numberReady"]?.whole ?? 0, updated)
    isDone = object != nil && Self.isSeen(object) && updated == wanted && ready == wanted
  }

  /// Whether its controller knows the object as it is now.
  private static func isSeen(_ object: ManifestValue?) -> Bool {
    let generation = object?["metadata"]?["generation"]?.whole ?? 1
    return (object?["status"]?["observedGeneration"]?.whole ?? 0) >= generation
  }
}
