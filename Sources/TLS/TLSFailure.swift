public import MeshModel

/// Why a session ended or never began; the alert, if one is due, is in `outgoing` already.
public enum TLSFailure: Error, Hashable, Sendable {
  case peerSentNoCertificate
  case certificateExpired(SPIFFEID?, notAfter: WallTime)
  case certificateNotYetValid(SPIFFEID?, notBefore: WallTime)
  /// The chain ends at nothing in our trust bundle.
  case unknownRoot(SPIFFEID?)
  /// The leaf may not be used in the peer's role (extended key usage, key usage).
  case unsuitableCertificate(SPIFFEID?, role: TLSRole)
  case chainTooLong(intermediates: Int)
  /// An authority took it back: the leaf (place 0) or a certificate so many above it.
  case certificateRevoked(SPIFFEID?, serialNumber: String, place: Int)
  /// Revocations are asked for, and there are none to go by.
  case revocationsUnknown(reason: String)
  /// Any other fault of the chain, in OpenSSL's words.
  case invalidChain(reason: String)
  /// No URI of the certificate is a SPIFFE identity; at most four of its URIs, for the log.
  case noIdentity(found: [String])
  /// Of a trust domain that is neither ours nor one we have a bundle of.
  case otherTrustDomain(expected: String, found: SPIFFEID)
  /// A server that is not who we dialled.
  case unexpectedIdentity(expected: [SPIFFEID], found: [SPIFFEID])
  /// The peer does not speak HTTP/2 over TLS (ALPN `h2`).
  case noCommonApplicationProtocol
  /// The peer does not speak TLS 1.3.
  case protocolVersion
  /// No cipher suite, group or signature algorithm in common.
  case noCommonParameters
  /// The peer refused us.
  case alert(TLSAlert)
  /// What came is not TLS, or breaks its rules.
  case malformed(reason: String)
  case handshakeTooLarge(bytes: Int)
  /// Key updates or tickets without end.
  case messageFlood
  /// The transport ended without the peer's close_notify: what was received may be cut short.
  case truncated(duringHandshake: Bool)
  /// Writing after our own close_notify, or after the session failed.
  case closed
  /// OpenSSL could not do its part (out of memory, a bug); its reason.
  case library(reason: String)
}

public enum TLSRole: String, Hashable, Sendable {
  case client
  case server

  var other: Self { self == .client ? .server : .client }
}

/// An alert a peer sent, by its number in the registry.
///
/// Source: RFC 8446, section 6.
public struct TLSAlert: Hashable, Sendable {
  public let number: UInt8

  public init(number: UInt8) {
    self.number = number
  }
}

extension TLSAlert {
  /// The peer says that our certificate was taken back.
  public var isRevocation: Bool { number == 44 }
}

extension TLSAlert: CustomStringConvertible {
  public var description: String {
    switch number {
    case 0: "close_notify"
    case 10: "unexpected_message"
    case 20: "bad_record_mac"
    case 22: "record_overflow"
    case 40: "handshake_failure"
    case 42: "bad_certificate"
    case 43: "unsupported_certificate"
    case 44: "certificate_revoked"
    case 45: "certificate_expired"
    case 46: "certificate_unknown"
    case 47: "illegal_parameter"
    case 48: "unknown_ca"
    case 49: "access_denied"
    case 50: "decode_error"
    case 51: "decrypt_error"
    case 70: "protocol_version"
    case 71: "insufficient_security"
    case 80: "internal_error"
    case 86: "inappropriate_fallback"
    case 90: "user_canceled"
    case 109: "missing_extension"
    case 110: "unsupported_extension"
    case 112: "unrecognized_name"
    case 116: "certificate_required"
    case 120: "no_application_protocol"
    default: "alert \(number)"
    }
  }
}

extension TLSFailure: CustomStringConvertible {
  /// What happened and what to look at next, for an operator.
  public var description: String {
    switch self {
    case .peerSentNoCertificate:
      "the peer sent no certificate: it is not a mesh member or has not been issued one yet"
    case .certificateExpired(let who, let notAfter):
      "the peer's certificate\(of(who)) expired at \(stamp(notAfter)): "
        + "look at its node's rotation and both clocks"
    case .certificateNotYetValid(let who, let notBefore):
      "the peer's certificate\(of(who)) is not valid before \(stamp(notBefore)): compare the clocks"
    case .unknownRoot(let who):
      "the peer's certificate\(of(who)) comes from a root we do not trust: compare the CA roots"
    case .unsuitableCertificate(let who, let role):
      "the peer's certificate\(of(who)) may not be used by a \(role.rawValue): "
        + "look at its key usage"
    case .chainTooLong(let count):
      "the peer's certificate chain has more than \(count) intermediates"
    case .certificateRevoked(let who, let serialNumber, let place):
      "the peer's certificate\(of(who)) is revoked"
        + (place == 0 ? "" : " with the authority \(place) above it") + ": serial \(serialNumber)"
    case .revocationsUnknown(let reason):
      "nobody is let in while revocations cannot be read: \(reason)"
    case .invalidChain(let reason): "the peer's certificate chain is not valid: \(reason)"
    case .noIdentity(let found):
      "the peer's certificate has no SPIFFE identity, only [\(found.joined(separator: ", "))]"
    case .otherTrustDomain(let expected, let found):
      "the peer is \(found), but the trust domain here is \(expected): "
        + "no bundle of the other one is configured"
    case .unexpectedIdentity(let expected, let found):
      "expected \(list(expected)), but the peer is \(list(found)): "
        + "another workload may have this address now"
    case .noCommonApplicationProtocol: "the peer does not offer ALPN h2: it does not speak HBONE"
    case .protocolVersion: "the peer does not speak TLS 1.3"
    case .noCommonParameters: "no TLS cipher suite, group or signature algorithm in common"
    case .alert(let alert): "the peer refused: TLS alert \(alert)\(hint(alert))"
    case .malformed(let reason): "the peer broke the TLS protocol: \(reason)"
    case .handshakeTooLarge(let bytes): "the peer's handshake exceeds \(bytes) bytes"
    case .messageFlood: "the peer floods with key updates or tickets"
    case .truncated(duringHandshake: true): "the peer hung up during the TLS handshake"
    case .truncated(duringHandshake: false): "the peer hung up without ending its TLS session"
    case .closed: "the TLS session is over"
    case .library(let reason): "OpenSSL failed: \(reason)"
    }
  }

  /// A constant word per case, for metric labels.
  public var label: String {
    switch self {
    case .peerSentNoCertificate: "no_certificate"
    case .certificateExpired: "expired"
    case .certificateNotYetValid: "not_yet_valid"
    case .unknownRoot: "unknown_root"
    case .unsuitableCertificate: "unsuitable_certificate"
    case .chainTooLong, .invalidChain: "invalid_chain"
    case .certificateRevoked: "revoked"
    case .revocationsUnknown: "revocations_unknown"
    case .noIdentity: "no_identity"
    case .otherTrustDomain: "other_trust_domain"
    case .unexpectedIdentity: "unexpected_identity"
    case .noCommonApplicationProtocol: "no_alpn"
    case .protocolVersion: "protocol_version"
    case .noCommonParameters: "no_common_parameters"
    case .alert: "alert"
    case .malformed: "malformed"
    case .handshakeTooLarge, .messageFlood: "abuse"
    case .truncated: "truncated"
    case .closed: "closed"
    case .library: "library"
    }
  }

  private func of(_ identity: SPIFFEID?) -> String { identity.map { " for \($0)" } ?? "" }

  private func list(_ identities: [SPIFFEID]) -> String {
    identities.map(\.description).joined(separator: " or ")
  }

  private func stamp(_ time: WallTime) -> String { "\(Int64(time.secondsSinceEpoch)) (Unix time)" }

  private func hint(_ alert: TLSAlert) -> String {
    switch alert.number {
    case 42: " (it does not accept our identity)"
    case 44: " (our certificate has been revoked)"
    case 45: " (our certificate has expired for it: compare the clocks)"
    case 48: " (it does not trust our root)"
    case 116: " (it wants a certificate)"
    case 120: " (it does not speak h2)"
    default: ""
    }
  }
}
