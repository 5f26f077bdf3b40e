import ControlAPI
import KubernetesClient
import Linux
import Logging
import Manifests
import MeshCompiler
import MeshModel
import ServiceLifecycle
import Telemetry
import UnixSignals

/// Why a control plane does not start.
enum RunError: Error, Equatable, CustomStringConvertible {
  case noConfigDirectory(String)
  case cannotListen(String)
  case badTokens(path: String, TokenFileError)

  var description: String {
    switch self {
    case .noConfigDirectory(let path): "--config \(path) is no directory"
    case .badTokens(let path, let error): "\(path): \(error)"
    case .cannotListen(let address):
      "cannot listen at \(address); is something else there, and is the address of this machine?"
    }
  }
}

/// Runs the control plane until a signal ends it.
func runControlPlane(_ settings: RunSettings) async throws {
  if case .directory(let path) = settings.source, !Directory.exists(path) {
    throw RunError.noConfigDirectory(path)
  }
  try CurrentProcess.ignoreBrokenPipe()
  CurrentProcess.mapAllocations(from: Limit.mappedBytes)
  _ = try CurrentProcess.raiseDescriptorLimit()
  let writer = try LogWriter()
  LoggingSystem.bootstrap { label in
    LineLogHandler(scope: label, writer: writer, format: settings.logFormat)
  }
  defer { writer.finish() }
  let core = try await Core(settings)
  // They end in the opposite order: status is there to the last.
  var services: [any ServiceLifecycle.Service] = []
  if let address = settings.admin {
    services.append(
      AdminServer.application(address: address, core: core, hasStatus: true, logger: core.logger))
  }
  if let address = settings.metrics {
    services.append(
      AdminServer.application(address: address, core: core, hasStatus: false, logger: core.logger))
  }
  services.append(CoreService(core: core))
  var quiet = core.logger
  quiet.logLevel = .warning
  let group = ServiceGroup(
    services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
  try await group.run()
}

/// Reads, serves and keeps what may change up to date.
struct CoreService: ServiceLifecycle.Service {
  let core: Core

  func run() async throws {
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await watchObjects() }
        group.addTask { await watchFiles() }
        group.addTask { await sayWhere() }
        group.addTask { await core.clusterAuthority?.run(core.signer) }
        try await serve()
        group.cancelAll()
      }
      await core.clusterWatch?.client.shutDown()
    } onGracefulShutdown: {
      core.logger.info("shutting down")
      core.publisher.shutDown()
      core.server.beginShutdown()
    }
  }

  private func serve() async throws {
    do throws(ControlError) {
      try await core.server.run()
    } catch {
      let address = "\(core.settings.host):\(core.settings.port)"
      core.logger.error("not served", metadata: ["address": "\(address)", "reason": "\(error)"])
      throw RunError.cannotListen(address)
    }
  }

  private func sayWhere() async {
    guard let port = await core.server.port else { return }
    core.logger.info(
      "serving discovery and certificates",
      metadata: ["host": "\(core.settings.host)", "port": "\(port)"])
  }

  private func watchObjects() async {
    switch core.settings.source {
    case .directory(let path): await watchManifests(path)
    case .cluster:
      await core.clusterWatch?.run { compilation, change, readAt in
        await core.take(compilation, change, readAt: readAt)
      }
    }
  }

  private func watchManifests(_ path: String) async {
    var compiler = Compiler(options: core.settings.compilerOptions)
    do throws(CancellationError) {
      try await ManifestDirectory(path: path).watch { update, readAt in
        let compilation = compiler.compiled(after: update)
        // What is refused is told of later, with what is good again.
        let change = compilation.hasErrors ? nil : compiler.takeChange()
        await core.take(compilation, change, readAt: readAt)
      }
    } catch {
      // The service is ending.
    }
  }

  /// Takes up what callers' proofs are judged by; true when something of it changed.
  private func reloadProofs(_ keyChanges: inout UInt64) async -> Bool {
    var hasChanged = false
    if core.tokens?.reload() ?? false {
      core.logger.info("tokens reloaded")
      hasChanged = true
    }
    if core.revocations?.reload(authorities: await core.signer.authorities) ?? false {
      core.logger.info("revocations reloaded")
      hasChanged = true
    }
    await core.keys?.refresh(at: MonotonicClock.now())
    let changes = await core.keys?.changes ?? 0
    if changes != keyChanges {
      core.logger.info("issuer's keys changed")
      (keyChanges, hasChanged) = (changes, true)
    }
    return hasChanged
  }

  /// Takes up changed authority files, TLS files and tokens; says so when they are wrong.
  ///
  /// What is wrong at one look only is not said: at a start nothing of a cluster has been read yet.
  private func watchFiles() async {
    var (before, said): (Set<String>, Set<String>) = ([], [])
    var keyChanges = await core.keys?.changes ?? 0
    while true {
      let isAuthorityNew = await core.signer.reload()
      if isAuthorityNew { core.logger.info("certificate authority reloaded") }
      if await core.serving.renew(core.server, isAuthorityNew: isAuthorityNew) {
        core.logger.info("serving certificate in force")
      }
      let areProofsNew = await reloadProofs(&keyChanges)
      if isAuthorityNew || areProofsNew { core.register.trustChanged() }
      core.register.wakeOverdue(at: WallClock.now())
      let problems = Set(await core.status().problems.filter { $0.contains(": ") })
      said.formIntersection(problems)
      for problem in problems.intersection(before).subtracting(said).sorted() {
        core.logger.error("not taken up", metadata: ["reason": "\(problem)"])
        said.insert(problem)
      }
      before = problems
      // What compiling and first responses took is free by now.
      CurrentProcess.trimHeap()
      do {
        try await Task.sleep(for: Limit.fileInterval)
      } catch {
        return
      }
    }
  }
}
