import ArgumentParser
import Commands
import FoundationEssentials
import Linux

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show a running node agent's state, whole or one section.",
    discussion: """
      Exits 0 when the node is healthy, 1 when it is not or no node agent answers. With --ready it exits
      0 also while single pods, certificates or objects are in trouble.

      Examples:
        node-agent status --state-dir /run/skein/a
        node-agent status refusals --state-dir /run/skein/a
        node-agent status pods --state-dir /run/skein/a -o json
        node-agent status --ready --state-dir /run/skein/a
      """)

  @Argument(help: "Show this section alone.")
  var section: StatusSection?

  @Flag(
    help: """
      Only say whether the node takes care of its pods: ztunnel enforces a mesh, and it is known \
      which pods are here. For a readiness probe.
      """)
  var ready = false

  @OptionGroup var state: StateDirectoryOption

  @Option(name: [.customShort("o"), .long], help: "table or json.")
  var output = OutputFormat.table

  @Option(name: .customLong("color"), help: "Colours: auto (on a terminal), always or never.")
  var colour = ColourChoice.auto

  func validate() throws {
    guard !ready || section == nil else {
      throw ValidationError("--ready is about the node: leave \(section?.rawValue ?? "") away")
    }
  }

  func run() async throws {
    let report: StatusReport
    do {
      report = try await AdminClient(stateDirectory: state.path).status(
        section: ready ? .node : section)
    } catch {
      StandardError.write("node-agent: \(error)\n")
      throw unhealthy
    }
    if ready { return try tellReadiness(of: report) }
    switch output {
    case .json: print(try report.json(section: section))
    case .table:
      let colours = colour.shows(
        onTerminal: StandardOutput.isTerminal,
        noColor: ProcessInfo.processInfo.environment["NO_COLOR"])
      print(report.text(section: section, colours: colours), terminator: "")
    }
    if !report.node.isHealthy { throw unhealthy }
  }

  private func tellReadiness(of report: StatusReport) throws {
    let problems = report.readinessProblems
    guard problems.isEmpty else {
      for problem in problems { StandardError.write("node-agent: not ready: \(problem)\n") }
      throw unhealthy
    }
    print("ready")
  }
}
