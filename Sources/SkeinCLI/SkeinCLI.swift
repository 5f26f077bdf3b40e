/// The mesh of a cluster, on its user's machine.
///
/// In: the command line, a kubeconfig, what the API server and the mesh's own programs in their pods
/// say. Out: tables and JSON, labels on namespaces, the objects of an installation. Never here: what
/// a pod's traffic is allowed (MeshModel), what a manifest means (MeshCompiler), how a node decides.
import ArgumentParser
import Commands

@main
struct SkeinCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: Program.name,
    abstract: "Installs, inspects and uses the Skein mesh of a Kubernetes cluster.",
    discussion: """
      Examples:
        \(Program.name) install --image registry.example/skein:0.1.0
        \(Program.name) check
        \(Program.name) status
        \(Program.name) enroll shop
        \(Program.name) analyze app.yaml
        \(Program.name) agent status node-a pods
        \(Program.name) explain --from shop/web-5d4f --to 10.0.0.7:80

      The cluster is the one of --kubeconfig, of KUBECONFIG or of ~/.kube/config, as for kubectl; under \
      the name kubectl-skein this program is `kubectl skein`.

      Exit codes: 0 healthy, 1 unhealthy or not done, 2 usage.
      """,
    version: skeinVersion,
    subcommands: [
      InstallCommand.self, UninstallCommand.self, CheckCommand.self, AnalyzeCommand.self,
      StatusCommand.self, AgentCommand.self, ProxyStatusCommand.self, ExplainCommand.self,
      EnrollCommand.self, ReleaseCommand.self, VersionCommand.self,
    ])

  static func main() async { await runFromCommandLine() }
}

/// What this program is called by.
enum Program {
  static let name = commandName(ofPath: CommandLine.arguments.first ?? "")

  /// `kubectl skein` where kubectl runs us as its plugin.
  static func commandName(ofPath path: String) -> String {
    let file = path.split(separator: "/").last.map(String.init) ?? ""
    guard file.hasPrefix("kubectl-") else { return "skein" }
    return "kubectl " + file.dropFirst("kubectl-".count)
  }
}
