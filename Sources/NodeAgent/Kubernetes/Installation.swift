import KubernetesClient
import Linux
import Logging
import MeshCompiler
import Synchronization

/// The DaemonSet that this node agent is of: while it is there, another node agent follows this one.
final class Installation: Sendable {
  /// What the cluster says of it when we are told to end.
  enum Answer: Hashable, Sendable {
    case present(isBeingDeleted: Bool)
    case absent
    case failed(KubernetesError)
  }

  private let client: KubernetesClient
  private let name: ObjectName
  /// Whether we were allowed to ask before.
  private let couldAsk = Mutex(false)
  private let logger = Logger(label: "cluster")

  init(client: KubernetesClient, name: ObjectName) {
    self.client = client
    self.name = name
  }

  /// Whether nobody follows; what cannot be known is no reason to let plaintext out.
  ///
  /// Our account, or its rights, may go before us when everything is deleted at once: rights that
  /// were there and are not any more say the same as a DaemonSet that is gone.
  static func isLeaving(_ answer: Answer, couldAsk: Bool) -> Bool {
    switch answer {
    case .present(let isBeingDeleted): isBeingDeleted
    case .absent: true
    case .failed(.status(let status)):
      status.isUnauthorized || status.isForbidden && couldAsk
    case .failed: false
    }
  }

  /// Asks until it was answered once, so that the end can tell what it means not to be.
  func introduce() async {
    var isFirst = true
    while !Task.isCancelled {
      switch await ask() {
      case .present, .absent: return couldAsk.withLock { $0 = true }
      case .failed(let error):
        if isFirst {
          logger.warning(
            "our DaemonSet cannot be read yet",
            metadata: ["daemonSet": "\(name)", "reason": "\(error)"])
        }
        isFirst = false
      }
      do {
        try await Task.sleep(for: Limit.installationAnswer)
      } catch {
        return
      }
    }
  }

  func isLeaving() async -> Bool {
    let answer = await answer()
    let isLeaving = Installation.isLeaving(answer, couldAsk: couldAsk.withLock { $0 })
    if case .failed(let error) = answer, !isLeaving {
      let advice = "if the installation goes away, run node-agent uninstall on this node"
      logger.warning(
        "whether another node agent follows is not known: the pods stay captured; \(advice)",
        metadata: ["daemonSet": "\(name)", "reason": "\(error)"])
    }
    return isLeaving
  }

  private func answer() async -> Answer {
    await withTaskGroup(of: Answer?.self) { group in
      group.addTask { await self.ask() }
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
