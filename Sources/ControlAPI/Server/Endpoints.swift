public import IstioAPI

/// Serves discovery.
public protocol DiscoveryEndpoint: Sendable {
  /// Lets a peer in, before anything that it sends is read; the session is one stream.
  func session(for peer: Peer) async throws(CallStatus) -> any DiscoverySession
}

/// One stream's service.
public protocol DiscoverySession: Sendable {
  /// Serves until there is nothing more to say; the stream ends with it.
  func serve(_ exchange: DiscoveryExchange) async throws(CallStatus)
}

/// Signs certificates.
public protocol CertificateEndpoint: Sendable {
  /// Lets a peer in, before what it asks for is read; what comes back answers it.
  func session(for peer: Peer) async throws(CallStatus) -> any CertificateSession
}

/// One call's service.
public protocol CertificateSession: Sendable {
  /// The answer's chain in PEM: leaf, intermediates, and last the roots in one element.
  func createCertificate(
    _ request: Istio_V1_Auth_IstioCertificateRequest
  ) async throws(CallStatus) -> [String]
}
