import COpenSSL
import Crypto
import FoundationEssentials
import TLS
import X509

/// OpenSSL without our rules, as another implementation would behave, or misbehave.
///
/// Safe because the objects live as long as the value and are used by one test alone.
@safe final class RawPeer {
  struct Manners {
    var isServer = false
    var versions = TLS1_3_VERSION...TLS1_3_VERSION
    /// The wire form of the ALPN list; nil sends no extension, and a server agrees to nothing.
    var protocols: [UInt8]? = [2, 0x68, 0x32]
    /// Leaf and key, DER; nil sends no certificate.
    var identity: (leaf: [UInt8], key: [UInt8])?
    var groups = "X25519:P-256"
    var tickets = 0
  }

  private let context: OpaquePointer
  private let session: OpaquePointer
  private let input: OpaquePointer
  private let output: OpaquePointer

  init(_ manners: Manners) throws {
    let made = unsafe SSL_CTX_new(manners.isServer ? TLS_server_method() : TLS_client_method())
    guard let context = unsafe made, let input = unsafe BIO_new(BIO_s_mem()),
      let output = unsafe BIO_new(BIO_s_mem())
    else { throw Failure.noMemory }
    unsafe self.context = context
    unsafe self.input = input
    unsafe self.output = output
    let range = manners.versions
    unsafe copenssl_protocol_versions(context, range.lowerBound, range.upperBound)
    unsafe copenssl_groups(context, manners.groups)
    unsafe SSL_CTX_set_num_tickets(context, manners.tickets)
    if let identity = manners.identity {
      let key = unsafe identity.key.withUnsafeBufferPointer { bytes in
        var cursor = bytes.baseAddress
        return unsafe d2i_AutoPrivateKey(nil, &cursor, bytes.count)
      }
      defer { unsafe EVP_PKEY_free(key) }
      unsafe SSL_CTX_use_certificate_ASN1(
        context, CInt(identity.leaf.count), identity.leaf)
      unsafe SSL_CTX_use_PrivateKey(context, key)
    }
    if manners.isServer {
      unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER) { _, _ in 1 }
      if manners.protocols != nil {
        unsafe SSL_CTX_set_alpn_select_cb(context, acceptFirstProtocol, nil)
      }
    } else if let protocols = manners.protocols {
      unsafe SSL_CTX_set_alpn_protos(context, protocols, CUnsignedInt(protocols.count))
    }
    guard let session = unsafe SSL_new(context) else { throw Failure.noMemory }
    unsafe self.session = session
    unsafe SSL_set_bio(session, input, output)
    if manners.isServer {
      unsafe SSL_set_accept_state(session)
    } else {
      unsafe SSL_set_connect_state(session)
    }
  }

  deinit {
    unsafe SSL_free(session)
    unsafe SSL_CTX_free(context)
  }

  enum Failure: Error { case noMemory }

  func deliver(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    _ = unsafe BIO_write(input, bytes, CInt(bytes.count))
  }

  func takeOutgoing() -> [UInt8] {
    let count = unsafe BIO_ctrl_pending(output)
    var bytes = [UInt8](repeating: 0, count: count)
    let taken = unsafe BIO_read(output, &bytes, CInt(count))
    return Array(bytes.prefix(max(Int(taken), 0)))
  }

  /// True when the handshake is done.
  @discardableResult
  func shake() -> Bool {
    ERR_clear_error()
    defer { noteAlert() }
    return unsafe SSL_do_handshake(session) == 1
  }

  @discardableResult
  func write(_ bytes: [UInt8]) -> Bool {
    unsafe SSL_write(session, bytes, CInt(bytes.count)) == CInt(bytes.count)
  }

  /// Nil at the end, on a failure and while nothing is there.
  func read() -> [UInt8]? {
    ERR_clear_error()
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = unsafe SSL_read(session, &bytes, CInt(bytes.count))
    noteAlert()
    return count > 0 ? Array(bytes.prefix(Int(count))) : nil
  }

  /// The number of the alert that came, if one did.
  private(set) var alert: Int?

  func readAlert() -> Int? {
    _ = read()
    return alert
  }

  private func noteAlert() {
    let number = Int(ERR_GET_REASON(ERR_peek_error())) - Int(SSL_AD_REASON_OFFSET)
    if number > 0 { alert = number }
  }

  func updateKeys(askingForMore: Bool) {
    unsafe SSL_key_update(
      session, askingForMore ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED)
    unsafe SSL_do_handshake(session)
  }

  func sendTicket() {
    unsafe SSL_new_session_ticket(session)
    unsafe SSL_do_handshake(session)
  }

  /// Shakes hands with `end` until neither says anything more.
  func connect(with end: End) {
    end.shake()
    for _ in 0..<20 {
      deliver(end.takeOutgoing())
      shake()
      let answer = takeOutgoing()
      end.deliver(answer)
      if !answer.isEmpty { end.shake() }
      if answer.isEmpty && end.pendingBytes == 0 { return }
    }
  }
}

private func acceptFirstProtocol(
  _ session: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ count: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?,
  _ offeredCount: CUnsignedInt, _ argument: UnsafeMutableRawPointer?
) -> CInt {
  guard let offered = unsafe offered, offeredCount > 1 else { return SSL_TLSEXT_ERR_NOACK }
  unsafe chosen?.pointee = offered + 1
  unsafe count?.pointee = offered[0]
  return SSL_TLSEXT_ERR_OK
}

extension TestAuthority {
  /// A leaf with a key that may leave, for a raw peer.
  func identity(_ uri: String) throws -> (leaf: [UInt8], key: [UInt8]) {
    let key = P256.Signing.PrivateKey()
    let leaf = try leaf(for: Certificate.PublicKey(key.publicKey), Wish(uri))
    return (leaf, Array(key.derRepresentation))
  }
}
