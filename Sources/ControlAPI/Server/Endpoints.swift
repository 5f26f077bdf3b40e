import GRPCCore
public import IstioAPI

/// Serves discovery: one call for each stream.
public protocol DiscoveryEndpoint: Sendable {
  /// Serves a stream until there is nothing more to say; the stream ends with it.
  func serve(_ exchange: DiscoveryExchange, from peer: Peer) async throws(CallStatus)
}

/// Signs certificates.
public protocol CertificateEndpoint: Sendable {
  /// The answer's chain in PEM: leaf, intermediates, and last the roots in one element.
  func createCertificate(
    _ request: Istio_V1_Auth_IstioCertificateRequest, from peer: Peer
  ) async throws(CallStatus) -> [String]
}

/// One stream of delta discovery, as its server sees it.
public struct DiscoveryExchange: Sendable {
  public typealias Request = Envoy_Service_Discovery_V3_DeltaDiscoveryRequest
  public typealias Response = Envoy_Service_Discovery_V3_DeltaDiscoveryResponse

  let requests: Handoff<Request>
  let writer: RPCWriter<Response>

  /// The next request, nil when the client finished; nothing more is read from the network before.
  public func next() async throws(ControlError) -> Request? {
    try await requests.next()
  }

  /// Sends a response; returns when the network has taken most of it.
  ///
  /// For as long as a client takes, who does not read.
  public func send(_ response: Response) async throws(ControlError) {
    do {
      try await writer.write(response)
    } catch {
      throw ControlError(error)
    }
  }
}
