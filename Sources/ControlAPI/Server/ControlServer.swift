import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import IstioAPI
import NIOPosix
import SwiftProtobuf

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

private struct DiscoveryService: RegistrableRPCService {
  let endpoint: any DiscoveryEndpoint
  let peers: PeerTable

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Method
        .DeltaAggregatedResources.descriptor,
      deserializer: ProtobufDeserializer<DiscoveryExchange.Request>(),
      serializer: ProtobufSerializer<DiscoveryExchange.Response>()
    ) { request, context in
      let peer = peers.peer(at: context.remotePeer, request.metadata)
      return StreamingServerResponse { writer in
        let exchange = DiscoveryExchange(requests: Handoff(), writer: writer)
        try await serve(exchange, request.messages, peer)
        return [:]
      }
    }
  }

  private func serve(
    _ exchange: DiscoveryExchange,
    _ messages: RPCAsyncSequence<DiscoveryExchange.Request, any Error>, _ peer: Peer
  ) async throws {
    let requests = exchange.requests
    let status: CallStatus? = await withTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          for try await message in messages { try await requests.give(message) }
          requests.finish()
        } catch {
          requests.finish(ControlError(error))
        }
      }
      defer { group.cancelAll() }
      do throws(CallStatus) {
        try await endpoint.serve(exchange, from: peer)
        return nil
      } catch {
        return error
      }
    }
    if let status { throw status.error }
  }
}

private struct CertificateService: RegistrableRPCService {
  let endpoint: any CertificateEndpoint
  let peers: PeerTable

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: Istio_V1_Auth_IstioCertificateService.Method.CreateCertificate.descriptor,
      deserializer: ProtobufDeserializer<Istio_V1_Auth_IstioCertificateRequest>(),
      serializer: ProtobufSerializer<Istio_V1_Auth_IstioCertificateResponse>()
    ) { request, context in
      let peer = peers.peer(at: context.remotePeer, request.metadata)
      let request = try await ServerRequest(stream: request)
      var answer = Istio_V1_Auth_IstioCertificateResponse()
      do throws(CallStatus) {
        answer.certChain = try await endpoint.createCertificate(request.message, from: peer)
      } catch {
        throw error.error
      }
      return StreamingServerResponse(single: ServerResponse(message: answer))
    }
  }
}
