import AgentProtocol
import CertificateAuthority
import Linux
import Logging
import Manifests
import MeshCompiler
import MeshModel
import Redirect
import ServiceLifecycle

/// The owners of a running node's state, and the tasks that bring them together.
final class Node: ServiceLifecycle.Service {
  let settings: RunSettings
  let model: ModelKeeper
  let supervisor: Supervisor
  let link: ZTunnelLink
  let inspector: Inspector
  let enroller: Enroller
  let issuer: CertificateIssuer
  let records: RecordKeeper
  let addresses: AddressWatch
  let attachment: EgressHook
  let startedAt: WallTime
  let drainState = DrainState()
  let logger = Logger(label: "node")

  init(_ settings: RunSettings, writer: LogWriter) throws {
    self.settings = settings
    startedAt = WallClock.now()
    issuer = try CertificateIssuer(
      directory: settings.caDirectory, trustDomain: settings.trustDomain,
      lifetime: settings.leafLifetime, file: settings.chainsFile)
    records = RecordKeeper(writer: writer, format: settings.logFormat)
    let redirection = try Redirection(node: settings.node)
    attachment = redirection.attachment
    try redirection.attachProbes(cgroupPath: settings.probeCgroup)
    supervisor = try Supervisor(
      node: settings.node, path: try Node.ztunnelPath(settings),
      arguments: ["--agent", settings.agentSocket], givenCgroup: settings.ztunnelCgroup)
    let cgroup = supervisor.cgroup
    addresses = try AddressWatch()
    link = try ZTunnelLink(path: settings.agentSocket) { processID in
      Node.isInside(cgroup, processID)
    }
    model = ModelKeeper(
      options: CompilerOptions(
        clusterDomain: settings.clusterDomain, trustDomain: settings.trustDomain),
      link: link)
    inspector = Inspector(link: link)
    enroller = try Enroller(
      redirection: redirection, link: link, addresses: addresses, ztunnelCgroup: cgroup)
  }

  private static func ztunnelPath(_ settings: RunSettings) throws -> String {
    let path = try settings.ztunnelPath ?? executableDirectory() + "/ztunnel"
    guard File.exists(path) else { throw RunError.noZTunnel(path: path) }
    return path
  }

  private static func isInside(_ cgroup: ControlGroup, _ processID: Int32) -> Bool {
    do throws(LinuxError) {
      return try cgroup.processes().contains(processID)
    } catch {
      return false
    }
  }

  /// Runs until asked to shut down, then leaves nothing behind.
  func run() async throws {
    logger.info(
      "node agent started",
      metadata: [
        "node": "\(settings.node)", "version": "\(skeinVersion)",
        "attachment": "\(attachment.rawValue)",
      ])
    try await withThrowingTaskGroup { group in
      group.addTask { try await self.watchManifests() }
      group.addTask { await self.followZTunnel() }
      group.addTask { await self.followAddresses() }
      group.addTask { try await self.repeatedly(every: Limit.namespaceCheckInterval, self.tick) }
      group.addTask {
        try await self.repeatedly(every: Limit.authorityCheckInterval, self.reloadAuthority)
      }
      do {
        try await gracefulShutdown()
      } catch is CancellationError {
        // Cancelled instead of asked: leave as little behind as when asked.
      }
      await shutDown()
      group.cancelAll()
    }
  }

  var isDraining: Bool { drainState.isDraining }

  // MARK: Tasks

  private func watchManifests() async throws {
    let directory = ManifestDirectory(path: settings.configDirectory)
    do {
      try await directory.watch { snapshot in
        await self.take(snapshot)
      }
    } catch {
      // Cancelled.
      return
    }
  }

  private func take(_ snapshot: ManifestSnapshot) async {
    if isDraining { return }
    let readAt = MonotonicClock.now()
    switch await model.take(snapshot, readAt: readAt) {
    case .changed(let generation, let placements):
      logger.info(
        "new generation",
        metadata: [
          "generation": "\(generation)", "pods": "\(placements.count)",
          "files": "\(snapshot.files.count)",
        ])
      await enroller.reconcile(placements, node: settings.node)
    case .unchanged: break
    case .refused(let diagnostics):
      let errors = diagnostics.filter { $0.severity == .error }
      for diagnostic in errors.prefix(Limit.diagnosticsShown) {
        logger.error("manifest refused", metadata: ["diagnostic": "\(diagnostic)"])
      }
    }
    if await supervisor.state == .stopped { await supervisor.start() }
  }

  private func followAddresses() async {
    for await uid in addresses.changes {
      addresses.willLook(at: uid)
      await enroller.addressesChanged(uid)
    }
  }

  private func tick() async { await enroller.tick() }

  private func reloadAuthority() async {
    for message in await issuer.reload(identities: await enroller.identities) {
      link.send(message)
    }
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

  private func shutDown() async {
    logger.info("draining", metadata: ["atMost": "\(settings.drain.brief)"])
    drainState.begin()
    await supervisor.prepareToStop()
    if link.peerProcessID != nil, settings.drain > .zero {
      link.send(.drain(deadline: settings.drain))
      await drainState.wait(atMost: settings.drain + Limit.drainGrace) {
        self.link.peerProcessID != nil
      }
    }
    let left = await enroller.releaseAll()
    await supervisor.stop()
    for line in left + uninstallRedirection(node: settings.node) {
      logger.error("left behind", metadata: ["what": "\(line)"])
    }
    addresses.stop()
    link.stop()
    do throws(LinuxError) {
      try await issuer.forgetFile()
      try File.remove(settings.agentSocket)
    } catch {
      logger.error("left behind", metadata: ["what": "\(error)"])
    }
    logger.info("node agent ended")
  }
}
