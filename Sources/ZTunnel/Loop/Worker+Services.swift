import AgentProtocol
import Identity
import Linux
import MeshModel
import TLS

extension Worker {
  /// What policy says of a connection to one of our pods, now.
  func verdict(_ facts: ConnectionFacts, for pod: ServedPod) -> Verdict {
    facts.verdict(for: mesh.workload(uid: pod.workloadUID), in: mesh)
  }

  /// Credentials that a peer would accept today.
  func usableCredentials(of identity: SPIFFEID) -> Credentials? {
    guard let held = credentials[identity], !held.facts.isExpired(at: WallClock.now()) else {
      return nil
    }
    return held
  }

  /// Tells the control thread something it must not miss.
  ///
  /// Its mailbox is far larger than what can be under way; when it is full all the same, the
  /// control thread is stuck and nothing would be served by waiting here.
  func tellControl(_ report: WorkerReport) {
    if !control.post(report) { droppedReports += 1 }
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
