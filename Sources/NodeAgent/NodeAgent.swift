/// The node's privileged half: it brings pods into the mesh and keeps ztunnel alive.
///
/// In: manifests, the command line, what ztunnel reports. Out: enrolled pods, certificates, status,
/// metrics, logs. Never here: application bytes, private keys of workloads, policy decisions for
/// live traffic. Pure files decide (`EnrolmentPlan`, `PodEnrolment`, `Proof`, `Explanation`); one
/// actor per owner of state carries out.
import ArgumentParser

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
    StandardError.write(fullMessage(for: error) + "\n")
    exit(withError: ExitCode(2))
  }
}

/// Of this source; `CHANGELOG.md` tells what each version changed.
let skeinVersion = "0.1.0"
