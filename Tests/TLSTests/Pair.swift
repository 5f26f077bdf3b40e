import Identity
import Linux
import MeshModel
import TLS

/// One end of a session with its buffers.
final class End {
  var session: TLSSession
  var incoming = Buffer(capacity: 0)
  var outgoing = Buffer(capacity: 0)
  var plaintext = Buffer(capacity: 0)
  /// The last answer of the handshake.
  var handshake = TLSSession.Handshake.needsMore

  init(_ session: consuming TLSSession) {
    self.session = session
  }

  convenience init(client credentials: Credentials, expecting expected: [String]) throws {
    self.init(try TLSSession(client: credentials, expecting: expected.map(id)))
  }

  convenience init(server credentials: Credentials) throws {
    self.init(try TLSSession(server: credentials))
  }

  func shake() {
    handshake = session.handshake(from: &incoming, to: &outgoing)
  }

  func read(atMost limit: Int = 128 * 1024) -> TLSSession.Read {
    session.read(from: &incoming, into: &plaintext, atMost: limit, to: &outgoing)
  }

  func write(_ bytes: [UInt8]) -> TLSSession.Write {
    session.write(bytes.span, to: &outgoing)
  }

  func releaseBuffers() {
    incoming.release()
    outgoing.release()
    plaintext.release()
  }

  func writePlaintext() -> TLSSession.Write {
    session.write(from: &plaintext, to: &outgoing)
  }

  var pendingBytes: Int { outgoing.count }
  var unreadBytes: Int { incoming.count }

  func closeNotify() { session.closeNotify(to: &outgoing) }

  func takeOutgoing() -> [UInt8] {
    take(&outgoing)
  }

  func takePlaintext() -> [UInt8] {
    take(&plaintext)
  }

  private func take(_ buffer: inout Buffer) -> [UInt8] {
    let bytes = unsafe buffer.readable.withUnsafeBufferPointer { unsafe Array($0) }
    buffer.consume(bytes.count)
    return bytes
  }

  func deliver(_ bytes: [UInt8]) { incoming.append(contentsOf: bytes) }

  var peerIdentity: SPIFFEID? { session.peerIdentity }
  var failure: TLSFailure? { session.failure }
}

/// A client and a server over a wire that delivers in pieces of at most `piece` bytes.
struct Pair {
  let client: End
  let server: End
  var piece = Int.max

  init(_ client: End, _ server: End, piece: Int = .max) {
    self.client = client
    self.server = server
    self.piece = piece
  }

  init(client: Credentials, expecting: [String], server: Credentials, piece: Int = .max) throws {
    self.init(
      try End(client: client, expecting: expecting), try End(server: server), piece: piece)
  }

  /// Two members of one mesh that expect each other.
  init(_ authority: TestAuthority, piece: Int = .max) throws {
    try self.init(
      client: authority.credentials(Name.alice), expecting: [Name.bob],
      server: authority.credentials(Name.bob), piece: piece)
  }

  /// Shakes hands until nobody has anything more to say.
  func connect(limit: Int = 100_000) {
    client.shake()
    for _ in 0..<limit {
      let sent = carry(client, to: server)
      if sent { server.shake() }
      let answered = carry(server, to: client)
      if answered { client.shake() }
      if !sent && !answered { return }
    }
  }

  /// Moves one piece; false when there is none.
  @discardableResult
  func carry(_ from: End, to: End) -> Bool {
    let count = min(from.outgoing.count, piece)
    guard count > 0 else { return false }
    to.incoming.append(from.outgoing.readable.extracting(0..<count))
    from.outgoing.consume(count)
    return true
  }

  func carryAll(_ from: End, to: End) {
    while carry(from, to: to) {}
  }
}
