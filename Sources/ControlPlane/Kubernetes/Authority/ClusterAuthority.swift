import FoundationEssentials
import KubernetesClient
import Linux
import Logging
import MeshModel

/// The authority of a cluster: the Secret that holds it, and the copies of its root.
struct ClusterAuthority: Sendable {
  let secret: AuthoritySecret
  let publication: RootPublication

  /// Keeps both until the task is cancelled.
  func run(_ signer: Signer) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await secret.follow { await signer.offer($0) } }
      group.addTask { await publication.run { await signer.rootsText } }
    }
  }
}

extension Core {
  /// The owner of the authority, read or made where the settings say.
  static func authority(
    _ settings: RunSettings, _ client: KubernetesClient?, _ logger: Logger
  ) async throws -> (Signer, ClusterAuthority?) {
    switch settings.authority {
    case .directory(let path):
      return (try Signer(directory: path, trustDomain: settings.trustDomain), nil)
    case .secret(let name, let rootConfigMaps):
      guard let client else { preconditionFailure("a Secret without a cluster") }
      let secret = AuthoritySecret(
        client: client, name: name, trustDomain: settings.trustDomain)
      let signer: Signer
      do {
        signer = try Signer(
          try await secret.read(logger: logger), trustDomain: settings.trustDomain)
      } catch {
        await client.shutDown()
        throw error
      }
      let leadership = Leadership(
        client, namespace: name.namespace, name: leaseName, identity: replicaName())
      let publication = RootPublication(
        client, names: rootConfigMaps, leadership: leadership, logger: logger)
      return (signer, ClusterAuthority(secret: secret, publication: publication))
    }
  }

  /// The Lease by which replicas agree on who writes.
  private static let leaseName = "skein-control-plane"

  /// Tells replicas apart; in a pod its host name is the pod's.
  private static func replicaName() -> String {
    let host = ProcessInfo.processInfo.environment["HOSTNAME"] ?? "control-plane"
    return "\(host)_\(String(Random.uint64(), radix: 16))"
  }
}
