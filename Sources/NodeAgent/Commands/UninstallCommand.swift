import ArgumentParser
import Commands
import Linux

struct UninstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "uninstall",
    abstract: "Remove everything a node agent left behind after a crash.",
    discussion: """
      Takes the CNI plugin out of the runtime's networks, ends ztunnel, releases every pod and removes
      programs, pins, rules, routes, cgroups and sockets. Certificates of --ca-dir stay. Refuses while the node agent runs.

      Example:
        node-agent uninstall --node a --state-dir /run/skein/a
      """)

  @Option(help: "The name of the node.")
  var node: String

  @OptionGroup var state: StateDirectoryOption

  @Option(help: "The cgroup that was given to run, if one was; its processes end, it stays.")
  var ztunnelCgroup: String?

  @OptionGroup var cni: CNIPlaceOptions

  func validate() throws {
    try validateNodeName(node)
    try cni.validate()
  }

  func run() async throws {
    do {
      try await uninstall()
    } catch {
      StandardError.write("node-agent: \(error)")
      throw unhealthy
    }
  }

  private func uninstall() async throws {
    guard CurrentProcess.isRoot else { throw RunError.notRoot }
    let lock = try lockStateDirectory()
    // While it is there pods wait for an agent that is gone.
    var left = try cni.installation(stateDirectory: state.path)?.remove() ?? []
    left += try await endZTunnel()
    left += uninstallRedirection(node: node)
    if lock != nil {
      for name in RunSettings.filesKept where left.isEmpty || !name.hasPrefix("cni-") {
        try File.remove("\(state.path)/\(name)")
      }
    }
    withExtendedLifetime(lock) {}
    for line in left { StandardError.write("left behind: \(line)") }
    if !left.isEmpty { throw unhealthy }
    print("node \(node): nothing is left")
  }

  /// Nil when there is no state directory any more.
  private func lockStateDirectory() throws -> SharedDescriptor? {
    guard Directory.exists(state.path) else { return nil }
    guard let lock = try File.lock("\(state.path)/lock") else {
      throw RunError.stateDirectoryInUse(state.path)
    }
    return SharedDescriptor(lock)
  }

  private func endZTunnel() async throws -> [String] {
    if let ztunnelCgroup { try ControlGroup(path: ztunnelCgroup).kill() }
    guard let nodeGroup = try ControlGroup.root().child("skein")?.child(node) else { return [] }
    guard let group = try nodeGroup.child("ztunnel") else {
      try await removeControlGroups([nodeGroup])
      return []
    }
    if try !group.processes().isEmpty { try group.kill() }
    try await removeControlGroups([group, nodeGroup])
    return File.exists(nodeGroup.path) ? ["cgroup \(nodeGroup.path)"] : []
  }
}
