import AgentProtocol
import CertificateAuthority
import Commands
import KubernetesClient
import Linux
import Logging
import Manifests
import MeshCompiler
import MeshModel
import Redirect
import ServiceLifecycle
import Telemetry

/// The owners of a running node's state, and the tasks that bring them together.
final class Node: ServiceLifecycle.Service {
  let settings: RunSettings
  let manifests: ManifestKeeper
  /// Nil while manifests say which pods are here.
  let cluster: ClusterPods?
  private let clusterConfiguration: ClusterConfiguration?
  /// Nil while the mesh comes from manifests.
  let discovery: Discovery?
  let model: ModelKeeper
  let ztunnel: any ZTunnelKeeper
  let link: ZTunnelLink
  let inspector: Inspector
  let enroller: Enroller
  let issuer: CertificateIssuer
  let trust: TrustKeeper
  let records: RecordKeeper
  let addresses: AddressWatch
  /// Nil while no runtime asks.
  let cni: NodeCNI?
  let attachment: EgressHook
  let startedAt: WallTime
  let drainState = DrainState()
  /// Says that pods may have to be brought in or let go; several at once count as one.
  private let changes: AsyncStream<Void>
  private let somethingChanged: AsyncStream<Void>.Continuation
  let logger = Logger(label: "node")

  init(_ settings: RunSettings, writer: LogWriter) async throws {
    self.settings = settings
    startedAt = WallClock.now()
    records = RecordKeeper(writer: writer, format: settings.logFormat)
    let redirection = try Redirection(node: settings.node)
    attachment = redirection.attachment
    switch settings.prober {
    case nil: try redirection.attachProbes(cgroupPath: nil)
    case .cgroup(let path)?:
      try redirection.attachProbes(
        cgroupPath: path, namespaceCookie: try NetworkNamespace.current().cookie())
    // Of an earlier node agent's finding until this one has looked.
    case .process?: break
    }
    let ztunnel = try Node.ztunnel(settings)
    self.ztunnel = ztunnel
    addresses = try AddressWatch()
    link = try ZTunnelLink(path: settings.agentSocket) { ztunnel.isWelcome($0) }
    manifests = ManifestKeeper(options: settings.compilerOptions)
    let configuration = try settings.cluster?.configuration()
    clusterConfiguration = configuration
    cluster = configuration.map {
      ClusterPods(server: $0.server, options: settings.compilerOptions)
    }
    model = ModelKeeper(link: link)
    (changes, somethingChanged) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    discovery = Node.discovery(settings, model, somethingChanged)
    issuer = try await Node.issuer(settings, link)
    trust = await Node.trust(settings, issuer, link)
    inspector = Inspector(link: link)
    enroller = try Enroller(
      redirection: redirection, link: link, addresses: addresses,
      ztunnelCgroup: ztunnel.ownCgroup,
      namespaceSource: settings.cluster == nil ? .annotations : .controlGroups,
      connectionSettings: settings.connections)
    cni = try Node.cni(settings, enroller, somethingChanged)
  }

  private static func cni(
    _ settings: RunSettings, _ enroller: Enroller, _ changes: AsyncStream<Void>.Continuation
  ) throws -> NodeCNI? {
    guard let cni = settings.cni else { return nil }
    return try NodeCNI(cni, settings, enroller) { changes.yield() }
  }

  private static func issuer(
    _ settings: RunSettings, _ link: ZTunnelLink
  ) async throws -> CertificateIssuer {
    let signer: any CertificateSigner
    var roots: [[UInt8]]?
    switch settings.authority {
    case .directory(let path):
      let authority = try LocalAuthority(directory: path, trustDomain: settings.trustDomain)
      roots = await authority.roots
      signer = authority
    case .service(let channel): signer = RemoteAuthority(channel)
    }
    return CertificateIssuer(
      signer: signer, roots: roots, lifetime: settings.leafLifetime, file: settings.chainsFile
    ) { link.send($0) }
  }

  private static func trust(
    _ settings: RunSettings, _ issuer: CertificateIssuer, _ link: ZTunnelLink
  ) async -> TrustKeeper {
    TrustKeeper(
      settings.trust, file: settings.trustFile, authorities: await issuer.authorities
    ) { link.send($0) }
  }

  private static func discovery(
    _ settings: RunSettings, _ model: ModelKeeper, _ changes: AsyncStream<Void>.Continuation
  ) -> Discovery? {
    guard case .controlPlane(let controlPlane) = settings.source else { return nil }
    return Discovery(controlPlane, settings, model: model) { changes.yield() }
  }

  private static func ztunnel(_ settings: RunSettings) throws -> any ZTunnelKeeper {
    if settings.isZTunnelExternal { return ExternalZTunnel() }
    let path = try settings.ztunnelPath ?? executableDirectory() + "/ztunnel"
    guard File.exists(path) else { throw RunError.noZTunnel(path: path) }
    return try Supervisor(
      node: settings.node, path: path, arguments: ["--agent", settings.agentSocket],
      givenCgroup: settings.ztunnelCgroup)
  }

  /// Runs until asked to shut down, then leaves nothing behind.
  func run() async throws {
    logger.info(
      "node agent started",
      metadata: [
        "node": "\(settings.node)", "version": "\(skeinVersion)",
        "attachment": "\(attachment.rawValue)",
      ])
    guard let cluster, let clusterConfiguration else { return try await serve(following: nil) }
    let client = try KubernetesClient(clusterConfiguration)
    do {
      try await serve(
        following: NodeWatch(client: client, node: settings.node, pods: cluster),
        of: settings.daemonSet.map { Installation(client: client, name: $0) })
    } catch {
      await client.shutDown()
      throw error
    }
    await client.shutDown()
  }

  private func serve(
    following cluster: NodeWatch?, of installation: Installation? = nil
  ) async throws {
    try await withThrowingTaskGroup { group in
      if let cluster {
        let somethingChanged = self.somethingChanged
        group.addTask { await cluster.run { somethingChanged.yield() } }
      }
      if let installation { group.addTask { await installation.introduce() } }
      group.addTask { await self.watchManifests() }
      group.addTask { await self.placePods() }
      if let discovery = self.discovery {
        group.addTask { await discovery.run() }
        group.addTask {
          try await self.repeatedly(every: Limit.contactSaveInterval) {
            await discovery.saveContact()
          }
        }
      }
      if let cni = self.cni { group.addTask { await cni.run() } }
      group.addTask { await self.followZTunnel() }
      group.addTask { await self.followAddresses() }
      group.addTask { await self.trust.watch { await self.issuer.authorities } }
      group.addTask { try await self.repeatedly(every: Limit.namespaceCheckInterval, self.tick) }
      group.addTask {
        try await self.repeatedly(every: Limit.authorityCheckInterval, self.lookAtCertificates)
      }
      do {
        try await gracefulShutdown()
      } catch is CancellationError {
        // Cancelled instead of asked: leave as little behind as when asked.
      }
      await shutDown(installation)
      group.cancelAll()
    }
  }

  var isDraining: Bool { drainState.isDraining }

  // MARK: Tasks

  private func watchManifests() async {
    guard let path = settings.configDirectory else {
      if cluster == nil {
        await manifests.placeNothing()
        somethingChanged.yield()
      }
      return await startZTunnel()
    }
    let directory = ManifestDirectory(path: path)
    do {
      try await directory.watch { update in
        await self.take(update)
      }
    } catch {
      // Cancelled.
      return
    }
  }

  private func take(_ update: ManifestUpdate) async {
    if isDraining { return }
    let readAt = MonotonicClock.now()
    switch await manifests.take(update) {
    case .good(let change):
      if settings.source == .manifests,
        let generation = await model.apply(change, receivedAt: readAt)
      {
        let pods = await manifests.placements?.count ?? 0
        logger.info(
          "new generation",
          metadata: [
            "generation": "\(generation)", "pods": "\(pods)",
            "files": "\(update.files.count)",
          ])
      }
      somethingChanged.yield()
    case .refused(let diagnostics):
      let errors = diagnostics.filter { $0.severity == .error }
      for diagnostic in errors.prefix(Limit.diagnosticsShown) {
        logger.error("manifest refused", metadata: ["diagnostic": "\(diagnostic)"])
      }
    }
    await startZTunnel()
  }

  private func startZTunnel() async {
    if !isDraining, await ztunnel.status.state == .stopped { await ztunnel.start() }
  }

  /// Where the pods are; nil before that is known.
  private var placements: [PodPlacement]? {
    get async {
      if let cluster { return await cluster.placements }
      return await manifests.placements
    }
  }

  private var enrolledNamespaces: Set<String> {
    get async {
      if let cluster { return await cluster.enrolledNamespaces }
      return await manifests.enrolledNamespaces
    }
  }

  /// Brings the pods to what is wanted of them, once there is a mesh to enforce.
  private func placePods() async {
    for await _ in changes {
      guard !isDraining, var placements = await placements else { continue }
      if let cni {
        placements = await cni.keeper.take(
          placements, namespaces: await enrolledNamespaces)
      }
      guard await model.hasModel else { continue }
      await enroller.reconcile(placements, node: settings.node)
    }
  }

  private func followAddresses() async {
    for await uid in addresses.changes {
      addresses.willLook(at: uid)
      await enroller.addressesChanged(uid)
    }
  }

  private func tick() async {
    await enroller.tick()
    await enroller.followProber(settings.prober)
  }

  private func lookAtCertificates() async {
    await issuer.tick(demand: await enroller.demand)
  }

  private func repeatedly(every interval: Duration, _ work: () async -> Void) async throws {
    while !Task.isCancelled {
      do {
        try await Task.sleep(for: interval)
      } catch {
        return
      }
      await work()
    }
  }

  // MARK: The end

  private func shutDown(_ installation: Installation?) async {
    await ztunnel.prepareToStop()
    let isLeaving = settings.atExit == .keep ? await installation?.isLeaving() ?? false : true
    if isLeaving {
      await releaseEverything()
    } else {
      logger.info("leaving the pods captured, and ztunnel as it is, for the next node agent")
      drainState.begin()
    }
    await discovery?.save()
    await discovery?.saveContact()
    somethingChanged.finish()
    addresses.stop()
    link.stop()
    if isLeaving { await forgetFiles() }
    logger.info("node agent ended")
  }

  private func releaseEverything() async {
    logger.info("draining", metadata: ["atMost": "\(settings.drain.brief)"])
    drainState.begin()
    let installed = await cni?.leave() ?? []
    if link.peerProcessID != nil, settings.drain > .zero {
      link.send(.drain(deadline: settings.drain))
      await drainState.wait(atMost: settings.drain + Limit.drainGrace) {
        self.link.peerProcessID != nil
      }
    }
    let left = await enroller.releaseAll()
    await ztunnel.stop()
    for line in installed + left + uninstallRedirection(node: settings.node) {
      logger.error("left behind", metadata: ["what": "\(line)"])
    }
  }

  private func forgetFiles() async {
    do throws(LinuxError) {
      try cni?.stop()
      try await issuer.forgetFile()
      try File.remove(settings.agentSocket)
      try File.remove(settings.cgroupFile)
    } catch {
      logger.error("left behind", metadata: ["what": "\(error)"])
    }
  }
}
