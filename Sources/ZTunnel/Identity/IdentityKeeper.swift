import AgentProtocol
import Identity
import MeshModel
import TLS

/// The keys and certificates of this node's identities; keys never leave it.
struct IdentityKeeper {
  private struct Kept {
    var state: IdentityState
    /// Of the request under way.
    var pendingKey: PrivateKey?
    /// Of the credentials in use, so that the agent may send new roots for the same chain.
    var key: PrivateKey?
    var credentials: Credentials?
    var wake: WallTime?

    /// The certificate in use with the roots that came; nil when another certificate came.
    func trusting(_ answer: IssuedCertificate) throws(CredentialsError) -> Credentials? {
      guard let key, let credentials else { return nil }
      do throws(CredentialsError) {
        let same = try Credentials(key: key, chain: answer.chain, roots: answer.roots)
        return same.facts == credentials.facts ? same : nil
      } catch {
        guard case .keyMismatch = error else { throw error }
        return nil
      }
    }
  }

  private var demand = IdentityDemand()
  private var kept: [SPIFFEID: Kept] = [:]

  /// When the next identity has something to do.
  var nextWake: WallTime? { kept.values.compactMap(\.wake).min() }

  /// Identities with credentials.
  var certified: [SPIFFEID] { kept.filter { $0.value.credentials != nil }.map(\.key) }

  /// The identities that nobody needs any more.
  mutating func setIdentity(_ identity: SPIFFEID?, ofPod uid: String) -> [SPIFFEID] {
    var released: [SPIFFEID] = []
    for change in demand.setIdentity(identity, ofPod: uid) {
      switch change {
      case .needed(let identity):
        var fresh = Kept(state: IdentityState(identity: identity))
        fresh.wake = WallTime(secondsSinceEpoch: 0)
        kept[identity] = fresh
      case .notNeeded(let identity):
        kept[identity] = nil
        released.append(identity)
      }
    }
    return released
  }

  /// Everything looks again at once: somebody can answer now.
  mutating func wakeAll() {
    for identity in kept.keys { kept[identity]?.wake = WallTime(secondsSinceEpoch: 0) }
  }

  /// The requests that are due now.
  mutating func dueRequests(at now: WallTime, jitter: () -> Double) -> [SigningRequest] {
    var requests: [SigningRequest] = []
    for (identity, entry) in kept {
      guard let wake = entry.wake, wake <= now else { continue }
      let action = on(.wake, identity, at: now, jitter: jitter())
      guard case .request = action else { continue }
      do throws(TLSFailure) {
        let key = try PrivateKey()
        let request = try key.signingRequest(for: identity)
        kept[identity]?.pendingKey = key
        requests.append(SigningRequest(identity: identity, request: request))
      } catch {
        on(.refused(reason: "\(error)"), identity, at: now, jitter: jitter())
      }
    }
    return requests
  }

  /// Takes what the authority answered; the credentials to use from now on, if any.
  mutating func received(
    _ certificate: IssuedCertificate, at now: WallTime, jitter: Double
  ) -> Credentials? {
    guard let entry = kept[certificate.identity] else { return nil }
    guard let key = entry.pendingKey ?? entry.key else { return nil }
    do throws(CredentialsError) {
      if entry.pendingKey != nil, let renewed = try entry.trusting(certificate) {
        // Only the roots are new: the request under way is still to be answered.
        kept[certificate.identity]?.credentials = renewed
        return renewed
      }
      let credentials = try Credentials(
        key: key, chain: certificate.chain, roots: certificate.roots)
      // Roots that no longer fit our own leaf count all the same: they say whom to trust.
      if credentials.facts != entry.credentials?.facts { try credentials.inspect(at: now) }
      on(.issued(credentials.facts), certificate.identity, at: now, jitter: jitter)
      // The state has the last word on whose certificate it is and whether it is still good.
      guard kept[certificate.identity]?.state.certificate == credentials.facts else { return nil }
      kept[certificate.identity]?.credentials = credentials
      kept[certificate.identity]?.key = key
      kept[certificate.identity]?.pendingKey = nil
      return credentials
    } catch {
      refused(certificate.identity, reason: "\(error)", at: now, jitter: jitter)
      return nil
    }
  }

  mutating func refused(
    _ identity: SPIFFEID, reason: String, at now: WallTime, jitter: Double
  ) {
    on(.refused(reason: reason), identity, at: now, jitter: jitter)
  }

  /// Nobody will answer what is under way.
  mutating func authorityLost(at now: WallTime, jitter: Double) {
    for identity in kept.keys { on(.authorityLost, identity, at: now, jitter: jitter) }
  }

  @discardableResult
  private mutating func on(
    _ event: IdentityState.Event, _ identity: SPIFFEID, at now: WallTime, jitter: Double
  ) -> IdentityState.Action {
    guard var entry = kept[identity] else { return .none }
    let action = entry.state.on(event, at: now, jitter: jitter)
    switch action {
    case .request(let answerBy): entry.wake = answerBy
    case .wait(let until): entry.wake = until
    case .none: entry.wake = nil
    }
    kept[identity] = entry
    return action
  }

  /// With what revocations say of our own certificates.
  func records(at now: WallTime, under trust: Trust) -> [CertificateRecord] {
    kept.map { identity, entry in
      let facts = entry.credentials?.facts
      let objection = entry.credentials?.objection(under: trust)
      let never = WallTime(secondsSinceEpoch: 0)
      return CertificateRecord(
        identity: identity, serialNumber: facts?.serialNumber ?? "",
        notBefore: facts?.notBefore ?? never, notAfter: facts?.notAfter ?? never,
        renewal: entry.wake ?? never, state: objection?.ownState ?? entry.state.summary,
        rootCount: UInt32(clamping: entry.credentials?.rootCount ?? 0))
    }
  }
}

extension TLSFailure {
  /// What a revocation list says of ourselves, for `status`; nil when it is something else.
  fileprivate var ownState: String? {
    guard case .certificateRevoked(_, let serialNumber, let place) = self else { return nil }
    let what = place == 0 ? "revoked" : "revoked with the authority \(place) above it"
    return "\(what) (serial \(serialNumber)): peers with the same list refuse it"
  }
}
