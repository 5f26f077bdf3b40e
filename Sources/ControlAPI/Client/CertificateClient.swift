import GRPCCore
import GRPCNIOTransportHTTP2Posix
import GRPCProtobuf
import IstioAPI
import SwiftProtobuf

/// Asks a control plane for certificates, each time on a connection of its own: with the roots, the
/// token and the addresses of that moment.
public struct CertificateClient: Sendable {
  private let settings: ChannelSettings
  private let timeout: Duration

  public init(_ settings: ChannelSettings, timeout: Duration = ControlLimit.certificateTimeout) {
    self.settings = settings
    self.timeout = timeout
  }

  /// Has a signing request signed.
  ///
  /// - request: a PKCS #10 request in PEM.
  /// - lifetime: whole seconds count; nil leaves it to the authority.
  /// - identity: the SPIFFE id of the pod that a node asks for; nil: the caller's own.
  public func createCertificate(
    _ request: String, lifetime: Duration?, impersonating identity: String?
  ) async throws(ControlError) -> CertificateAnswer {
    var message = Istio_V1_Auth_IstioCertificateRequest()
    message.csr = request
    message.validityDuration = lifetime?.components.seconds ?? 0
    if let identity {
      message.metadata.fields["ImpersonatedIdentity"] = Google_Protobuf_Value(stringValue: identity)
    }
    do {
      let chain = try await call(message).certChain
      guard chain.count >= 2, chain.allSatisfy({ !$0.isEmpty }) else {
        throw CallStatus(.dataLoss, "expected a certificate and roots, got \(chain.count) elements")
      }
      return CertificateAnswer(chain: Array(chain.dropLast()), roots: chain[chain.count - 1])
    } catch {
      throw ControlError(error)
    }
  }

  private func call(
    _ message: Istio_V1_Auth_IstioCertificateRequest
  ) async throws -> Istio_V1_Auth_IstioCertificateResponse {
    let metadata = try settings.metadata()
    var options = CallOptions.defaults
    options.timeout = timeout
    // The transport bounds what arrives by the first of the two.
    options.maxRequestMessageBytes = ControlLimit.certificateBytes
    options.maxResponseMessageBytes = ControlLimit.certificateBytes
    let chosen = options
    return try await withClient(settings) { client, opening in
      try await client.bidirectionalStreaming(
        request: StreamingClientRequest(metadata: metadata) { writer in
          opening.finish()
          try await writer.write(message)
        },
        descriptor: Istio_V1_Auth_IstioCertificateService.Method.CreateCertificate.descriptor,
        serializer: ProtobufSerializer<Istio_V1_Auth_IstioCertificateRequest>(),
        deserializer: ProtobufDeserializer<Istio_V1_Auth_IstioCertificateResponse>(),
        options: chosen
      ) { response in
        var answer: Istio_V1_Auth_IstioCertificateResponse?
        for try await message in response.messages { answer = message }
        guard let answer else { throw CallStatus(.dataLoss, "an answer without a message") }
        return answer
      }
    }
  }
}

/// What a certificate authority answered, in PEM and not looked into.
public struct CertificateAnswer: Hashable, Sendable {
  /// The leaf first, then intermediates.
  public var chain: [String]
  /// One or more certificates.
  public var roots: String

  public init(chain: [String], roots: String) {
    self.chain = chain
    self.roots = roots
  }
}
