import AgentProtocol
import Identity
import Linux
import MeshModel
import TLS

extension Worker {
  /// What policy says of a connection to one of our pods, now.
  func verdict(_ facts: ConnectionFacts, for pod: ServedPod) -> Verdict {
    facts.verdict(for: pod.workload, in: mesh)
  }

  /// Credentials that a peer would accept today.
  func usableCredentials(of identity: SPIFFEID) -> Credentials? {
    guard let held = credentials[identity], !held.facts.isExpired(at: WallClock.now()) else {
      return nil
    }
    return held
  }

  /// Tells the control thread something it must not miss, when the batch ends.
  func tellControl(_ report: WorkerReport) { reports.add(report, at: now) }

  /// Tells the agent; only what someone waits for is worth a wake-up of its own.
  func report(_ message: TunnelMessage, isUrgent: Bool = true) {
    reports.add(message, isUrgent: isUrgent, at: now)
  }
}

extension Tunnel {
  var isServer: Bool {
    switch purpose {
    case .client: false
    case .server: true
    }
  }
}
