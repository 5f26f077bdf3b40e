import ArgumentParser
import Commands
import Manifests
import MeshCompiler
import MeshModel

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Say what would become of a connection, without sending anything.",
    discussion: """
      Asks the running node agent, or decides from manifests alone with --config. Exits 0 when the
      connection would pass, 1 when it would be denied or refused.

      Examples:
        node-agent explain --from shop/web --to 10.0.0.7:80 --state-dir /run/skein/a
        node-agent explain --from shop/web --to [fd00::7]:80 --config manifests/
      """)

  @Option(help: "The pod that dials, as NAMESPACE/POD.")
  var from: String

  @Option(help: "What it dials, as ADDRESS:PORT.")
  var to: AddressArgument

  @OptionGroup var state: StateDirectoryOption

  @Option(name: .customLong("config"), help: "Decide from the manifests in this directory.")
  var configDirectory: String?

  @Option(help: "The first part of every identity, with --config.")
  var trustDomain = "cluster.local"

  @Option(help: "The last part of every service's host name, with --config.")
  var clusterDomain = "cluster.local"

  @Option(name: [.customShort("o"), .long], help: "table or json.")
  var output = OutputFormat.table

  func run() async throws {
    let explanation: Explanation
    do {
      explanation = try await decide()
    } catch {
      StandardError.write("node-agent: \(error)\n")
      throw unhealthy
    }
    switch output {
    case .json: print(try jsonText(of: explanation))
    case .table: print(explanation.text, terminator: "")
    }
    if explanation.outcome == "denied" || explanation.outcome == "refused" { throw unhealthy }
  }

  private func decide() async throws -> Explanation {
    guard let configDirectory else {
      return try await AdminClient(stateDirectory: state.path)
        .explanation(from: from, to: to.address.description)
    }
    let options = CompilerOptions(clusterDomain: clusterDomain, trustDomain: trustDomain)
    let compilation = ManifestDirectory(path: configDirectory).read().compiled(options: options)
    for diagnostic in compilation.diagnostics where diagnostic.severity != .warning {
      StandardError.write("\(diagnostic)\n")
    }
    if compilation.hasErrors { throw ManifestsRefused() }
    return try MeshIndex(compilation.model).explanation(from: from, to: to.address)
  }
}

/// The manifests have errors, which were written before.
struct ManifestsRefused: Error, CustomStringConvertible {
  var description: String { "the manifests have errors; nothing can be decided from them" }
}
