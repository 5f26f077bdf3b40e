import Commands
import KubernetesClient
import Linux
import MeshCompiler
import MeshModel

/// Brings namespaces into the mesh or out of it, and waits for their pods.
struct MembershipChange: Sendable {
  let installation: Installation
  let membership: Membership
  /// When to give up waiting.
  let deadline: Instant

  private var client: KubernetesClient { installation.client }

  /// What is there now, and what would be; nothing is changed.
  func coverage(of name: String) async throws -> Coverage {
    guard let namespace = try await client.object(.namespaces, name: name) else {
      throw MembershipError.noNamespace(name)
    }
    guard name != installation.namespace else { throw MembershipError.ownNamespace(name) }
    let pods = try await client.list(
      .pods, filter: ResourceFilter(namespace: name), Coverage.selection)
    return Coverage(namespace, pods: pods, as: membership)
  }

  /// Sets or takes away the label.
  func label(_ name: String) async throws(KubernetesError) {
    try await client.patch(
      .namespaces, name: name,
      ["metadata": ["labels": ([:] as ManifestValue).with(Membership.label, membership.value)]])
  }

  /// Looks again and again until every pod is as wanted, or the time is over.
  func wait(for name: String, report: (String) -> Void) async throws -> MembershipProgress {
    var told = ""
    while true {
      let progress = try await look(at: name)
      let line = progress.line(membership)
      if line != told {
        report(line)
        told = line
      }
      guard !progress.isDone, MonotonicClock.now() < deadline else { return progress }
      try await Task.sleep(for: Limit.lookInterval)
    }
  }

  func look(at name: String) async throws -> MembershipProgress {
    let coverage = try await coverage(of: name)
    let wanted = Set(coverage.pods.map(\.node))
    let agents = try await installation.pods(of: .nodeAgent).filter { wanted.contains($0.node) }
    let answers = await sideBySide(agents) { await installation.nodePods(of: $0) }
    var states: [String: NodeReport.Pod] = [:]
    var problems: [String: String] = [:]
    for (agent, answer) in zip(agents, answers) {
      switch answer {
      case .problem(let problem): problems[agent.node] = problem
      case .value(let pods):
        for pod in pods where pod.namespace == name { states["\(agent.node)/\(pod.name)"] = pod }
      }
    }
    for node in wanted.subtracting(agents.map(\.node)) where !node.isEmpty {
      problems[node] = "no node agent runs on \(node)"
    }
    return MembershipProgress(coverage, as: membership, states: states, problems: problems)
  }
}

/// Why a namespace cannot be enrolled or released.
enum MembershipError: Error, Equatable, CustomStringConvertible {
  case noNamespace(String)
  case ownNamespace(String)

  var description: String {
    switch self {
    case .noNamespace(let name):
      "there is no namespace \(name); see: kubectl get namespaces"
    case .ownNamespace(let name):
      "\(name) is where the mesh itself runs: what carries it is not in it"
    }
  }
}
