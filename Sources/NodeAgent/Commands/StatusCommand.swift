import ArgumentParser
import Commands
import FoundationEssentials
import Linux

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show a running node agent's state, whole or one section.",
    discussion: """
      Exits 0 when the node is healthy, 1 when it is not or no node agent answers.

      Examples:
        node-agent status --state-dir /run/skein/a
        node-agent status refusals --state-dir /run/skein/a
        node-agent status pods --state-dir /run/skein/a -o json
      """)

  @Argument(help: "Show this section alone.")
  var section: StatusSection?

  @OptionGroup var state: StateDirectoryOption

  @Option(name: [.customShort("o"), .long], help: "table or json.")
  var output = OutputFormat.table

  @Option(name: .customLong("color"), help: "Colours: auto (on a terminal), always or never.")
  var colour = ColourChoice.auto

  func run() async throws {
    let report: StatusReport
    do {
      report = try await AdminClient(stateDirectory: state.path).status(section: section)
    } catch {
      StandardError.write("node-agent: \(error)\n")
      throw unhealthy
    }
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
}
