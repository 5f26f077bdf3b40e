import CNI
import Linux
import Logging

/// Where the plugin was put; kept in the state directory, so that whoever leaves knows.
struct CNIInstallation: Codable, Equatable, Sendable {
  var configDirectory: String
  var programDirectory: String

  init(configDirectory: String, programDirectory: String) {
    self.configDirectory = configDirectory
    self.programDirectory = programDirectory
  }

  init(_ settings: CNISettings) {
    self.init(
      configDirectory: settings.configDirectory, programDirectory: settings.programDirectory)
  }

  var program: String { "\(programDirectory)/\(NetworkList.pluginType)" }

  static func file(in stateDirectory: String) -> String { "\(stateDirectory)/cni-installation" }

  /// Nil when nothing was put anywhere.
  static func recorded(in stateDirectory: String) throws -> CNIInstallation? {
    let path = file(in: stateDirectory)
    guard File.exists(path) else { return nil }
    return try decoded(CNIInstallation.self, from: try File.read(path, atMost: 1 << 16))
  }

  /// Takes the plugin out of every network, then its program; a line for each thing that stays.
  ///
  /// A program that a network still names stays: without it no pod of the node would start.
  func remove() -> [String] {
    do throws(LinuxError) {
      if !Directory.exists(configDirectory) { return try removeProgram() }
      let plan = unchainPlan(try NetworkFolder.read(configDirectory))
      for step in plan.steps { try NetworkFolder.carryOut(step, in: configDirectory) }
      let problems = plan.problems.map { "\(configDirectory)/\($0)" }
      return problems.isEmpty ? try removeProgram() : problems + ["\(program): still named there"]
    } catch {
      return ["\(error)"]
    }
  }

  /// Takes out what an earlier node agent put elsewhere than now's: nobody answers there any more.
  static func retire(in stateDirectory: String, except current: CNIInstallation?) throws {
    guard let former = try recorded(in: stateDirectory), former != current else { return }
    let logger = Logger(label: "cni")
    let left = former.remove()
    for line in left { logger.error("left behind", metadata: ["what": "\(line)"]) }
    if left.isEmpty {
      logger.info(
        "plugin removed where it is not wanted any more",
        metadata: ["directory": "\(former.configDirectory)"])
      try File.remove(file(in: stateDirectory))
    }
  }

  private func removeProgram() throws(LinuxError) -> [String] {
    if PlainFile(program) != nil { try File.remove(program) }
    return []
  }
}
