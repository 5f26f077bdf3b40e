import GRPCCore
import GRPCProtobuf
import IstioAPI
import SwiftProtobuf

/// Carries discovery streams to their endpoint.
struct DiscoveryService: RegistrableRPCService {
  let endpoint: any DiscoveryEndpoint
  let peers: PeerTable

  private typealias Messages = RPCAsyncSequence<DiscoveryExchange.Request, any Error>

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: Envoy_Service_Discovery_V3_AggregatedDiscoveryService.Method
        .DeltaAggregatedResources.descriptor,
      deserializer: ProtobufDeserializer<DiscoveryExchange.Request>(),
      serializer: ProtobufSerializer<DiscoveryExchange.Response>()
    ) { request, context in
      let peer = peers.peer(at: context.remotePeer, to: context.localPeer, request.metadata)
      let session: any DiscoverySession
      do throws(CallStatus) {
        session = try await endpoint.session(for: peer)
      } catch {
        throw error.error
      }
      return StreamingServerResponse { writer in
        let exchange = DiscoveryExchange(writer)
        if let status = await ending(of: session, exchange, request.messages) {
          throw status.error
        }
        return [:]
      }
    }
  }

  /// Serves until the session ends, or the client owes too long; nil: it ended well.
  private func ending(
    of session: any DiscoverySession, _ exchange: DiscoveryExchange, _ messages: Messages
  ) async -> CallStatus? {
    await withTaskGroup(of: Ending.self) { group in
      group.addTask {
        do {
          for try await message in messages { try await exchange.requests.give(message) }
          exchange.requests.finish()
        } catch {
          exchange.requests.finish(ControlError(error))
        }
        return .nothing
      }
      group.addTask {
        do {
          return .ended(try await exchange.watch())
        } catch {
          return .nothing
        }
      }
      group.addTask {
        do throws(CallStatus) {
          try await session.serve(exchange)
          return .ended(nil)
        } catch {
          return .ended(error)
        }
      }
      for await finished in group {
        guard case .ended(let status) = finished else { continue }
        group.cancelAll()
        return status
      }
      return nil
    }
  }

  private enum Ending {
    case nothing
    case ended(CallStatus?)
  }
}

/// Carries calls for certificates to their endpoint.
struct CertificateService: RegistrableRPCService {
  let endpoint: any CertificateEndpoint
  let peers: PeerTable

  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: Istio_V1_Auth_IstioCertificateService.Method.CreateCertificate.descriptor,
      deserializer: ProtobufDeserializer<Istio_V1_Auth_IstioCertificateRequest>(),
      serializer: ProtobufSerializer<Istio_V1_Auth_IstioCertificateResponse>()
    ) { request, context in
      let peer = peers.peer(at: context.remotePeer, to: context.localPeer, request.metadata)
      do {
        let session = try await endpoint.session(for: peer)
        let message = try await message(of: request)
        var answer = Istio_V1_Auth_IstioCertificateResponse()
        answer.certChain = try await session.createCertificate(message)
        return StreamingServerResponse(single: ServerResponse(message: answer))
      } catch let status as CallStatus {
        throw status.error
      }
    }
  }

  /// The one message of a call, which nobody may hold open without it or after it.
  private func message(
    of request: StreamingServerRequest<Istio_V1_Auth_IstioCertificateRequest>
  ) async throws -> Istio_V1_Auth_IstioCertificateRequest {
    try await withThrowingTaskGroup(of: Istio_V1_Auth_IstioCertificateRequest?.self) { group in
      group.addTask { try await ServerRequest(stream: request).message }
      group.addTask {
        try await Task.sleep(for: ControlLimit.firstRequestTimeout)
        return nil
      }
      defer { group.cancelAll() }
      guard let message = try await group.next() ?? nil else {
        throw CallStatus(
          .deadlineExceeded, "no request and its end within \(ControlLimit.firstRequestTimeout)")
      }
      return message
    }
  }
}
