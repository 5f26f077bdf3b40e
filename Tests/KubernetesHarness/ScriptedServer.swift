import CertificateAuthority
package import KubernetesClient
import Linux
import MeshModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// An API server that says what a script tells it to, byte by byte if need be, over TLS.
package final class ScriptedServer: Sendable {
  package struct Request: Sendable {
    /// Counted from 1, over all connections.
    package var number: Int
    package var method: String
    package var path: String
    /// Path and query as they came.
    package var target = ""
    package var query: [String: String]
    package var headers: [String: String]
    package var body: String

    package var isWatch: Bool { query["watch"] == "1" }
    package var bearer: String? {
      headers["authorization"].map { String($0.dropFirst("Bearer ".count)) }
    }
  }

  package enum Piece: Sendable {
    /// A whole answer.
    case answer(Int, String, headers: [String: String] = [:])
    /// The beginning of an answer of unknown length.
    case stream
    /// A line of such an answer.
    case line(String)
    /// Bytes of such an answer.
    case bytes([UInt8])
    /// Bytes as they are.
    case raw([UInt8])
    /// The end of such an answer.
    case end
    case pause(milliseconds: Int64)
    case close
    /// From here on whatever the feed is given.
    case feed(Feed)

    package static func ok(_ json: String) -> Piece { .answer(200, json) }
  }

  package typealias Script = @Sendable (Request) -> [Piece]

  private struct State {
    var requests: [Request] = []
    /// What new connections are shown.
    var credentials: NIOSSLContext
  }

  package let configuration: ClusterConfiguration
  private let name: String
  private let state: Mutex<State>
  private let script: Script

  private init(
    configuration: ClusterConfiguration, name: String, credentials: NIOSSLContext,
    script: @escaping Script
  ) {
    self.configuration = configuration
    self.name = name
    self.script = script
    state = Mutex(State(credentials: credentials))
  }

  /// Shows a certificate of another authority to new connections, and gives its root, PEM.
  package func changeAuthority() throws -> [UInt8] {
    let (root, credentials) = try Self.credentials(for: name)
    state.withLock { $0.credentials = credentials }
    return root
  }

  private static func credentials(for name: String) throws -> (root: [UInt8], NIOSSLContext) {
    let now = WallClock.now()
    let texts = try AuthorityTexts.made(
      place: "test", trustDomain: "cluster.local", now: now)
    let authority = try CertificateAuthority(texts, trustDomain: "cluster.local", now: now)
    let own = try authority.servingCertificate(for: [name], lifetime: .seconds(3_600), now: now)
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: try NIOSSLCertificate.fromPEMBytes(Array(own.chain.utf8))
        .map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(own.key.utf8), format: .pem)))
    tls.minimumTLSVersion = .tlsv12
    return (Array(texts.certificate.utf8), try NIOSSLContext(configuration: tls))
  }

  package var requests: [Request] { state.withLock(\.requests) }

  package struct Options {
    /// What its certificate says.
    package var name = "127.0.0.1"
    package var credentials = ClusterConfiguration.Credentials.token("token-1")
    /// The network namespace it listens in; nil: ours.
    package var namespacePath: String?

    package init() {}
  }

  package static func run(
    _ options: Options = Options(), _ script: @escaping Script,
    _ body: (ScriptedServer) async throws -> Void
  ) async throws {
    let (root, credentials) = try credentials(for: options.name)
    let holder = Mutex<ScriptedServer?>(nil)
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let server = holder.withLock({ $0 }) else { return }
          let context = server.state.withLock(\.credentials)
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(NIOSSLServerHandler(context: context))
          try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
          try pipeline.addHandler(Connection(server))
        }
      }
    let channel = try await bootstrap.listening(in: options.namespacePath)
    let server = ScriptedServer(
      configuration: ClusterConfiguration(
        server: "https://127.0.0.1:\(channel.localAddress?.port ?? 0)", authority: root,
        credentials: options.credentials),
      name: options.name, credentials: credentials, script: script)
    holder.withLock { $0 = server }
    do {
      try await body(server)
    } catch {
      try await channel.close()
      throw error
    }
    try await channel.close()
  }

  /// Runs `body` with a client of this server.
  package func client(
    _ timing: KubernetesClient.Timing = KubernetesClient.Timing(),
    _ body: (KubernetesClient) async throws -> Void
  ) async throws {
    let client = try KubernetesClient(configuration, timing: timing)
    do {
      try await body(client)
    } catch {
      await client.shutDown()
      throw error
    }
    await client.shutDown()
  }

  fileprivate func pieces(for request: Request) -> [Piece] {
    let numbered = state.withLock { state in
      var request = request
      request.number = state.requests.count + 1
      state.requests.append(request)
      return request
    }
    return script(numbered)
  }
}

/// Lines for a watch that runs, from outside the script.
package final class Feed: Sendable {
  private struct State {
    var channel: (any Channel)?
    var waiting: [String] = []
  }

  private let state = Mutex(State())

  package init() {}

  package var isAttached: Bool { state.withLock { $0.channel != nil } }

  package func send(_ line: String) {
    state.withLock { state in
      guard let channel = state.channel else {
        state.waiting.append(line)
        return
      }
      channel.writeAndFlush(chunk(Array(line.utf8) + [0x0a]), promise: nil)
    }
  }

  /// Ends the connection under the watch.
  package func cut() {
    let channel = state.withLock { state in
      defer { state.channel = nil }
      return state.channel
    }
    channel?.close(promise: nil)
  }

  fileprivate func attach(_ channel: any Channel) {
    state.withLock { state in
      state.channel = channel
      for line in state.waiting {
        channel.writeAndFlush(chunk(Array(line.utf8) + [0x0a]), promise: nil)
      }
      state.waiting = []
    }
  }
}

private final class Connection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart

  private let server: ScriptedServer
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()

  init(_ server: ScriptedServer) {
    self.server = server
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var buffer): body.writeBuffer(&buffer)
    case .end:
      guard let head else { return }
      let parts = head.uri.split(separator: "?", maxSplits: 1)
      let rows = parts.count < 2 ? [] : parts[1].split(separator: "&")
      let query = rows.map { row in
        let sides = row.split(separator: "=", maxSplits: 1)
        return (String(sides[0]), sides.count < 2 ? "" : String(sides[1]))
      }
      let request = ScriptedServer.Request(
        number: 0, method: head.method.rawValue, path: String(parts[0]), target: head.uri,
        query: Dictionary(query, uniquingKeysWith: { first, _ in first }),
        headers: Dictionary(
          head.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first }),
        body: String(buffer: body))
      play(server.pieces(for: request)[...], on: context.channel)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }
}

private func play(_ pieces: ArraySlice<ScriptedServer.Piece>, on channel: any Channel) {
  for (index, piece) in zip(pieces.indices, pieces) {
    switch piece {
    case .answer(let status, let text, let headers):
      let rows = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
      write(
        "HTTP/1.1 \(status) Said\r\n\(rows)content-length: \(text.utf8.count)\r\n\r\n\(text)",
        to: channel)
    case .stream:
      write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", to: channel)
    case .line(let line):
      channel.writeAndFlush(chunk(Array(line.utf8) + [0x0a]), promise: nil)
    case .raw(let bytes): channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    case .bytes(let bytes): channel.writeAndFlush(chunk(bytes), promise: nil)
    case .end: write("0\r\n\r\n", to: channel)
    case .close: channel.close(promise: nil)
    case .feed(let feed): feed.attach(channel)
    case .pause(let milliseconds):
      let rest = pieces[(index + 1)...]
      channel.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) { play(rest, on: channel) }
      return
    }
  }
}

private func write(_ text: String, to channel: any Channel) {
  channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
}

private func chunk(_ bytes: [UInt8]) -> ByteBuffer {
  var buffer = ByteBuffer(string: String(bytes.count, radix: 16) + "\r\n")
  buffer.writeBytes(bytes)
  buffer.writeString("\r\n")
  return buffer
}
