import GRPCNIOTransportHTTP2Posix
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// Accepts connections for gRPC and puts TLS beneath it, with the credentials of that moment.
struct Listener: HTTP2ServerTransport.ListenerFactory {
  let host: String
  let port: Int
  let eventLoopGroup: any EventLoopGroup
  let credentials: CredentialsInForce
  let peers: PeerTable

  func makeListeningChannel(
    listenerConfigurator: HTTP2ServerTransport.ListenerConfigurator,
    connectionConfigurator: HTTP2ServerTransport.ConnectionConfigurator
  ) async throws -> NIOAsyncChannel<
    HTTP2ServerTransport.ConnectionConfigurator.ConnectionChannel, Never
  > {
    let (credentials, peers) = (credentials, peers)
    return try await ServerBootstrap(group: eventLoopGroup)
      .serverChannelOption(.backlog, value: 1_024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelInitializer { listenerConfigurator.configure(channel: $0) }
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .bind(host: host, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          guard peers.open() else { throw NoRoom() }
          let connection = connectionName(channel)
          channel.closeFuture.whenComplete { _ in peers.close(connection) }
          let shown = ShownCertificate()
          let tls = credentials.handler(noting: shown)
          try channel.pipeline.syncOperations.addHandlers([tls, PeerHandler(peers, shown)])
        }.flatMap {
          connectionConfigurator.configure(channel: channel, tls: .configured(requireALPN: false))
        }.flatMapError { error in
          // NIO leaves a connection that was not taken to whoever refused it.
          channel.close(promise: nil)
          return channel.eventLoop.makeFailedFuture(error)
        }
      }
  }
}

private struct NoRoom: Error {}

/// The credentials that the next connection gets.
final class CredentialsInForce: Sendable {
  private struct State {
    var context: NIOSSLContext
    /// Nil: clients are asked for no certificate.
    var clients: ClientVerification?

    init(_ credentials: ServerCredentials) throws(ControlError) {
      context = try credentials.context()
      clients = try credentials.verification()
    }
  }

  private let state: Mutex<State>

  init(_ credentials: ServerCredentials) throws(ControlError) {
    state = Mutex(try State(credentials))
  }

  /// TLS for one connection, which leaves there what the client showed.
  func handler(noting shown: ShownCertificate) -> NIOSSLServerHandler {
    let (context, clients) = state.withLock { ($0.context, $0.clients) }
    guard let clients else { return NIOSSLServerHandler(context: context) }
    return NIOSSLServerHandler(
      context: context,
      customVerificationCallback: { certificates, promise in
        promise.completeWithTask {
          let found = await clients.verified(try certificates.map { try $0.toDERBytes() })
          shown.value = found
          return found == nil ? .failed : .certificateVerified
        }
      })
  }

  func replace(with credentials: ServerCredentials) throws(ControlError) {
    let next = try State(credentials)
    state.withLock { $0 = next }
  }
}

/// What the client of one connection showed; nil before, and when it showed nothing.
final class ShownCertificate: Sendable {
  private let state = Mutex<VerifiedCertificate?>(nil)

  var value: VerifiedCertificate? {
    get { state.withLock { $0 } }
    set { state.withLock { $0 = newValue } }
  }
}
