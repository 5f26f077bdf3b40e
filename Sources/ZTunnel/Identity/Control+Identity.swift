import AgentProtocol
import Linux
import MeshModel
import TLS

extension Control {
  /// Asks for what is due, while there is somebody to ask.
  func renewIdentities() {
    guard link.isConnected else { return }
    for request in identities.dueRequests(at: WallClock.now(), jitter: jitter) {
      send(.signingRequest(request))
    }
  }

  func received(_ certificate: IssuedCertificate) {
    let credentials = identities.received(certificate, at: WallClock.now(), jitter: jitter())
    if let credentials { tellWorkers(.credentials(certificate.identity, credentials)) }
  }
}
