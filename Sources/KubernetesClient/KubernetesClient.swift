/// The Kubernetes API, as much of it as a mesh reads and writes.
///
/// In: where the API server is and who we are, which resources to follow. Out: objects as trees for
/// `MeshCompiler`, what changed in them, answers to questions (TokenReview, Lease, ConfigMap,
/// Secret), what a command in a container wrote. Never here: what an object means. `Objects` (text into trees) and `Watching` (what to do
/// next) are pure; `Requests` is where bytes are sent and awaited.
import AsyncHTTPClient
import Linux
import Logging
import NIOCore
import NIOSSL

/// A connection pool to one API server, with the credentials for it.
public struct KubernetesClient: Sendable {
  /// How long things may take; tests shorten them.
  public struct Timing: Hashable, Sendable {
    public var connect = Duration.seconds(10)
    /// A whole request and its answer, watches aside.
    public var request = Duration.seconds(30)
    /// A running watch without a byte, bookmarks included, is taken for dead.
    public var silence = Duration.seconds(150)

    public init() {}
  }

  public let configuration: ClusterConfiguration
  let timing: Timing
  let http: HTTPClient
  let token: BearerToken?
  let roots: ServerRoots?

  public init(
    _ configuration: ClusterConfiguration, timing: Timing = Timing()
  ) throws(KubernetesError) {
    self.configuration = configuration
    self.timing = timing
    token =
      switch configuration.credentials {
      case .none, .certificate: nil
      case .token(let text): BearerToken(text: text)
      case .tokenFile(let path): try BearerToken(path: path)
      }
    roots = ServerRoots(configuration, at: MonotonicClock.now())
    http = HTTPClient(
      eventLoopGroupProvider: .singleton,
      configuration: try Self.settings(configuration, timing), backgroundActivityLogger: Self.quiet)
  }

  /// To be called once, when nothing uses the client any more.
  public func shutDown() async {
    do {
      try await http.shutdown()
    } catch {
      // Shut down already, or a connection did not close in order: either way it is gone.
    }
  }

  /// The library's own lines would say each failure a second time.
  static let quiet = Logger(label: "http") { _ in SwiftLogNoOpLogHandler() }

  private static func settings(
    _ configuration: ClusterConfiguration, _ timing: Timing
  ) throws(KubernetesError) -> HTTPClient.Configuration {
    var settings = HTTPClient.Configuration(
      tlsConfiguration: try configuration.tls(), redirectConfiguration: .disallow,
      timeout: .init(connect: timing.connect.asAmount, read: timing.silence.asAmount),
      decompression: .disabled)
    // Each watch has a connection of its own: one that is slow stops no other.
    settings.httpVersion = .http1Only
    settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Limit.connections
    settings.connectionPool.retryConnectionEstablishment = false
    return settings
  }
}

extension ClusterConfiguration {
  /// The server is verified against the cluster's own roots, by name or address, always.
  func tls() throws(KubernetesError) -> TLSConfiguration {
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.minimumTLSVersion = .tlsv12
    tls.certificateVerification = .fullVerification
    let roots: [NIOSSLCertificate]
    do {
      roots = try NIOSSLCertificate.fromPEMBytes(authority)
    } catch {
      throw .unusableAuthority(reason: "\(error)")
    }
    guard !roots.isEmpty else { throw .unusableAuthority(reason: "it holds none") }
    tls.trustRoots = .certificates(roots)
    guard case .certificate(let chain, let key) = credentials else { return tls }
    do {
      tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(chain).map { .certificate($0) }
      tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
    } catch {
      throw .unusableClientCertificate(reason: "\(error)")
    }
    return tls
  }
}

extension Duration {
  var asAmount: TimeAmount {
    .nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000)
  }
}
