import ArgumentParser
import Commands
import KubernetesClient
import Linux
import MeshModel

struct UninstallCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "uninstall",
    abstract: "Take the mesh away: release every pod, and remove what was installed.",
    discussion: """
      The node agents go first: each releases its pods, whose traffic is then as it was, and takes the \
      CNI plugin out of the node. Then everything else goes, the authority and its root included. \
      Asks first, on a terminal; says what is left.

      Examples:
        \(Program.name) uninstall
        \(Program.name) uninstall --yes
        \(Program.name) uninstall --dry-run
      """)

  @Flag(help: "Do not ask.")
  var yes = false

  @Flag(help: "Say what would go; change nothing.")
  var dryRun = false

  @OptionGroup var cluster: ClusterOptions

  func run() async throws {
    try await reporting {
      try await cluster.withClient { client in
        let installer = Installer(
          installation: Installation(client, cluster),
          deadline: MonotonicClock.now() + cluster.changeTime
        ) { StandardError.write($0) }
        let objects = try await installer.present()
        guard !objects.isEmpty else {
          return print("nothing is installed in \(cluster.namespace)")
        }
        let labelled = try await installer.labelledNamespaces()
        for object in objects { print(object) }
        if dryRun { return print("nothing was changed") }
        try confirm(labelled)
        try await installer.uninstall(objects)
        print("nothing is left of the mesh in \(client.configuration.server)")
        for namespace in labelled {
          print(
            "the namespace \(namespace) still asks for a mesh: kubectl label namespace \(namespace) "
              + "\(Membership.label)-")
        }
      }
    }
  }

  private func confirm(_ labelled: [String]) throws(InstallerError) {
    if yes { return }
    guard StandardInput.isTerminal else { throw .nobodyToAsk }
    let enrolled = labelled.isEmpty ? "" : ", and release \(labelled.joined(separator: ", "))"
    StandardError.write("remove all of this\(enrolled)? [y/N]")
    guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
      throw .declined
    }
  }
}
