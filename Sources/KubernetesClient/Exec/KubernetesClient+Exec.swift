import Linux
import MeshModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

extension KubernetesClient {
  /// Runs a command in a container, without input, and gives what it wrote once it has ended.
  ///
  /// The API server is verified as for any other request. Needs `create` on `pods/exec`.
  public func run(
    _ arguments: [String], in place: ContainerPlace, within time: Duration
  ) async throws(KubernetesError) -> CommandOutput {
    do throws(KubernetesError) {
      return try await attempt(arguments, place, time)
    } catch {
      guard error.status?.isUnauthorized == true,
        token?.renew(at: MonotonicClock.now()) == true
      else { throw error }
      return try await attempt(arguments, place, time)
    }
  }

  private func attempt(
    _ arguments: [String], _ place: ContainerPlace, _ time: Duration
  ) async throws(KubernetesError) -> CommandOutput {
    let deadline = MonotonicClock.now() + time
    do {
      switch try await openCommand(arguments, place, time) {
      case .accepted(let channel): return try await Self.transcript(of: channel)
      case .refused(let channel): throw try await Self.refusal(of: channel)
      }
    } catch {
      // The deadline closes the connection, wherever it is.
      if MonotonicClock.now() >= deadline { throw .timedOut }
      if Task.isCancelled { throw .cancelled }
      throw KubernetesError(error)
    }
  }

  private func openCommand(
    _ arguments: [String], _ place: ContainerPlace, _ time: Duration
  ) async throws -> OpenedCommand {
    guard let server = ServerAddress(configuration.server) else {
      throw KubernetesError.unreachable(reason: "\(configuration.server) is not an https URL")
    }
    let now = MonotonicClock.now()
    let tls = try NIOSSLContext(
      configuration: try roots?.current(at: now) ?? configuration.tls())
    let head = execHead(arguments, place, server)
    let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connectTimeout(min(timing.connect, time).asAmount)
    let opened: EventLoopFuture<OpenedCommand> = try await bootstrap.connect(
      host: server.host, port: server.port
    ) { channel in
      channel.eventLoop.makeCompletedFuture {
        let end = channel.eventLoop.scheduleTask(in: time.asAmount) { channel.close(promise: nil) }
        channel.closeFuture.whenComplete { _ in end.cancel() }
        try channel.pipeline.syncOperations.addHandler(
          NIOSSLClientHandler(context: tls, serverHostname: server.name))
        try channel.pipeline.syncOperations.addHandler(LateEnd())
        return try OpenedCommand.upgrading(channel, head)
      }
    }
    return try await opened.get()
  }

  private func execHead(
    _ arguments: [String], _ place: ContainerPlace, _ server: ServerAddress
  ) -> HTTPRequestHead {
    var request = APIRequest(
      path: Resource.pods.path(
        Resource.pods.apiVersion, namespace: place.namespace, name: place.pod, part: "exec"))
    request.query = arguments.map { ("command", $0) }
    request.query += [("container", place.container), ("stdout", "true"), ("stderr", "true")]
    var headers = HTTPHeaders([
      ("host", server.authority), ("user-agent", "skein"),
      ("sec-websocket-protocol", "v4.channel.k8s.io"),
    ])
    if let token {
      headers.add(
        name: "authorization", value: "Bearer \(token.current(at: MonotonicClock.now()))")
    }
    return HTTPRequestHead(
      version: .http1_1, method: .GET, uri: server.path + request.target, headers: headers)
  }

  private static func transcript(
    of channel: NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
  ) async throws -> CommandOutput {
    try await channel.executeThenClose { inbound, outbound in
      var transcript = CommandTranscript()
      for try await frame in inbound {
        switch frame.opcode {
        case .binary, .continuation, .text:
          let bytes = Array(frame.unmaskedData.readableBytesView)
          let output = try transcript.take(
            bytes, isContinuation: frame.opcode == .continuation, isFinal: frame.fin)
          if let output { return output }
        case .ping:
          try await outbound.write(
            WebSocketFrame(
              fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData))
        case .connectionClose:
          throw KubernetesError.unreachable(reason: "the server closed before the command's end")
        default: break
        }
      }
      throw KubernetesError.unreachable(reason: "the connection ended before the command did")
    }
  }

  /// Why the server did not begin.
  private static func refusal(
    of channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
  ) async throws -> KubernetesError {
    try await channel.executeThenClose { inbound, _ in
      var head: HTTPResponseHead?
      var body: [UInt8] = []
      for try await part in inbound {
        switch part {
        case .head(let next): head = next
        case .body(let buffer):
          guard body.count + buffer.readableBytes <= Limit.answerBytes else {
            return .tooLarge(limit: Limit.answerBytes)
          }
          body += buffer.readableBytesView
        case .end:
          guard let head else { break }
          return .status(
            APIStatus(
              code: Int(head.status.code), body: body,
              retryAfter: head.headers.first(name: "retry-after")))
        }
      }
      return .unreachable(reason: "the connection ended before an answer")
    }
  }
}

/// Lets the end of a connection wait for its last bytes.
///
/// A quick command's whole output comes in one read with the server's consent and the end. The
/// library hands on what follows the consent a turn of the loop later, and an end that overtakes it
/// there loses it.
private final class LateEnd: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  func channelInactive(context: ChannelHandlerContext) {
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.eventLoop.execute { bound.value.fireChannelInactive() }
  }
}

/// A connection after the server's first words.
private enum OpenedCommand: Sendable {
  case accepted(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>)
  case refused(NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>)

  static func upgrading(
    _ channel: any Channel, _ head: HTTPRequestHead
  ) throws -> EventLoopFuture<OpenedCommand> {
    let upgrader = NIOTypedWebSocketClientUpgrader<OpenedCommand>(
      maxFrameSize: Limit.frameBytes
    ) { channel, _ in
      channel.eventLoop.makeCompletedFuture {
        .accepted(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
      }
    }
    var configuration = NIOUpgradableHTTPClientPipelineConfiguration(
      upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
        upgradeRequestHead: head, upgraders: [upgrader]
      ) { channel in
        channel.eventLoop.makeCompletedFuture {
          .refused(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
        }
      })
    // A quick server says its first words together with its consent.
    configuration.leftOverBytesStrategy = .forwardBytes
    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
      configuration: configuration)
  }
}

/// The parts of `https://host:port/path`.
struct ServerAddress: Equatable {
  /// Without brackets.
  var host: String
  var port: Int
  /// What stands before every path; empty for most.
  var path: String

  init?(_ url: String) {
    let scheme = "https://"
    guard url.hasPrefix(scheme) else { return nil }
    let rest = url.dropFirst(scheme.count)
    let place = rest.prefix { $0 != "/" }
    path = String(rest.dropFirst(place.count))
    if place.hasPrefix("[") {
      guard let end = place.firstIndex(of: "]") else { return nil }
      host = String(place[place.index(after: place.startIndex)..<end])
      guard let port = Self.port(place[place.index(after: end)...]) else { return nil }
      self.port = port
    } else {
      host = String(place.prefix { $0 != ":" })
      guard let port = Self.port(place.dropFirst(host.count)) else { return nil }
      self.port = port
    }
    guard !host.isEmpty else { return nil }
  }

  private static func port(_ text: Substring) -> Int? {
    if text.isEmpty { return 443 }
    guard text.hasPrefix(":"), let port = UInt16(text.dropFirst()), port > 0 else { return nil }
    return Int(port)
  }

  private var isAddress: Bool { IPAddress(host) != nil }

  /// What TLS asks for; an address is compared as such.
  var name: String? { isAddress ? nil : host }

  var authority: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}
