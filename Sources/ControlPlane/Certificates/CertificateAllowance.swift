import MeshModel
import Synchronization

/// How many certificates may be asked for: by everybody together, and by each caller.
///
/// So that nobody whose own proof was stolen takes what the others need.
final class CertificateAllowance: Sendable {
  private struct State {
    var everybody = Allowance(Limit.certificates)
    var nodes = AllowanceTable<String>(Limit.certificatesOfNode, limit: Limit.callers)
    var workloads = AllowanceTable<SPIFFEID>(Limit.certificatesOfWorkload, limit: Limit.callers)
  }

  private let state = Mutex(State())

  func take(_ caller: Caller, at now: Instant) -> Bool {
    state.withLock { state in
      let isItsOwn =
        switch caller.role {
        case .node(let name): state.nodes.take(name, at: now)
        case .workload(let identity): state.workloads.take(identity, at: now)
        }
      return isItsOwn && state.everybody.take(at: now)
    }
  }
}
