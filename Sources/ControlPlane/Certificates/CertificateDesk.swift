import CertificateAuthority
import ControlAPI
import Identity
import IstioAPI
import Linux
import Logging
import MeshModel
import SwiftProtobuf

/// Answers requests for certificates.
///
/// Who asks is proven, a node asks only for pods that are placed on it, and a workload for itself.
/// The peer is not told why it was refused; our log is.
struct CertificateDesk: CertificateEndpoint {
  let authentication: Authentication
  let signer: Signer
  let publisher: Publisher
  let trustDomain: String
  let lifetimes: LifetimeRule
  let counters: Counters
  private let allowance = CertificateAllowance()
  private let logger = Logger(label: "certificates")

  init(
    authentication: Authentication, signer: Signer, publisher: Publisher, trustDomain: String,
    lifetimes: LifetimeRule, counters: Counters
  ) {
    self.authentication = authentication
    self.signer = signer
    self.publisher = publisher
    self.trustDomain = trustDomain
    self.lifetimes = lifetimes
    self.counters = counters
  }

  /// What a peer hears that is not, or may not be, who it says.
  static let denial = CallStatus(.unauthenticated, "request authenticate failure")

  /// Nothing that callers share is taken before it is clear who is asking.
  func session(for peer: Peer) async throws(CallStatus) -> any CertificateSession {
    let caller = try await caller(of: peer)
    guard allowance.take(caller, at: MonotonicClock.now()) else {
      counters.certificate(.tooFast)
      throw CallStatus(.resourceExhausted, "too many requests for certificates; try again later")
    }
    return Session(desk: self, caller: caller, peer: peer)
  }

  private func caller(of peer: Peer) async throws(CallStatus) -> Caller {
    do throws(AuthenticationFailure) {
      return try await authentication.caller(of: peer, at: WallClock.now())
    } catch {
      counters.certificate(error == .tooManyAttempts ? .tooFast : .unauthenticated)
      counters.authenticationFailed(error.label)
      logger.log(
        level: error.logLevel, "certificate refused",
        metadata: ["peer": "\(peer.address)", "reason": "\(error)"])
      throw error.status
    }
  }

  private struct Session: CertificateSession {
    let desk: CertificateDesk
    let caller: Caller
    let peer: Peer

    func createCertificate(
      _ request: Istio_V1_Auth_IstioCertificateRequest
    ) async throws(CallStatus) -> [String] {
      do throws(CertificateRefusal) {
        return try await desk.answer(request, caller)
      } catch {
        desk.counters.certificate(error.result)
        desk.logger.warning(
          "certificate refused",
          metadata: [
            "peer": "\(peer.address)", "caller": "\(caller)", "reason": "\(error)",
          ])
        throw error.status
      }
    }
  }

  private func answer(
    _ request: Istio_V1_Auth_IstioCertificateRequest, _ caller: Caller
  ) async throws(CertificateRefusal) -> [String] {
    let identity = try identity(asked: request.metadata, by: caller)
    guard let lifetime = lifetimes.lifetime(asked: request.validityDuration) else {
      throw .lifetime(asked: request.validityDuration, most: lifetimes.most)
    }
    do throws(SigningError) {
      let signed = try await signer.sign(
        try signingRequest(inPEM: request.csr), for: identity, lifetime: lifetime)
      counters.certificate(.issued)
      logger.info(
        "certificate issued",
        metadata: [
          "caller": "\(caller)", "identity": "\(identity)",
          "serial": "\(signed.facts.serialNumber)",
        ])
      return Signer.answer(signed)
    } catch {
      throw .signing(error)
    }
  }

  /// The identity to sign for, once the caller may have it.
  private func identity(
    asked metadata: Google_Protobuf_Struct, by caller: Caller
  ) throws(CertificateRefusal) -> SPIFFEID {
    let asked = metadata.fields["ImpersonatedIdentity"]?.stringValue ?? ""
    let identity: SPIFFEID?
    do throws(SPIFFEID.ParseError) {
      identity = asked.isEmpty ? nil : try SPIFFEID(parsing: asked)
    } catch {
      throw .notIdentity(String(asked.prefix(256)))
    }
    switch caller.role {
    case .workload(let own):
      guard identity == nil || identity == own else { throw .notOwn(asked) }
      return own
    case .node(let node):
      guard let identity else { throw .nobodyNamed }
      guard identity.trustDomain == trustDomain else { throw .otherTrustDomain(asked) }
      guard let placements = publisher.current?.placements,
        placements.allows(identity, on: node)
      else { throw .notOnNode(asked, node) }
      return identity
    }
  }
}

/// Why there is no certificate.
enum CertificateRefusal: Error, Hashable {
  case notIdentity(String)
  case nobodyNamed
  case notOwn(String)
  case otherTrustDomain(String)
  /// The caller is told no more than that it is not let in: a pod may only just be known.
  case notOnNode(String, String)
  case lifetime(asked: Int64, most: Duration)
  case signing(SigningError)
}

extension CertificateRefusal: CustomStringConvertible {
  var description: String {
    switch self {
    case .notIdentity(let text): "expected a SPIFFE id in ImpersonatedIdentity, not \"\(text)\""
    case .nobodyNamed: "ImpersonatedIdentity is missing: a node asks for one of its pods"
    case .notOwn(let text): "a workload gets its own identity only, not \(text)"
    case .otherTrustDomain(let text): "\(text) is of another trust domain"
    case .notOnNode(let text, let node): "no pod on node \(node) has the identity \(text)"
    case .lifetime(let asked, let most):
      "a lifetime of \(asked) s is more than \(most.components.seconds) s, the most there is"
    case .signing(let error): "\(error)"
    }
  }

  var status: CallStatus {
    switch self {
    case .notIdentity, .nobodyNamed, .lifetime: CallStatus(.invalidArgument, description)
    case .notOwn, .otherTrustDomain, .notOnNode: CertificateDesk.denial
    case .signing(.authorityNotValid), .signing(.library):
      CallStatus(.internalError, "the authority cannot sign")
    case .signing: CallStatus(.invalidArgument, description)
    }
  }

  var result: Counters.CertificateResult {
    switch self {
    case .notIdentity, .nobodyNamed, .lifetime: .invalid
    case .notOwn, .otherTrustDomain, .notOnNode: .denied
    case .signing(.authorityNotValid), .signing(.library): .failed
    case .signing: .invalid
    }
  }
}
