import AgentProtocol
import HBONE
import Linux
import MeshModel
import Synchronization
import TLS

/// A stand-in for whoever takes tunnels: a waypoint, or the entry of another network.
///
/// It keeps every request, and does with each what the test says.
final class TestTunnelServer: Sendable {
  struct Request: Sendable {
    var authority: String
    var headers: [HeaderField]
    var identity: SPIFFEID?
  }

  enum Answer: Sendable {
    /// Takes the tunnel and says every byte back.
    case echo
    /// Takes the tunnel and passes its bytes on over TCP.
    case bridge(SocketAddress, in: SharedNamespace)
    case status(UInt16)
    case reset(ErrorCode)
  }

  private let listener: TestServer
  private let seen: Requests

  var requests: [Request] { seen.all }

  init(
    _ identity: SPIFFEID, on address: SocketAddress, in namespace: borrowing NetworkNamespace,
    _ authority: TestAuthority, allowing streams: Int = 100,
    _ answer: @escaping @Sendable (Request) -> Answer
  ) throws {
    let credentials = try authority.credentials(for: identity)
    let seen = Requests()
    self.seen = seen
    listener = try TestServer(on: address, in: namespace) { stream, _ in
      try TestTunnelSession(stream, credentials, streams: streams) { request in
        seen.add(request)
        return answer(request)
      }.run()
    }
  }

  private final class Requests: Sendable {
    private let list = Mutex<[Request]>([])
    var all: [Request] { list.withLock { $0 } }
    func add(_ request: Request) { list.withLock { $0.append(request) } }
  }
}

/// One connection of a `TestTunnelServer`, on a thread of its own.
private final class TestTunnelSession {
  private let stream: Stream
  private var session: TLSSession
  private var http2: HTTP2Connection
  private var incoming = Buffer()
  private var outgoing = Buffer()
  private var plain = Buffer()
  private var bridges: [StreamID: Stream] = [:]
  private let answer: (TestTunnelServer.Request) -> TestTunnelServer.Answer

  init(
    _ stream: Stream, _ credentials: Credentials, streams: Int,
    _ answer: @escaping (TestTunnelServer.Request) -> TestTunnelServer.Answer
  ) throws {
    self.stream = stream
    session = try TLSSession(server: credentials)
    var settings = LocalSettings()
    settings.maxConcurrentStreams = streams
    http2 = HTTP2Connection(role: .server, settings: settings, at: MonotonicClock.now())
    self.answer = answer
  }

  /// Serves until the other side is gone.
  func run() throws {
    while true {
      if let bytes = try stream.receiveNow() {
        if bytes.isEmpty { return }
        incoming.append(contentsOf: bytes)
      }
      if !session.isEstablished {
        let result = session.handshake(from: &incoming, to: &outgoing)
        try flush()
        guard case .done = result else {
          try stream.pause()
          continue
        }
      }
      while case .bytes = session.read(
        from: &incoming, into: &plain, atMost: 65_536, to: &outgoing)
      {}
      try parse()
      for (id, bridge) in bridges {
        guard let bytes = try bridge.receiveNow() else { continue }
        send(bytes, on: id)
        if bytes.isEmpty { bridges[id] = nil }
      }
      try flush()
      try stream.pause()
    }
  }

  private func parse() throws {
    while true {
      let step = try plain.lend { try http2.receive($0, at: MonotonicClock.now()) }
      switch step.event {
      case .connectRequest(let id, let request): try take(id, request)
      case .data(let id, let offset, let count, let isEnd):
        let bytes = plain.lend { bytes in (offset..<(offset + count)).map { bytes[$0] } }
        http2.consumed(id, count: count)
        if let bridge = bridges[id] {
          try bridge.send(bytes)
          if isEnd { bridge.finishSending() }
        } else {
          send(bytes, on: id)
          if isEnd { send([], on: id) }
        }
      case .reset(let id, _):
        bridges.removeValue(forKey: id)?.reset()
        http2.closed(id)
      case .response, .windowOpened, .goAway, .pingAcknowledged, .peerSettings, nil: break
      }
      plain.consume(step.consumed)
      if step.consumed == 0 && step.event == nil { return }
    }
  }

  private func take(_ id: StreamID, _ request: ConnectRequest) throws {
    let answer = answer(
      .init(
        authority: request.authority, headers: request.headers, identity: session.peerIdentity))
    switch answer {
    case .echo: http2.respond(id, status: 200, headers: [], endStream: false)
    case .bridge(let address, let place):
      bridges[id] = try Stream.dial(address, in: place.namespace)
      http2.respond(id, status: 200, headers: [], endStream: false)
    case .status(let status): http2.respond(id, status: status, headers: [], endStream: true)
    case .reset(let code): http2.reset(id, code)
    }
  }

  /// No bytes: the end of the stream.
  private func send(_ bytes: [UInt8], on id: StreamID) {
    guard http2.canSend(id) else { return }
    takeControl()
    let header = http2.writeDataHeader(id, count: bytes.count, endStream: bytes.isEmpty)
    var frame = Buffer()
    for index in header.indices { frame.append(header[index]) }
    frame.append(contentsOf: bytes)
    seal(&frame)
  }

  private func takeControl() {
    var frames = Buffer()
    http2.control.withBytes { frames.append($0) }
    http2.control.removeAll()
    seal(&frames)
  }

  private func seal(_ bytes: inout Buffer) {
    while !bytes.isEmpty {
      guard case .failed = session.write(from: &bytes, to: &outgoing) else { continue }
      return
    }
  }

  private func flush() throws {
    if session.isEstablished { takeControl() }
    let bytes = outgoing.lend { bytes in bytes.indices.map { bytes[$0] } }
    outgoing.removeAll()
    try stream.send(bytes)
  }
}

extension Stream {
  /// What is there, empty at the end; nil when nothing is.
  fileprivate func receiveNow() throws -> [UInt8]? {
    do {
      return try receive(within: .zero)
    } catch Failure.timedOut {
      return nil
    }
  }

  fileprivate func pause() throws {
    var events: [PollEvent] = []
    try Poller().wait(timeout: .milliseconds(1), into: &events)
  }
}

/// A namespace for closures that outlive the call that lends it.
final class SharedNamespace: Sendable {
  let namespace: NetworkNamespace

  init(_ namespace: borrowing NetworkNamespace) throws {
    self.namespace = try namespace.duplicate()
  }
}

extension TestAuthority {
  /// A key of its own and a certificate for it.
  func credentials(for identity: SPIFFEID) throws -> Credentials {
    let key = try PrivateKey()
    let issued = try sign(
      SigningRequest(identity: identity, request: try key.signingRequest(for: identity)))
    return try Credentials(key: key, chain: issued.chain, roots: issued.roots)
  }
}
