/// The node's privileged half: it brings pods into the mesh and keeps ztunnel alive.
///
/// In: manifests, the command line, what ztunnel reports. Out: enrolled pods, certificates, status,
/// metrics, logs. Never here: application bytes, private keys of workloads, policy decisions for
/// live traffic. Pure files decide (`EnrolmentPlan`, `PodEnrolment`, `Proof`, `Explanation`); one
/// actor per owner of state carries out.
import ArgumentParser
import Commands

@main
struct NodeAgentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "node-agent",
    abstract: "Enrols a node's pods into the Skein mesh and looks after them.",
    discussion: """
      Examples:
        node-agent run --node a --config manifests/ --state-dir /run/skein/a --ca-dir /etc/skein/ca
        node-agent status --state-dir /run/skein/a
        node-agent explain --from shop/web --to 10.0.0.7:80 --state-dir /run/skein/a
        node-agent check manifests/

      Exit codes: 0 healthy, 1 unhealthy, 2 usage.
      """,
    version: skeinVersion,
    subcommands: [
      RunCommand.self, StatusCommand.self, ExplainCommand.self, CheckCommand.self,
      UninstallCommand.self, VersionCommand.self,
    ])

  static func main() async { await runFromCommandLine() }
}
