import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS

/// Tunnel connections that revocations refused or cut.
struct Revoked {
  var inbound: UInt64 = 0
  var outbound: UInt64 = 0
}

extension Worker {
  /// Judges every live tunnel connection again, with the trust of now.
  func replaceTrust(_ trust: Trust) {
    self.trust = trust
    for tunnel in Array(tunnels.values) { tunnel.rejudge() }
  }

  /// The same for those of one identity, after its roots may have changed.
  func rejudgeTunnels(of identity: SPIFFEID) {
    for tunnel in Array(tunnels.values) where tunnel.localIdentity == identity { tunnel.rejudge() }
  }
}

extension Tunnel {
  /// Cuts the connection when the trust of now would not let its peer in.
  func rejudge() {
    guard !isClosed, let failure = objection() else { return }
    cut(failure)
  }

  /// What the trust and the roots of now have against the peer.
  func objection() -> TLSFailure? {
    tls?.objection(under: worker.trust, roots: worker.credentials[localIdentity])
  }

  /// Tells the peer that nothing more will come, ends every stream, and leaves a record.
  private func cut(_ failure: TLSFailure) {
    let flag = flag(of: failure)
    let id = worker.randomNumber()
    let isInUse = !streams.isEmpty
    worker.report(.refused(refusal(id: id, flag, "\(failure)", endedLiveConnection: isInUse)))
    // The second names the last stream, so that the peer waits for no more.
    http2.goAway(.noError)
    http2.goAway(.noError)
    flush()
    guard !isClosed else { return }
    tls?.closeNotify(to: &cipherOut)
    send()
    fail(flag, "\(failure) (refusal \(Hexadecimal.text(of: id)))")
  }

  /// The flag of records; counts what revocations are to blame for.
  func flag(of failure: TLSFailure) -> ResponseFlag {
    switch failure {
    case .certificateRevoked, .revocationsUnknown:
      switch purpose {
      case .client: worker.revoked.outbound += 1
      case .server: worker.revoked.inbound += 1
      }
      return .revoked
    case .alert(let alert) where alert.isRevocation:
      // The peer counts it.
      return .revoked
    default:
      return .tlsFailure
    }
  }

  private func refusal(
    id: UInt64, _ flag: ResponseFlag, _ reason: String, endedLiveConnection: Bool
  ) -> Refusal {
    let cause = Refusal.Cause.failure(flag: flag, reason: reason)
    switch purpose {
    case .client:
      return Refusal(
        id: id, direction: .outbound, at: WallClock.now(),
        generation: worker.mesh.model.generation, sourceIdentity: localIdentity,
        destinationIdentity: peerIdentity, source: peer, destination: peer, cause: cause,
        endedLiveConnection: endedLiveConnection, podUID: pod.uid)
    case .server(let local):
      return Refusal(
        id: id, direction: .inbound, at: WallClock.now(),
        generation: worker.mesh.model.generation, sourceIdentity: peerIdentity,
        destinationIdentity: localIdentity, source: peer, destination: local, cause: cause,
        endedLiveConnection: endedLiveConnection, podUID: pod.uid)
    }
  }
}
