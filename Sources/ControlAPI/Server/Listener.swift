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
          let tls = NIOSSLServerHandler(context: credentials.context)
          try channel.pipeline.syncOperations.addHandlers([tls, PeerHandler(peers)])
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
  private let state: Mutex<NIOSSLContext>

  init(_ credentials: ServerCredentials) throws(ControlError) {
    state = Mutex(try credentials.context())
  }

  var context: NIOSSLContext { state.withLock { $0 } }

  func replace(with credentials: ServerCredentials) throws(ControlError) {
    let context = try credentials.context()
    state.withLock { $0 = context }
  }
}
