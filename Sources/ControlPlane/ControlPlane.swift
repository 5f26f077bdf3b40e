/// The control plane: it compiles objects into the mesh and serves it to nodes.
///
/// In: manifests, an authority, tokens' rules, the command line. Out: discovery over delta ADS,
/// certificates, status, metrics, logs. Never here: application bytes, a workload's key, what an
/// object means (MeshCompiler), which resource a stream is owed (XDS). Pure files decide
/// (`Placements`, `TokenRules`, `LifetimeRule`, `Allowance`); one owner of each state carries out.
import ArgumentParser
import Linux

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

  static func main() async {
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      end(with: error)
    }
  }

  /// ArgumentParser ends with 64 when the command line is wrong; ours is 2, as in most tools.
  private static func end(with error: any Error) -> Never {
    let code = exitCode(for: error)
    guard code == .validationFailure else { exit(withError: error) }
    CurrentProcess.writeError(fullMessage(for: error))
    exit(withError: ExitCode(2))
  }
}

/// Of this source; `CHANGELOG.md` tells what each version changed.
let skeinVersion = "0.1.0"
