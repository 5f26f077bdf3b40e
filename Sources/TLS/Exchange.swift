import COpenSSL
import Identity
import Linux
import MeshModel

/// What OpenSSL's callbacks need of one session; lives at one address as long as its SSL object.
///
/// Safe because the buffers are set and cleared by `TLSSession.run`, around one call.
@safe struct Exchange: ~Copyable {
  /// The caller's buffers, during a call only.
  var incoming: UnsafeMutablePointer<Buffer>?
  var outgoing: UnsafeMutablePointer<Buffer>?
  let credentials: Credentials
  let trust: Trust
  let role: TLSRole
  /// The identities a client accepts; empty for a server.
  let expected: [SPIFFEID]
  var peer: CertificateFacts?
  var failure: TLSFailure?
  var isEstablished = false
  var handshakeBytes = 0
  /// Messages a peer may still send after the handshake before it must send plaintext.
  var messageCredit = TLSLimit.messagesInAdvance
  var unpaidBytes = 0

  init(credentials: Credentials, trust: Trust, role: TLSRole, expected: [SPIFFEID]) {
    unsafe incoming = nil
    unsafe outgoing = nil
    self.credentials = credentials
    self.trust = trust
    self.role = role
    self.expected = expected
  }

  /// The first failure stays: what comes after it is its consequence.
  mutating func fail(_ failure: TLSFailure) {
    if self.failure == nil { self.failure = failure }
  }

  mutating func didRead(_ byteCount: Int) {
    unpaidBytes += byteCount
    guard unpaidBytes >= TLSLimit.bytesPerMessage else { return }
    let earned = unpaidBytes / TLSLimit.bytesPerMessage
    unpaidBytes %= TLSLimit.bytesPerMessage
    messageCredit = min(messageCredit + earned, TLSLimit.messagesInAdvance)
  }

  mutating func didReceiveMessage() {
    messageCredit -= 1
    if messageCredit < 0 { fail(.messageFlood) }
  }
}

/// The session's exchange behind an SSL object, put there by `TLSSession.init`.
func exchange(of session: OpaquePointer?) -> UnsafeMutablePointer<Exchange> {
  guard let exchange = unsafe SSL_get_ex_data(session, 0) else {
    preconditionFailure("an SSL object without its exchange")
  }
  return unsafe exchange.assumingMemoryBound(to: Exchange.self)
}
