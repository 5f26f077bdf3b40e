/// The control plane: it compiles objects into the mesh and serves it to nodes.
///
/// In: manifests, an authority, tokens' rules, the command line. Out: discovery over delta ADS,
/// certificates, status, metrics, logs. Never here: application bytes, a workload's key, what an
/// object means (MeshCompiler), which resource a stream is owed (XDS). Pure files decide
/// (`Placements`, `TokenRules`, `LifetimeRule`, `Allowance`); one owner of each state carries out.
import ArgumentParser
import Commands

@main
struct ControlPlaneCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "control-plane",
    abstract: "Serves the mesh's discovery and certificates to its nodes.",
    discussion: """
      Examples:
        control-plane run --config manifests/ --ca-dir /etc/skein/ca \\
          --server-name control.example --token-file /etc/skein/tokens
        control-plane check manifests/
        control-plane status

      Exit codes: 0 healthy, 1 unhealthy, 2 usage.
      """,
    version: skeinVersion,
    subcommands: [
      RunCommand.self, StatusCommand.self, CheckCommand.self, VersionCommand.self,
    ])

  static func main() async { await runFromCommandLine() }
}
