import ControlAPI
import MeshModel
import Telemetry

/// What let a stream in, and whether it still would.
struct StreamProof: Sendable {
  /// How long a stream may outlive a proof that ends by itself, at most: spread over this time, nodes do
  /// not all come again at once.
  static let grace = Duration.seconds(300)

  /// Why a stream does not go on.
  enum End: Error, Hashable {
    case withdrawn(AuthenticationFailure)
    case expired(at: WallTime)
  }

  let caller: Caller
  let peer: Peer
  private let authentication: Authentication
  private let shownAt: WallTime
  private var trustChanges: UInt64
  /// Nil: not by itself.
  let endsAt: WallTime?

  /// - trustChanges: how many there had been before the peer was asked.
  /// - jitter: 0 to 1, drawn anew for each stream.
  init(
    caller: Caller, peer: Peer, authentication: Authentication, shownAt: WallTime,
    trustChanges: UInt64, jitter: Double
  ) {
    self.caller = caller
    self.peer = peer
    self.authentication = authentication
    self.shownAt = shownAt
    self.trustChanges = trustChanges
    endsAt = caller.validUntil.map { end in
      WallTime(
        secondsSinceEpoch: end.secondsSinceEpoch
          + Double(Self.grace.components.seconds) * min(max(jitter, 0), 1))
    }
  }

  /// Asks again for the proof after each change of what proofs are judged by.
  mutating func check(trustChanges: UInt64, now: WallTime) async throws(End) {
    if trustChanges != self.trustChanges {
      if let failure = await authentication.objection(to: caller, by: peer, shownAt: shownAt) {
        throw .withdrawn(failure)
      }
      self.trustChanges = trustChanges
    }
    if let endsAt, endsAt <= now { throw .expired(at: endsAt) }
  }
}

extension StreamProof.End {
  /// A constant for metrics.
  var label: String {
    switch self {
    case .withdrawn: "withdrawn"
    case .expired: "expired"
    }
  }

  /// A withdrawn proof is no proof; with an expired one the client is to come again with its next.
  var status: CallStatus {
    switch self {
    case .withdrawn: CertificateDesk.denial
    case .expired: CallStatus(.unavailable, "what was shown has expired; connect again")
    }
  }
}

extension StreamProof.End: CustomStringConvertible {
  var description: String {
    switch self {
    case .withdrawn(let failure): "\(failure)"
    case .expired(let time): "its proof expired, at \(time.timestamp) at the latest"
    }
  }
}
