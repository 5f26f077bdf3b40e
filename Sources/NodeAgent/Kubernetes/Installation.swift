import KubernetesClient
import Linux
import Logging
import MeshCompiler

/// The DaemonSet that this node agent is of: while it is there, another node agent follows this one.
struct Installation: Sendable {
  /// What the cluster says of it when we are told to end.
  enum Answer: Hashable, Sendable {
    case present(isBeingDeleted: Bool)
    case absent
    case failed(KubernetesError)
  }

  let client: KubernetesClient
  let name: ObjectName

  /// Whether nobody follows; what cannot be known is no reason to let plaintext out.
  static func isLeaving(_ answer: Answer) -> Bool {
    switch answer {
    case .present(let isBeingDeleted): isBeingDeleted
    case .absent: true
    // Our account went before us, as it does when the whole namespace is deleted.
    case .failed(.status(let status)): status.isUnauthorized
    case .failed: false
    }
  }

  func isLeaving() async -> Bool {
    let answer = await answer()
    if case .failed(let error) = answer, !Installation.isLeaving(answer) {
      let advice = "if the installation goes away, run node-agent uninstall on this node"
      Logger(label: "cluster").warning(
        "whether another node agent follows is not known: the pods stay captured; \(advice)",
        metadata: ["daemonSet": "\(name)", "reason": "\(error)"])
    }
    return Installation.isLeaving(answer)
  }

  private func answer() async -> Answer {
    await withTaskGroup(of: Answer?.self) { group in
      group.addTask { await ask() }
      group.addTask {
        do {
          try await Task.sleep(for: Limit.installationAnswer)
          return .failed(.timedOut)
        } catch {
          return nil
        }
      }
      let first = await group.next() ?? nil
      group.cancelAll()
      return first ?? .failed(.cancelled)
    }
  }

  private func ask() async -> Answer {
    do throws(KubernetesError) {
      let found = try await client.object(
        .daemonSets, namespace: name.namespace, name: name.name)
      guard let found else { return .absent }
      return .present(isBeingDeleted: found["metadata"]?["deletionTimestamp"] != nil)
    } catch {
      return .failed(error)
    }
  }
}

extension Resource {
  fileprivate static let daemonSets = Resource(
    group: "apps", plural: "daemonsets", kind: "DaemonSet")
}
