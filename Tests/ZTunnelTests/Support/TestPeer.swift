import AgentProtocol
import HBONE
import Linux
import MeshModel
import TLS

/// A peer of our own making that speaks TLS and HTTP/2 to an inbound listener, as it pleases.
final class TestPeer {
  private let stream: Stream
  private var session: TLSSession
  private var http2: HTTP2Connection
  private var incoming = Buffer()
  private var outgoing = Buffer()
  private var plain = Buffer()
  private var lastStream: StreamID?
  /// Of the last answer.
  private(set) var headers: [HeaderField] = []

  init(
    _ identity: SPIFFEID, from namespace: borrowing NetworkNamespace, to address: SocketAddress,
    expecting expected: SPIFFEID, _ authority: TestAuthority
  ) throws {
    let key = try PrivateKey()
    let request = SigningRequest(
      identity: identity, request: try key.signingRequest(for: identity))
    let issued = try authority.sign(request)
    let credentials = try Credentials(key: key, chain: issued.chain, roots: issued.roots)
    stream = try Stream.dial(address, in: namespace)
    // It may be of another trust domain, and does not mind.
    let known = Trust(bundles: [expected.trustDomain: try TrustBundle(roots: issued.roots)])
    session = try TLSSession(client: credentials, expecting: [expected], trust: known)
    http2 = HTTP2Connection(role: .client, at: MonotonicClock.now())
    while true {
      let result = session.handshake(from: &incoming, to: &outgoing)
      try flush()
      if result == .done { return }
      guard result == .needsMore else { throw Stream.Failure.reset }
      try fill()
    }
  }

  /// The status of the answer to a CONNECT.
  func connect(_ authority: String) throws -> UInt16 {
    guard let stream = http2.open(authority: authority, headers: []) else {
      throw Stream.Failure.reset
    }
    lastStream = stream
    try writeControl()
    while true {
      switch session.read(from: &incoming, into: &plain, atMost: 65_536, to: &outgoing) {
      case .bytes: if let status = try parse(stream) { return status }
      case .wantsMore: try fill()
      case .closed, .failed: throw Stream.Failure.reset
      }
    }
  }

  /// Opens a tunnel, sends the bytes, resets the stream without error.
  func sendAndReset(_ authority: String, _ bytes: [UInt8]) throws {
    guard try connect(authority) == 200, let stream = lastStream else { throw Stream.Failure.reset }
    var frames = Buffer()
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = rest.prefix(max(http2.sendCredit(stream), 1))
      let header = http2.writeDataHeader(stream, count: part.count, endStream: false)
      for index in header.indices { frames.append(header[index]) }
      frames.append(contentsOf: Array(part))
      rest = rest.dropFirst(part.count)
    }
    http2.reset(stream, .noError)
    http2.control.withBytes { frames.append($0) }
    http2.control.removeAll()
    while !frames.isEmpty { _ = session.write(from: &frames, to: &outgoing) }
    try flush()
  }

  /// A PING and a record nobody sealed, together; how the other side ends the session.
  func sendPingAndForgery() throws -> TLSFailure? {
    http2.ping(1)
    var frames = Buffer()
    http2.control.withBytes { frames.append($0) }
    http2.control.removeAll()
    _ = session.write(from: &frames, to: &outgoing)
    outgoing.append(contentsOf: [0x17, 3, 3, 0, 32] + [UInt8](repeating: 0xaa, count: 32))
    try flush()
    while true {
      switch session.read(from: &incoming, into: &plain, atMost: 65_536, to: &outgoing) {
      case .bytes: plain.removeAll()
      case .wantsMore: try fill()
      case .closed: return nil
      case .failed(let failure): return failure
      }
    }
  }

  /// Bytes that are no HTTP/2, over good TLS; throws when the connection ends, as it must.
  func sendNoise() throws {
    var bytes = Buffer()
    bytes.append(contentsOf: [UInt8](repeating: 0xff, count: 4_096))
    _ = session.write(from: &bytes, to: &outgoing)
    try flush()
    while true { try fill() }
  }

  private func parse(_ stream: StreamID) throws -> UInt16? {
    while true {
      let step = try plain.lend { try http2.receive($0, at: MonotonicClock.now()) }
      plain.consume(step.consumed)
      if case .response(stream, let response) = step.event {
        headers = response.headers
        return response.status
      }
      if case .reset(stream, _) = step.event { throw Stream.Failure.reset }
      if step.consumed == 0 && step.event == nil {
        try writeControl()
        return nil
      }
    }
  }

  private func writeControl() throws {
    var bytes = Buffer()
    http2.control.withBytes { bytes.append($0) }
    http2.control.removeAll()
    _ = session.write(from: &bytes, to: &outgoing)
    try flush()
  }

  private func flush() throws {
    let bytes = outgoing.lend { bytes in bytes.indices.map { bytes[$0] } }
    outgoing.removeAll()
    try stream.send(bytes)
  }

  private func fill() throws {
    let bytes = try stream.receive()
    guard !bytes.isEmpty else { throw Stream.Failure.reset }
    incoming.append(contentsOf: bytes)
  }
}

extension Buffer {
  /// Lends the readable bytes; for a buffer that is a class's property.
  func lend<Result>(_ body: (Span<UInt8>) throws -> Result) rethrows -> Result {
    try body(readable)
  }
}
