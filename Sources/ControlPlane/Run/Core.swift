import CertificateAuthority
import Commands
import ControlAPI
import KubernetesClient
import Linux
import Logging
import MeshCompiler
import MeshModel
import Telemetry
import XDS

/// The parts of a running control plane, put together.
final class Core: Sendable {
  let settings: RunSettings
  let publisher = Publisher()
  let register = StreamRegister()
  let counters = Counters()
  let keeper: MeshKeeper
  let signer: Signer
  let tokens: StaticTokens?
  let keys: KeySource?
  let revocations: RevocationFile?
  let authentication: Authentication
  /// Nil when the objects come from a directory.
  let clusterWatch: ClusterWatch?
  /// Nil when the authority is in a directory.
  let clusterAuthority: ClusterAuthority?
  let serving: Serving
  let server: ControlServer
  let logger = Logger(label: "control")

  init(_ settings: RunSettings) async throws {
    self.settings = settings
    let publisher = publisher
    keeper = MeshKeeper(publisher: publisher)
    clusterWatch = try Self.clusterWatch(settings)
    let signer: Signer
    (signer, clusterAuthority) = try await Self.authority(settings, clusterWatch?.client, logger)
    let tokens = try settings.tokenFile.map { path in
      do throws(TokenFileError) {
        return try StaticTokens(path: path)
      } catch {
        throw RunError.badTokens(path: path, error)
      }
    }
    let keys = settings.issuer.map { issuer in
      switch issuer.keys {
      case .file(let path): KeySource(.file(path))
      case .issuer(let roots): KeySource(.issuer(KeyFetch(issuer: issuer.url, rootsFile: roots)))
      }
    }
    let revocations = settings.revocationFile.map { RevocationFile(path: $0) }
    _ = revocations?.reload(authorities: await signer.authorities)
    (self.signer, self.tokens, self.keys) = (signer, tokens, keys)
    self.revocations = revocations
    authentication = Self.authentication(
      settings, publisher, tokens, keys, clusterWatch?.client,
      PeerCertificates(
        trustDomain: settings.trustDomain, signer: signer, revocations: revocations))
    serving = Serving(settings.serving, signer: signer)
    server = try ControlServer(
      host: settings.host, port: settings.port, credentials: try await serving.credentials(),
      discovery: DiscoveryDesk(
        authentication: authentication, publisher: publisher, register: register,
        counters: counters),
      certificates: CertificateDesk(
        authentication: authentication, signer: signer, publisher: publisher,
        trustDomain: settings.trustDomain, lifetimes: settings.lifetimes, counters: counters))
  }

  private static func clusterWatch(
    _ settings: RunSettings
  ) throws(KubernetesError) -> ClusterWatch? {
    guard case .cluster(let configuration) = settings.source else { return nil }
    return ClusterWatch(
      client: try KubernetesClient(configuration),
      cluster: Cluster(options: settings.compilerOptions))
  }

  private static func authentication(
    _ settings: RunSettings, _ publisher: Publisher, _ tokens: StaticTokens?, _ keys: KeySource?,
    _ client: KubernetesClient?, _ certificates: PeerCertificates
  ) -> Authentication {
    var authenticators: [any Authenticator] = []
    if let tokens { authenticators.append(tokens) }
    if let keys, let issuer = settings.issuer {
      authenticators.append(
        SignedTokens(
          rules: TokenRules(
            issuer: issuer.url, audience: issuer.audience, trustDomain: settings.trustDomain,
            nodeAccounts: issuer.nodeAccounts, nodePrefix: issuer.nodePrefix),
          keys: keys, nodeOfPod: { publisher.current?.placements.node(of: $0) }))
    }
    if let client, let review = settings.review {
      authenticators.append(
        ReviewedTokens(
          client: client, audience: review.audience, trustDomain: settings.trustDomain,
          nodeAccounts: review.nodeAccounts,
          nodeOfPod: { publisher.current?.placements.node(of: $0) }))
    }
    authenticators.append(certificates)
    return Authentication(authenticators: authenticators)
  }

  /// Takes in what the objects mean now.
  ///
  /// - change: what is new in it, where that is known.
  func take(_ compilation: Compilation, _ change: ModelChange? = nil, readAt: Instant) async {
    let before = await keeper.diagnostics
    switch await keeper.take(compilation, change, readAt: readAt) {
    case .changed(let generation):
      let counts = await keeper.counts
      logger.info(
        "generation served",
        metadata: [
          "generation": "\(generation)", "workloads": "\(counts.workloads)",
          "services": "\(counts.services)", "policies": "\(counts.policies)",
          "milliseconds": "\(MonotonicClock.now().since(readAt).milliseconds)",
        ])
    case .unchanged: break
    case .refused(let diagnostics):
      guard diagnostics != before else { return }
      let errors = diagnostics.filter { $0.severity == .error }
      logger.error(
        "manifests refused, the last good generation stays",
        metadata: [
          "errors": "\(errors.count)", "first": "\(errors.first.map { "\($0)" } ?? "")",
        ])
    }
  }
}

// MARK: Status

extension Core {
  func status() async -> ControlStatus {
    let mesh = await meshStatus()
    let serving = await serving.status
    var problems: [String] = []
    if mesh.generation == 0 { problems.append("no generation is served yet") }
    problems += await clusterWatch?.cluster.problems ?? []
    if mesh.isStale { problems.append("the manifests have errors") }
    if let problem = await signer.problem { problems.append("authority: \(problem)") }
    if let problem = serving.problem { problems.append("serving certificate: \(problem)") }
    if let problem = tokens?.problem { problems.append("tokens: \(problem)") }
    if let problem = await keys?.problem { problems.append("issuer's keys: \(problem)") }
    if let problem = revocations?.problem { problems.append("revocations: \(problem)") }
    let values = counters.values
    let issued = values.certificates[.issued] ?? 0
    let streams = register.all
    return ControlStatus(
      version: skeinVersion, trustDomain: settings.trustDomain, problems: problems,
      connections: server.connections, residentBytes: residentBytes(), mesh: mesh,
      authority: ControlStatus.Authority(
        expires: await signer.notAfter.timestamp, roots: await signer.rootCount, issued: issued,
        refused: values.certificates.values.reduce(0, +) - issued,
        servingExpires: serving.notAfter?.timestamp),
      authentication: ControlStatus.Authentication(
        staticTokens: tokens?.count, issuer: settings.issuer?.url, issuerKeys: await keys?.count,
        revocations: revocations?.status(at: WallClock.now()),
        reviews: settings.review?.audience),
      cluster: await clusterWatch?.cluster.status,
      rootConfigMaps: await clusterAuthority?.publication.status, streamCount: streams.count,
      streams: Array(streams.prefix(Limit.streamsShown)))
  }

  private func meshStatus() async -> ControlStatus.Mesh {
    let counts = await keeper.counts
    let diagnostics = await keeper.diagnostics
    func count(_ severity: Diagnostic.Severity) -> Int {
      diagnostics.count { $0.severity == severity }
    }
    return ControlStatus.Mesh(
      generation: publisher.current?.resources.generation ?? 0,
      changedAt: await keeper.changedAt?.timestamp, workloads: counts.workloads,
      services: counts.services, policies: counts.policies, isStale: await keeper.isStale,
      errors: count(.error), refused: count(.refusal), warnings: count(.warning),
      diagnostics: diagnostics.sorted { $0.severity > $1.severity }
        .prefix(Limit.diagnosticsShown).map { "\($0)" },
      omitted: await keeper.omitted.prefix(Limit.diagnosticsShown).map { "\($0)" },
      compilationMilliseconds: await keeper.compilation.seconds * 1_000)
  }

  func metrics() async -> ControlMetrics {
    let resources = publisher.current?.resources
    return ControlMetrics(
      status: await status(), counters: counters.values,
      resources: [("address", ResourceType.address), ("authorization", .authorization)].map {
        ($0.0, resources?.count($0.1) ?? 0, resources?.bytes($0.1) ?? 0)
      })
  }

  private func residentBytes() -> UInt64 {
    do throws(LinuxError) {
      return try CurrentProcess.residentBytes()
    } catch {
      // Shown as nothing: a machine without /proc tells no more.
      return 0
    }
  }
}
