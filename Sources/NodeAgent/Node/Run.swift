import FoundationEssentials
import Linux
import Logging
import MeshModel
import Redirect
import ServiceLifecycle
import Telemetry
import UnixSignals

/// Why a node agent does not start.
enum RunError: Error, Equatable {
  case notRoot
  case stateDirectoryInUse(String)
  case noConfigDirectory(String)
  /// Somebody else could put keys and sockets of theirs into it.
  case directoryOfOthers(String, reason: String)
  case noZTunnel(path: String)
  case noPlugin(path: String)
}

extension RunError: CustomStringConvertible {
  var description: String {
    switch self {
    case .notRoot: "run as root: enrolment needs CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_BPF"
    case .stateDirectoryInUse(let path):
      "another node agent uses \(path); give each its own --state-dir"
    case .directoryOfOthers(let path, let reason):
      "\(path) \(reason): keys and sockets need a directory of their own, root's and closed to "
        + "others; give one that does not exist yet, or one with mode 0700"
    case .noConfigDirectory(let path): "--config \(path) is no directory"
    case .noZTunnel(let path): "no ztunnel at \(path); build it, or give its path with --ztunnel"
    case .noPlugin(let path):
      "no skein-cni at \(path); build it, or give its path with --cni-plugin"
    }
  }
}

/// Runs the node agent until a signal ends it.
func runNode(_ settings: RunSettings) async throws {
  guard CurrentProcess.isRoot else { throw RunError.notRoot }
  if let directory = settings.configDirectory, !Directory.exists(directory) {
    throw RunError.noConfigDirectory(directory)
  }
  let lock = try await claimStateDirectory(settings)
  if case .directory(let path) = settings.authority, Directory.exists(path) {
    try requireUnshared(path, owner: 0)
  }
  try CurrentProcess.ignoreBrokenPipe()
  _ = try CurrentProcess.raiseDescriptorLimit()
  let writer = try LogWriter()
  LoggingSystem.bootstrap { label in
    LineLogHandler(scope: label, writer: writer, format: settings.logFormat)
  }
  do {
    try await serve(settings, writer)
  } catch {
    writer.finish()
    throw error
  }
  writer.finish()
  withExtendedLifetime(lock) {}
}

private func serve(_ settings: RunSettings, _ writer: LogWriter) async throws {
  let logger = Logger(label: "node")
  try await retireZTunnel(of: settings)
  try CNIInstallation.retire(
    in: settings.stateDirectory, except: settings.cni.map { CNIInstallation($0) })
  let node = try await Node(settings, writer: writer)
  // They end in the opposite order: status is there to the last.
  var services: [any ServiceLifecycle.Service] = [
    AdminServer.application(path: settings.adminSocket, node: node, logger: logger)
  ]
  if let address = settings.metricsAddress {
    services.append(MetricsServer.application(address: address, node: node, logger: logger))
  }
  services.append(node)
  var quiet = logger
  quiet.logLevel = .warning
  let group = ServiceGroup(
    services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
  try await group.run()
}

/// The lock that says whose directory it is, held while the node agent lives.
private func claimStateDirectory(_ settings: RunSettings) async throws -> SharedDescriptor {
  try Directory.makeAll(settings.stateDirectory, mode: 0o700)
  // One in use for other things, such as /run, is not ours to close.
  let names = try Directory.entries(settings.stateDirectory)
  let isOurs = names.isEmpty || names.contains("lock")
  try requireUnshared(settings.stateDirectory, owner: 0, forbidding: isOurs ? 0 : 0o077)
  try FileManager.default.setAttributes(
    [.posixPermissions: 0o700], ofItemAtPath: settings.stateDirectory)
  // One that was killed a moment ago may still be on its way out.
  let deadline = MonotonicClock.now() + Limit.lockWait
  while true {
    if let lock = try File.lock(settings.lockFile) { return SharedDescriptor(lock) }
    guard MonotonicClock.now() < deadline else {
      throw RunError.stateDirectoryInUse(settings.stateDirectory)
    }
    try await Task.sleep(for: .milliseconds(20))
  }
}

/// Refuses a directory that was made by somebody else, or whose mode has any of the bits given: by
/// default, one that others may write to.
func requireUnshared(_ path: String, owner: Int, forbidding bits: Int = 0o022) throws {
  // The directory itself, should the path be a link to it.
  let attributes = try FileManager.default.attributesOfItem(atPath: path + "/.")
  // A number of either kind, by which Foundation is linked.
  func number(_ key: FileAttributeKey) -> Int? {
    attributes[key] as? Int ?? (attributes[key] as? UInt).map { Int($0) }
  }
  guard let found = number(.ownerAccountID), let mode = number(.posixPermissions)
  else { throw RunError.directoryOfOthers(path, reason: "tells no owner") }
  guard found == owner else {
    throw RunError.directoryOfOthers(path, reason: "belongs to user \(found)")
  }
  guard mode & bits == 0 else {
    throw RunError.directoryOfOthers(
      path, reason: "is open to others (mode \(String(mode & 0o7777, radix: 8)))")
  }
}

/// Where this program's file lies.
func executableDirectory() throws -> String {
  let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  return path.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
}

/// Takes away what the node's pins say is there; a line for each thing that stays.
func uninstallRedirection(node: String) -> [String] {
  do throws(RedirectError) {
    return try Redirection.uninstall(node: node)
  } catch {
    return ["\(error)"]
  }
}
