import CNI
import Linux
import Logging
import MeshModel

/// Keeps the plugin's program and its place in the runtime's networks.
///
/// The program comes first: a network that names one that is not there starts no pod.
actor PluginInstaller {
  private enum State: String {
    /// There is no network yet, or the mesh was not read yet.
    case waiting
    case chained
    case refused
  }

  private let settings: CNISettings
  private let installation: CNIInstallation
  private let record: String
  private let source: String
  private let plugin: JSONValue
  private let logger = Logger(label: "cni")

  private var state = State.waiting
  private var chosen: String?
  private var problems: [String] = []
  private var isRecorded = false
  private var wasChained = false
  private var repairs: UInt64 = 0
  /// The program as it was when it was found to be ours.
  private var program: PlainFile?
  private var hasLeft = false

  init(_ settings: CNISettings, source: String, record: String) {
    self.settings = settings
    self.source = source
    self.record = record
    installation = CNIInstallation(settings)
    plugin = NetworkList.plugin(
      agentSocket: settings.socket, enrolledFile: settings.enrolledFile,
      isOpenWithoutList: settings.isOpenWithoutList)
  }

  /// Looks whenever one of the two directories changes, until cancelled.
  func watch() async {
    var watch = FileWatch(["\(settings.configDirectory)/.", installation.program])
    look()
    while !Task.isCancelled {
      do {
        try await Task.sleep(for: FileWatch.tick)
      } catch {
        return
      }
      if watch.isTimeToRead(at: MonotonicClock.now()) { look() }
    }
  }

  private func look() {
    if hasLeft { return }
    let before = problems
    problems = []
    do {
      let isThere = try keepProgram()
      let directory = try NetworkFolder.read(settings.configDirectory)
      let plan = isThere ? chainPlan(directory, plugin) : unchainPlan(directory)
      problems += plan.problems.map { "\(settings.configDirectory)/\($0)" }
      for step in plan.steps { try NetworkFolder.carryOut(step, in: settings.configDirectory) }
      if !plan.steps.isEmpty { tell(plan) }
      chosen = plan.chosen.map(isThere ? NetworkList.listName : { $0 })
    } catch let error as LinuxError where error.isNotFound {
      // A runtime makes the directory when it has a network.
      chosen = nil
    } catch {
      problems.append("\(error)")
    }
    state = problems.isEmpty ? (chosen == nil ? .waiting : .chained) : .refused
    if state == .chained { wasChained = true }
    for problem in problems where !before.contains(problem) {
      logger.error("the CNI plugin is not in place", metadata: ["reason": "\(problem)"])
    }
  }

  private func tell(_ plan: NetworkPlan) {
    if wasChained { repairs += 1 }
    let files = plan.steps.map { step in
      switch step {
      case .write(let name, _, _): "\(name) written"
      case .rename(let name, let other): "\(name) renamed to \(other)"
      case .remove(let name): "\(name) removed"
      }
    }
    logger.info(
      wasChained ? "networks mended" : "networks changed",
      metadata: [
        "directory": "\(settings.configDirectory)", "files": "\(files.joined(separator: ", "))",
      ])
  }

  // MARK: The program

  /// Whether there is a program to be called, of this build if that is possible.
  private func keepProgram() throws -> Bool {
    let path = installation.program
    let found = PlainFile(path)
    if let found, found == program { return true }
    guard Directory.exists(settings.programDirectory) else {
      problems.append(
        "\(settings.programDirectory) is no directory; give the runtime's with --cni-bin-dir")
      return false
    }
    guard found != nil || !File.exists(path) else {
      problems.append("\(path) is no plain file; remove it")
      return false
    }
    do {
      try recordInstallation()
      let bytes = try File.read(source, atMost: Limit.pluginBytes)
      if try found == nil || File.read(path, atMost: Limit.pluginBytes) != bytes {
        try File.replace(path, with: bytes, mode: 0o755)
        logger.info("plugin copied", metadata: ["from": "\(source)", "to": "\(path)"])
      }
      program = PlainFile(path)
      return true
    } catch {
      problems.append("\(path) is not ours: \(error)")
      return found != nil
    }
  }

  private func recordInstallation() throws {
    if isRecorded { return }
    try File.replace(record, with: try jsonBytes(of: installation))
    isRecorded = true
  }

  // MARK: The end

  /// Takes everything out again; a line for each thing that stays.
  func leave() -> [String] {
    hasLeft = true
    let left = installation.remove()
    do throws(LinuxError) {
      if left.isEmpty { try File.remove(record) }
      return left
    } catch {
      return left + ["\(error)"]
    }
  }

  func complete(_ status: inout CNIStatus) {
    status.state = state.rawValue
    status.configDirectory = settings.configDirectory
    status.programDirectory = settings.programDirectory
    status.configFile = chosen
    status.repairs = repairs
    status.problems += problems
  }
}
