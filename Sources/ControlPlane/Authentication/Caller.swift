import ControlAPI
import Linux
import Logging
import MeshModel
import Telemetry

/// Who calls, once it is proven.
struct Caller: Hashable, Sendable {
  enum Role: Hashable, Sendable {
    /// The agent of this node: it speaks for the pods placed there.
    case node(String)
    /// A workload, that speaks for itself only.
    case workload(SPIFFEID)
  }

  /// What proved it; for logs and metrics.
  enum Proof: String, Hashable, Sendable, CaseIterable {
    case staticToken = "static token"
    case oidc
    case tokenReview = "token review"
    case certificate
  }

  var role: Role
  var proof: Proof
  /// When the proof ends by itself; nil: when it is withdrawn.
  var validUntil: WallTime?
}

extension Caller: CustomStringConvertible {
  var description: String {
    switch role {
    case .node(let name): "node \(name)"
    case .workload(let identity): "\(identity)"
    }
  }
}

/// Why somebody is not who they say; for our log, never for the peer.
enum AuthenticationFailure: Error, Hashable, Sendable {
  case noCredentials
  case unknownToken
  case malformedToken(reason: String)
  case wrongIssuer(String)
  case wrongAudience([String])
  case expired(at: WallTime)
  case notYetValid(from: WallTime)
  case algorithmNotAllowed(String)
  case unknownKey(String)
  case badSignature
  /// The issuer's keys are not at hand.
  case noKeys(reason: String)
  /// The cluster's API server does not vouch for the token.
  case refusedByReview
  /// The API server could not be asked.
  case noReview(reason: String)
  /// A node's agent, but of which node?
  case nodeUnknown(subject: String)
  /// Neither a service account nor named as nodes are.
  case notNode(subject: String)
  case unusableCertificate(uris: [String])
  /// The root it leads to is none of ours any more.
  case unknownRoot
  /// Counted from the leaf, which is 0.
  case revoked(place: Int)
  case revocationsUnknown(reason: String)
  /// What was shown proves another caller now.
  case otherCaller(String)
  /// From where it calls too much was tried in vain.
  case tooManyAttempts
}

extension AuthenticationFailure {
  /// A constant for metrics.
  var label: String {
    switch self {
    case .noCredentials: "no_credentials"
    case .unknownToken: "unknown_token"
    case .malformedToken: "malformed_token"
    case .wrongIssuer: "wrong_issuer"
    case .wrongAudience: "wrong_audience"
    case .expired: "expired"
    case .notYetValid: "not_yet_valid"
    case .algorithmNotAllowed: "algorithm_not_allowed"
    case .unknownKey: "unknown_key"
    case .badSignature: "bad_signature"
    case .noKeys: "no_keys"
    case .refusedByReview: "refused_by_review"
    case .noReview: "no_review"
    case .nodeUnknown: "node_unknown"
    case .notNode: "not_a_node"
    case .unusableCertificate: "unusable_certificate"
    case .unknownRoot: "unknown_root"
    case .revoked: "revoked"
    case .revocationsUnknown: "revocations_unknown"
    case .otherCaller: "other_caller"
    case .tooManyAttempts: "too_many_attempts"
    }
  }

  /// What a peer is told: nothing of the reason.
  var status: CallStatus {
    self == .tooManyAttempts
      ? CallStatus(.resourceExhausted, "too many attempts; try again later")
      : CertificateDesk.denial
  }

  /// Whoever is over its share does not fill the log as well.
  var logLevel: Logger.Level { self == .tooManyAttempts ? .debug : .warning }
}

extension AuthenticationFailure: CustomStringConvertible {
  var description: String {
    switch self {
    case .noCredentials: "neither a bearer token nor a client certificate"
    case .unknownToken: "the token is none of --token-file, and no issuer is set"
    case .malformedToken(let reason): "the token cannot be read: \(reason)"
    case .wrongIssuer(let issuer): "the token is from \(issuer), not from --oidc-issuer"
    case .wrongAudience(let audiences):
      "the token is for \(audiences.joined(separator: ", ")), not for --oidc-audience"
    case .expired(let time): "the token or certificate expired at \(time.timestamp)"
    case .notYetValid(let time): "the token is valid from \(time.timestamp) on"
    case .algorithmNotAllowed(let name): "the token is signed with \(name), which is not allowed"
    case .unknownKey(let identifier): "the issuer has no key \(identifier)"
    case .badSignature: "the token's signature is wrong"
    case .noKeys(let reason): "the issuer's keys are not at hand: \(reason)"
    case .refusedByReview:
      "the API server does not vouch for the token; is it of this cluster, not expired, and for "
        + "--token-audience?"
    case .noReview(let reason): "the token could not be reviewed: \(reason)"
    case .nodeUnknown(let subject):
      "\(subject) is a node agent's account, but its token names no node, nor a pod whose node is "
        + "known"
    case .notNode(let subject):
      "\(subject) is no service account, and does not begin with --oidc-node-prefix"
    case .unknownRoot: "the certificate leads to a root that is not trusted any more"
    case .revoked(0): "the certificate was taken back (--crl-file)"
    case .revoked(let place):
      "the authority \(place) above the certificate was taken back (--crl-file)"
    case .revocationsUnknown(let reason):
      "no client certificate is taken while --crl-file cannot be read: \(reason)"
    case .otherCaller(let caller): "what it showed is the proof of \(caller) now"
    case .unusableCertificate(let uris):
      "the certificate names no node of this trust domain: "
        + uris.joined(separator: ", ")
    case .tooManyAttempts: "too many attempts in vain from this address"
    }
  }
}

/// One way to prove who one is.
protocol Authenticator: Sendable {
  /// Who it is; nil when the peer shows nothing of this kind, so that another may know it.
  func caller(of peer: Peer, at now: WallTime) async throws(AuthenticationFailure) -> Caller?
}

/// Every way in force, in order.
struct Authentication: Sendable {
  let authenticators: [any Authenticator]
  private let attempts = Attempts()

  init(authenticators: [any Authenticator]) {
    self.authenticators = authenticators
  }

  /// Who calls; where it calls from has a share of attempts in vain.
  func caller(of peer: Peer, at now: WallTime) async throws(AuthenticationFailure) -> Caller {
    let source = Source(peer.address)
    guard attempts.begin(source, at: MonotonicClock.now()) else { throw .tooManyAttempts }
    let caller = try await proven(peer, at: now)
    attempts.succeeded(source)
    return caller
  }

  private func proven(
    _ peer: Peer, at now: WallTime
  ) async throws(AuthenticationFailure) -> Caller {
    for authenticator in authenticators {
      if let caller = try await authenticator.caller(of: peer, at: now) { return caller }
    }
    throw peer.bearerToken == nil && peer.certificate == nil ? .noCredentials : .unknownToken
  }

  /// Why what a peer showed at a time does not prove the same any more; nil while it does.
  ///
  /// Judged by the tokens, keys, roots and revocations of now, and the clock of then: a proof that
  /// ended by itself is another matter. What the API server said of a token rests on none of these.
  func objection(
    to caller: Caller, by peer: Peer, shownAt time: WallTime
  ) async -> AuthenticationFailure? {
    guard caller.proof != .tokenReview else { return nil }
    do throws(AuthenticationFailure) {
      let found = try await proven(peer, at: time)
      return found.role == caller.role ? nil : .otherCaller("\(found)")
    } catch {
      return error
    }
  }
}
