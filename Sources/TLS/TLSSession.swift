import COpenSSL
public import Identity
public import Linux
public import MeshModel

/// One mutual TLS session, moved by whoever owns its bytes; belongs to one thread.
///
///     socket -> incoming -> read -> plaintext
///     socket <- outgoing <- write <- plaintext
///
/// `incoming` is always taken whole (a part of a record waits inside), unless `plaintext` is full:
/// one `incoming` may serve all sessions of a thread. Every call may append to `outgoing`
/// (handshake, alert, key update): send what is in it after each call, also after a failure.
///
/// Safe because the SSL object, its BIO and the exchange live exactly as long as the value, and the
/// buffers are lent to OpenSSL for the length of one call.
@safe public struct TLSSession: ~Copyable {
  private let pointer: OpaquePointer
  private let exchange: UnsafeMutablePointer<Exchange>
  private var hasSentClose = false
  private var hasReceivedClose = false

  /// Dials: the peer must prove one of the `expected` identities.
  public init(
    client credentials: Credentials, expecting expected: [SPIFFEID], trust: Trust = .own
  ) throws(TLSFailure) {
    try self.init(
      Exchange(credentials: credentials, trust: trust, role: .client, expected: expected))
  }

  /// Answers: the peer must prove an identity of our own trust domain, or of one that `trust` has
  /// a bundle of.
  public init(server credentials: Credentials, trust: Trust = .own) throws(TLSFailure) {
    try self.init(Exchange(credentials: credentials, trust: trust, role: .server, expected: []))
  }

  private init(_ value: consuming Exchange) throws(TLSFailure) {
    let role = value.role
    guard let pointer = unsafe SSL_new(value.credentials.context) else {
      throw .library(reason: Library.takeReason())
    }
    let exchange = UnsafeMutablePointer<Exchange>.allocate(capacity: 1)
    unsafe exchange.initialize(to: value)
    guard unsafe SSL_set_ex_data(pointer, 0, exchange) == 1,
      let bio = unsafe BufferBIO.make(for: exchange)
    else {
      unsafe SSL_free(pointer)
      unsafe exchange.deinitialize(count: 1).deallocate()
      throw .library(reason: Library.takeReason())
    }
    // One reference serves both directions.
    unsafe SSL_set_bio(pointer, bio, bio)
    switch role {
    case .client: unsafe SSL_set_connect_state(pointer)
    case .server: unsafe SSL_set_accept_state(pointer)
    }
    unsafe self.pointer = pointer
    unsafe self.exchange = unsafe exchange
  }

  deinit {
    unsafe SSL_free(pointer)
    unsafe exchange.deinitialize(count: 1).deallocate()
  }

  public var role: TLSRole { unsafe exchange.pointee.role }

  /// Both sides are proven and `read` and `write` may begin.
  ///
  /// A client gets here first: the server may still refuse its certificate, which `read` reports.
  public var isEstablished: Bool { unsafe exchange.pointee.isEstablished }

  /// The first failure; the session is over with it.
  public var failure: TLSFailure? { unsafe exchange.pointee.failure }

  /// The peer's leaf; nil until it is proven.
  public var peer: CertificateFacts? { unsafe exchange.pointee.peer }

  /// The peer's name, the first SPIFFE identity of its leaf; nil until it is proven.
  public var peerIdentity: SPIFFEID? { unsafe exchange.pointee.peer?.identity }

  /// The credentials this session began with.
  public var credentials: Credentials { unsafe exchange.pointee.credentials }

  var trust: Trust { unsafe exchange.pointee.trust }

  /// The peer's certificates from leaf to root, as they were proven; owned by the session.
  var verifiedChain: OpaquePointer? { unsafe SSL_get0_verified_chain(pointer) }
}

// MARK: Handshake

extension TLSSession {
  public enum Handshake: Equatable, Sendable {
    /// Established, now or before; `incoming` may hold the first records already.
    case done
    /// Send `outgoing`, then come again with more.
    case needsMore
    case failed(TLSFailure)
  }

  /// Goes on with the handshake; a client's first call needs nothing in `incoming`.
  public mutating func handshake(
    from incoming: inout Buffer, to outgoing: inout Buffer
  ) -> Handshake {
    if let failure { return .failed(failure) }
    if isEstablished { return .done }
    let result = run(&incoming, &outgoing) { unsafe SSL_do_handshake(pointer) }
    if let failure { return .failed(failure) }
    if result == 1 {
      guard unsafe isApplicationProtocolAgreed(pointer), peer != nil else {
        return .failed(fail(.noCommonApplicationProtocol))
      }
      unsafe exchange.pointee.isEstablished = true
      return .done
    }
    switch reason(after: result) {
    case .wantsMore: return .needsMore
    case .closed: return .failed(fail(.truncated(duringHandshake: true)))
    case .failed(let failure): return .failed(fail(failure))
    }
  }
}

// MARK: Bytes

extension TLSSession {
  public enum Read: Equatable, Sendable {
    /// So many bytes were appended to `plaintext`; call again until it says `wantsMore`.
    case bytes(Int)
    case wantsMore
    /// The peer ended its direction with close_notify; nothing more will come.
    case closed
    case failed(TLSFailure)
  }

  /// Appends the plaintext of all records at hand to `plaintext`, up to `limit` bytes.
  public mutating func read(
    from incoming: inout Buffer, into plaintext: inout Buffer, atMost limit: Int,
    to outgoing: inout Buffer
  ) -> Read {
    precondition(isEstablished || failure != nil, "read before the handshake is done")
    precondition(limit > 0, "read of at most \(limit) bytes")
    if let failure { return .failed(failure) }
    if hasReceivedClose { return .closed }
    plaintext.ensureFree(limit)
    var total = 0
    var end = Read.wantsMore
    while total < limit {
      var result: CInt = 0
      let count = run(&incoming, &outgoing) {
        var space = plaintext.free
        return unsafe space.withUnsafeMutableBytes { target in
          var count = 0
          result = unsafe SSL_read_ex(
            pointer, target.baseAddress, min(limit - total, target.count), &count)
          return count
        }
      }
      if failure != nil { break }
      guard result == 1 else {
        end = settle(result)
        break
      }
      plaintext.filled(count)
      total += count
    }
    unsafe exchange.pointee.didRead(total)
    // What was good before a failure is delivered; the next call reports the failure.
    if total > 0 { return .bytes(total) }
    return failure.map { .failed($0) } ?? end
  }

  /// What a read that gave nothing means for the session.
  private mutating func settle(_ result: CInt) -> Read {
    switch reason(after: result) {
    case .wantsMore: return .wantsMore
    case .closed:
      hasReceivedClose = true
      return .closed
    case .failed(let failure): return .failed(fail(failure))
    }
  }

  public enum Write: Equatable, Sendable {
    /// So many bytes are sealed, all that was given or `TLSLimit.bytesPerWrite`.
    case written(Int)
    case failed(TLSFailure)
  }

  /// Seals plaintext as records of up to 16 KiB.
  public mutating func write(_ plaintext: Span<UInt8>, to outgoing: inout Buffer) -> Write {
    precondition(isEstablished || failure != nil, "write before the handshake is done")
    if let failure { return .failed(failure) }
    if hasSentClose { return .failed(.closed) }
    let offered = min(plaintext.count, TLSLimit.bytesPerWrite)
    guard offered > 0 else { return .written(0) }
    let records = (offered + TLSLimit.bytesPerRecord - 1) / TLSLimit.bytesPerRecord
    outgoing.ensureFree(offered + records * TLSLimit.bytesAroundRecord)
    var nothing = Buffer(capacity: 0)
    var count = 0
    let result = run(&nothing, &outgoing) {
      unsafe plaintext.withUnsafeBytes { source in
        unsafe SSL_write_ex(pointer, source.baseAddress, offered, &count)
      }
    }
    if let failure { return .failed(failure) }
    guard result == 1 else {
      switch reason(after: result) {
      case .wantsMore, .closed: return .failed(fail(.library(reason: "a write asked to wait")))
      case .failed(let failure): return .failed(fail(failure))
      }
    }
    return .written(count)
  }

  /// Seals and consumes the front of `plaintext`, up to `TLSLimit.bytesPerWrite`.
  public mutating func write(from plaintext: inout Buffer, to outgoing: inout Buffer) -> Write {
    let result = write(plaintext.readable, to: &outgoing)
    if case .written(let count) = result { plaintext.consume(count) }
    return result
  }
}

// MARK: End

extension TLSSession {
  /// Says that nothing more will be written; reading may go on.
  ///
  /// Harmless when said twice.
  public mutating func closeNotify(to outgoing: inout Buffer) {
    guard failure == nil, isEstablished, !hasSentClose else { return }
    hasSentClose = true
    var nothing = Buffer(capacity: 0)
    _ = run(&nothing, &outgoing) { unsafe SSL_shutdown(pointer) }
    ERR_clear_error()
  }

  /// The transport ended: nil when the peer had said close_notify, else what that means.
  public mutating func transportEnded() -> TLSFailure? {
    if let failure { return failure }
    if hasReceivedClose { return nil }
    return fail(.truncated(duringHandshake: !isEstablished))
  }
}

// MARK: OpenSSL's answers

extension TLSSession {
  private enum Reason {
    case wantsMore
    case closed
    case failed(TLSFailure)
  }

  /// Lends the buffers to the BIO for one call.
  private func run<Result>(
    _ incoming: inout Buffer, _ outgoing: inout Buffer, _ body: () -> Result
  ) -> Result {
    ERR_clear_error()
    return unsafe withUnsafeMutablePointer(to: &incoming) { incoming in
      unsafe withUnsafeMutablePointer(to: &outgoing) { outgoing in
        unsafe exchange.pointee.incoming = unsafe incoming
        unsafe exchange.pointee.outgoing = unsafe outgoing
        defer {
          unsafe exchange.pointee.incoming = nil
          unsafe exchange.pointee.outgoing = nil
        }
        return body()
      }
    }
  }

  @discardableResult
  private func fail(_ failure: TLSFailure) -> TLSFailure {
    unsafe exchange.pointee.fail(failure)
    return self.failure ?? failure
  }

  private func reason(after result: CInt) -> Reason {
    switch unsafe SSL_get_error(pointer, result) {
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wantsMore
    case SSL_ERROR_ZERO_RETURN: return .closed
    case SSL_ERROR_SSL: return .failed(TLSFailure(openSSL: ERR_peek_error()))
    default: return .failed(.library(reason: Library.takeReason()))
    }
  }
}

extension TLSFailure {
  /// Reads the oldest entry of OpenSSL's queue and empties it.
  fileprivate init(openSSL code: CUnsignedLong) {
    let number = ERR_GET_REASON(code)
    // Alerts a peer sent are queued as 1000 plus their number.
    if number > SSL_AD_REASON_OFFSET, let alert = UInt8(exactly: number - SSL_AD_REASON_OFFSET) {
      ERR_clear_error()
      self = .alert(TLSAlert(number: alert))
      return
    }
    switch number {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .peerSentNoCertificate
    case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_WRONG_SSL_VERSION, SSL_R_VERSION_TOO_LOW,
      SSL_R_UNKNOWN_PROTOCOL:
      self = .protocolVersion
    case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_GROUPS,
      SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      self = .noCommonParameters
    default: self = .malformed(reason: Library.takeReason())
    }
    ERR_clear_error()
  }
}

extension TLSSession {
  /// The negotiated cipher suite's name in the registry; nil before there is one.
  public var cipherSuite: String? {
    guard let suite = unsafe SSL_get_current_cipher(pointer),
      let name = unsafe SSL_CIPHER_get_name(suite)
    else { return nil }
    return unsafe String(cString: name)
  }
}
