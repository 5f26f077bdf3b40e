import COpenSSL
import MeshModel

/// Validates the chain with OpenSSL, then the identity with our rules; 1 accepts.
///
/// The purpose (client or server), the depth and the trust bundle are in `store` already.
func verifyPeer(_ store: OpaquePointer?, _ argument: UnsafeMutableRawPointer?) -> CInt {
  let index = SSL_get_ex_data_X509_STORE_CTX_idx()
  guard let session = unsafe X509_STORE_CTX_get_ex_data(store, index) else { return 0 }
  let sessionPointer = OpaquePointer(session)
  let exchange = unsafe exchange(of: sessionPointer)
  let failure = unsafe verify(store, of: sessionPointer, exchange)
  guard let failure else { return 1 }
  unsafe exchange.pointee.fail(failure)
  return 0
}

private func verify(
  _ store: OpaquePointer?, of session: OpaquePointer, _ exchange: UnsafeMutablePointer<Exchange>
) -> TLSFailure? {
  guard let pointer = unsafe X509_STORE_CTX_get0_cert(store) else { return .peerSentNoCertificate }
  let leaf = unsafe ParsedCertificate(sharing: pointer)
  let role = unsafe exchange.pointee.role
  let trust = unsafe exchange.pointee.trust
  let own = unsafe exchange.pointee.credentials.identity.trustDomain
  if case .unknown(let reason) = trust.revocations {
    unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED)
    return .revocationsUnknown(reason: reason)
  }
  let bundle = leaf.identities.first.flatMap { name in
    name.trustDomain == own ? nil : trust.bundles[name.trustDomain]
  }
  if let bundle {
    // From here on these are the only roots, not those of our own domain.
    unsafe X509_STORE_CTX_set0_trusted_stack(store, bundle.certificates)
  }
  guard unsafe X509_verify_cert(store) == 1 else {
    let fault = unsafe ChainFault(
      code: X509_STORE_CTX_get_error(store), depth: Int(X509_STORE_CTX_get_error_depth(store)))
    return failure(fault, leaf, role.other)
  }
  if let failure = unsafe trust.failure(ofChain: X509_STORE_CTX_get0_chain(store)) {
    unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REVOKED)
    return failure
  }
  guard !leaf.maySign else {
    unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE)
    return .unsuitableCertificate(leaf.identities.first, role: role.other)
  }
  // OpenSSL turns this into the alert bad_certificate, should we return a failure from here on.
  unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH)
  if role == .client, unsafe !isApplicationProtocolAgreed(session) {
    return .noCommonApplicationProtocol
  }
  let failure = unsafe PeerRule.failure(
    identities: leaf.identities, uris: leaf.uris, role: role, expected: exchange.pointee.expected,
    trustDomain: own, isOtherDomainKnown: bundle != nil)
  if let failure { return failure }
  unsafe X509_STORE_CTX_set_error(store, X509_V_OK)
  unsafe exchange.pointee.peer = leaf.facts
  return nil
}

/// What OpenSSL found wrong, and how far above the leaf.
private struct ChainFault {
  var code: CInt
  var depth: Int
}

/// Words for a chain that OpenSSL refuses.
private func failure(
  _ fault: ChainFault, _ leaf: borrowing ParsedCertificate, _ peer: TLSRole
) -> TLSFailure {
  let identity = leaf.identities.first
  switch fault.code {
  case X509_V_ERR_CERT_HAS_EXPIRED where fault.depth == 0:
    return .certificateExpired(identity, notAfter: leaf.notAfter)
  case X509_V_ERR_CERT_NOT_YET_VALID where fault.depth == 0:
    return .certificateNotYetValid(identity, notBefore: leaf.notBefore)
  case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
    X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_CERT_UNTRUSTED:
    return .unknownRoot(identity)
  case X509_V_ERR_INVALID_PURPOSE where fault.depth == 0:
    return .unsuitableCertificate(identity, role: peer)
  case X509_V_ERR_CERT_CHAIN_TOO_LONG:
    return .chainTooLong(intermediates: TLSLimit.intermediates)
  default:
    break
  }
  let place = fault.depth == 0 ? "leaf" : "certificate \(fault.depth) above the leaf"
  guard let text = unsafe X509_verify_cert_error_string(Int(fault.code)) else {
    return .invalidChain(reason: "\(place): code \(fault.code)")
  }
  return .invalidChain(reason: unsafe "\(place): \(String(cString: text))")
}

/// Refuses a client that offers no application protocol at all; OpenSSL would not ask us.
func inspectClientHello(
  _ session: OpaquePointer?, _ alert: UnsafeMutablePointer<CInt>?,
  _ argument: UnsafeMutableRawPointer?
) -> CInt {
  let kind = CUnsignedInt(TLSEXT_TYPE_application_layer_protocol_negotiation)
  if unsafe SSL_client_hello_get0_ext(session, kind, nil, nil) == 1 {
    return SSL_CLIENT_HELLO_SUCCESS
  }
  unsafe exchange(of: session).pointee.fail(.noCommonApplicationProtocol)
  unsafe alert?.pointee = SSL_AD_NO_APPLICATION_PROTOCOL
  return SSL_CLIENT_HELLO_ERROR
}

/// Chooses `h2` from the client's list or refuses.
func selectApplicationProtocol(
  _ session: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ chosenCount: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?,
  _ offeredCount: CUnsignedInt, _ argument: UnsafeMutableRawPointer?
) -> CInt {
  let list = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredCount))
  var start = 0
  while start < list.count {
    let count = unsafe Int(list[start])
    guard start + 1 + count <= list.count else { break }
    if count == 2, unsafe list[start + 1] == UInt8(ascii: "h"),
      unsafe list[start + 2] == UInt8(ascii: "2")
    {
      unsafe chosen?.pointee = offered?.advanced(by: start + 1)
      unsafe chosenCount?.pointee = 2
      return SSL_TLSEXT_ERR_OK
    }
    start += 1 + count
  }
  unsafe exchange(of: session).pointee.fail(.noCommonApplicationProtocol)
  return SSL_TLSEXT_ERR_ALERT_FATAL
}

/// Whether the session agreed on `h2`.
func isApplicationProtocolAgreed(_ session: OpaquePointer) -> Bool {
  var name: UnsafePointer<UInt8>?
  var count: CUnsignedInt = 0
  unsafe SSL_get0_alpn_selected(session, &name, &count)
  guard let name = unsafe name, count == 2 else { return false }
  return unsafe name[0] == UInt8(ascii: "h") && name[1] == UInt8(ascii: "2")
}

/// Counts what a peer may send without end once the handshake is over.
func countMessage(
  _ isOutgoing: CInt, _ version: CInt, _ contentType: CInt, _ message: UnsafeRawPointer?,
  _ byteCount: Int, _ session: OpaquePointer?, _ argument: UnsafeMutableRawPointer?
) {
  guard isOutgoing == 0, contentType == SSL3_RT_HANDSHAKE, byteCount > 0 else { return }
  let exchange = unsafe exchange(of: session)
  guard unsafe exchange.pointee.isEstablished else { return }
  unsafe exchange.pointee.didReceiveMessage()
  guard unsafe exchange.pointee.failure != nil else { return }
  // A callback cannot refuse; a session that has been shut down looks at no further record.
  unsafe SSL_set_shutdown(session, SSL_RECEIVED_SHUTDOWN | SSL_SENT_SHUTDOWN)
}
