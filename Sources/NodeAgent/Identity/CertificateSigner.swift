import CertificateAuthority
import ControlAPI
import Linux
import MeshModel

/// Who signs: an authority of our own, or one at the other end of a connection.
protocol CertificateSigner: Sendable {
  /// Where the authority is, for people.
  var place: String { get }

  /// Signs a PKCS #10 request in DER, or says why not; within `ControlLimit.certificateTimeout`.
  func sign(
    _ request: [UInt8], for identity: SPIFFEID, lifetime: Duration
  ) async throws(SigningFailure) -> IssuedChain

  /// Looks whether the roots of now differ from those of the last time; nil when they do not.
  func changedRoots() async throws(SigningFailure) -> [[UInt8]]?
}

/// Why there is no certificate.
enum SigningFailure: Error, Equatable {
  /// Our own authority does not sign this.
  case refused(SigningError)
  /// The files of our own authority cannot be used.
  case files(AuthorityError)
  /// No answer came from the authority elsewhere.
  case call(ControlError)
  /// Its answer is not what was asked for.
  case answer(AnswerError)
  case waitedTooLong
  case tooManyWait
  /// No enrolled pod of this node has the identity.
  case notOurs
}

extension SigningFailure: CustomStringConvertible {
  var description: String {
    switch self {
    case .refused(let error): "\(error)"
    case .files(let error): "\(error)"
    case .call(let error): "the certificate authority did not answer: \(error)"
    case .answer(let error): "the certificate authority's answer is refused: \(error)"
    case .waitedTooLong: "waited too long for its turn; the authority answers slowly"
    case .tooManyWait: "too many requests wait for the authority"
    case .notOurs: "no enrolled pod of this node has this identity"
    }
  }
}

/// The authority whose key this node agent holds, in `--ca-dir`.
actor LocalAuthority: CertificateSigner {
  nonisolated let place: String
  private var authority: CertificateAuthority

  init(directory: String, trustDomain: String) throws(AuthorityError) {
    authority = try CertificateAuthority(
      directory: directory, trustDomain: trustDomain, now: WallClock.now())
    place = directory
  }

  func sign(
    _ request: [UInt8], for identity: SPIFFEID, lifetime: Duration
  ) throws(SigningFailure) -> IssuedChain {
    do throws(SigningError) {
      return try authority.sign(request, for: identity, lifetime: lifetime, now: WallClock.now())
    } catch {
      throw .refused(error)
    }
  }

  /// Takes over changed files.
  func changedRoots() throws(SigningFailure) -> [[UInt8]]? {
    let before = authority.roots
    do throws(AuthorityError) {
      guard try authority.reloadIfChanged(now: WallClock.now()) else { return nil }
    } catch {
      throw .files(error)
    }
    return authority.roots == before ? nil : authority.roots
  }

  var roots: [[UInt8]] { authority.roots }
}

/// The authority of a control plane, asked over its certificate service.
struct RemoteAuthority: CertificateSigner {
  let place: String
  private let client: CertificateClient

  init(_ settings: ChannelSettings) {
    place = "\(settings.address)"
    client = CertificateClient(settings)
  }

  func sign(
    _ request: [UInt8], for identity: SPIFFEID, lifetime: Duration
  ) async throws(SigningFailure) -> IssuedChain {
    let answer: CertificateAnswer
    do throws(ControlError) {
      answer = try await client.createCertificate(
        pemText(ofRequest: request), lifetime: lifetime, impersonating: identity.description)
    } catch {
      throw .call(error)
    }
    do throws(AnswerError) {
      return try IssuedChain(
        answer: answer.chain, roots: answer.roots, to: request, for: identity,
        now: WallClock.now())
    } catch {
      throw .answer(error)
    }
  }

  /// Roots come with every certificate, and so at least with every renewal.
  func changedRoots() -> [[UInt8]]? { nil }
}
