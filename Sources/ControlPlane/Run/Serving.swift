import CertificateAuthority
import ControlAPI
import Linux
import MeshModel

/// The owner of what the port shows: a certificate from files, or of our own authority.
actor Serving {
  private let source: RunSettings.Serving
  private let signer: Signer
  private var issued: ServingCertificate?
  private var shown: ServerCredentials?
  /// Why the last change was not taken up; nil while all is well.
  private var problem: String?

  init(_ source: RunSettings.Serving, signer: Signer) {
    self.source = source
    self.signer = signer
  }

  var status: (notAfter: WallTime?, problem: String?) { (issued?.notAfter, problem) }

  /// What to show now.
  func credentials() async throws -> ServerCredentials {
    let roots = Array(await signer.rootsText.utf8)
    switch source {
    case .files(let certificate, let key):
      let limit = 1 << 20
      return ServerCredentials(
        chain: try File.read(certificate, atMost: limit), key: try File.read(key, atMost: limit),
        clientRoots: roots)
    case .issued(let names):
      let now = WallClock.now()
      if issued.map({ isDue($0, at: now) }) ?? true {
        issued = try await signer.servingCertificate(for: names)
      }
      guard let issued else { throw ControlError.badCredentials(reason: "no certificate") }
      return ServerCredentials(
        chain: Array(issued.chain.utf8), key: Array(issued.key.utf8), clientRoots: roots)
    }
  }

  /// Shows what changed since the last call, or what is due; true when it did.
  ///
  /// An error leaves what is shown, and comes again until the cause is gone.
  func renew(_ server: ControlServer, isAuthorityNew: Bool) async -> Bool {
    if isAuthorityNew { issued = nil }
    do {
      let credentials = try await credentials()
      guard credentials != shown else {
        problem = nil
        return false
      }
      try server.use(credentials)
      shown = credentials
      problem = nil
      return true
    } catch {
      problem = "\(error)"
      return false
    }
  }

  /// Half of its life is over.
  private func isDue(_ certificate: ServingCertificate, at now: WallTime) -> Bool {
    let middle =
      (certificate.notBefore.secondsSinceEpoch + certificate.notAfter.secondsSinceEpoch) / 2
    return now.secondsSinceEpoch >= middle
  }
}
