import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOPosix

/// Both services on one TLS port.
public final class ControlServer: Sendable {
  private let credentials: CredentialsInForce
  private let peers = PeerTable()
  private let transport: HTTP2ServerTransport.Custom<Listener>
  private let server: GRPCServer<HTTP2ServerTransport.Custom<Listener>>

  /// - host: an address without brackets, or a name.
  /// - port: 0 takes any that is free.
  public init(
    host: String, port: UInt16, credentials: ServerCredentials,
    discovery: any DiscoveryEndpoint, certificates: any CertificateEndpoint
  ) throws(ControlError) {
    self.credentials = try CredentialsInForce(credentials)
    transport = HTTP2ServerTransport.Custom(
      listenerFactory: Listener(
        host: host, port: Int(port), eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
        credentials: self.credentials, peers: peers),
      config: Self.configuration)
    server = GRPCServer(
      transport: transport,
      services: [
        DiscoveryService(endpoint: discovery, peers: peers),
        CertificateService(endpoint: certificates, peers: peers),
      ])
  }

  private static var configuration: HTTP2ServerTransport.Custom<Listener>.Config {
    var configuration = HTTP2ServerTransport.Custom<Listener>.Config.defaults
    configuration.rpc.maxRequestPayloadSize = ControlLimit.requestBytes
    configuration.http2.maxConcurrentStreams = ControlLimit.callsPerConnection
    configuration.http2.targetWindowSize = ControlLimit.serverWindow
    configuration.connection.maxIdleTime = ControlLimit.serverIdle
    configuration.connection.maxGraceTime = ControlLimit.shutdownGrace
    configuration.connection.keepalive = .init(
      time: ControlLimit.serverPing, timeout: ControlLimit.pingTimeout,
      clientBehavior: .init(
        minPingIntervalWithoutCalls: ControlLimit.shortestClientPing, allowWithoutCalls: true))
    return configuration
  }

  /// Serves until `beginShutdown`, or until the task is cancelled.
  public func run() async throws(ControlError) {
    do {
      try await server.serve()
    } catch {
      throw ControlError(error)
    }
  }

  /// Takes no more calls; `run` returns when those at hand have ended.
  public func beginShutdown() { server.beginGracefulShutdown() }

  /// The port once it is open; nil when it could not be opened.
  public var port: Int? {
    get async {
      let address = await transport.listeningAddress
      return address?.ipv4?.port ?? address?.ipv6?.port
    }
  }

  /// Connections open now.
  public var connections: Int { peers.connections }

  /// Shows other credentials from the next connection on; those at hand stay as they are.
  public func use(_ credentials: ServerCredentials) throws(ControlError) {
    try self.credentials.replace(with: credentials)
  }
}
