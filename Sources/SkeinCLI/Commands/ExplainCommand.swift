import ArgumentParser
import Commands
import FoundationEssentials
import KubernetesClient
import MeshCompiler

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Say what would become of a connection, without sending anything.",
    discussion: """
      Asks the node agent where the pod runs: the answer is what ztunnel would do there now. Exits 0 \
      when the connection would pass, 1 when it would be denied or refused.

      Examples:
        \(Program.name) explain --from shop/web-5d4f --to 10.0.0.7:80
        \(Program.name) explain --from shop/web-5d4f --to [fd00::7]:80 -o json
      """)

  @Option(help: "The pod that dials, as NAMESPACE/POD.")
  var from: String

  @Option(help: "What it dials, as ADDRESS:PORT.")
  var to: String

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var format: OutputOptions

  func validate() throws {
    guard ObjectName(slashed: from) != nil else {
      throw ValidationError("--from is NAMESPACE/POD, not \"\(from)\"")
    }
  }

  func run() async throws {
    try await reporting {
      guard let source = ObjectName(slashed: from) else { return }
      let output = try await cluster.withClient { client in
        let pod = try await client.object(
          .pods, namespace: source.namespace, name: source.name)
        guard let pod else { throw ExplainError.noPod(source) }
        guard let node = pod["spec"]?["nodeName"]?.text else { throw ExplainError.noNode(source) }
        let installation = Installation(client, cluster)
        let agent = try await installation.agent(on: node)
        return try await installation.ask(
          .nodeAgent, in: agent,
          ["explain", "--from", from, "--to", to, "-o", format.output.rawValue])
      }
      print(String(decoding: output.output, as: UTF8.self), terminator: "")
      if !output.error.isEmpty {
        StandardError.write(String(decoding: output.error, as: UTF8.self))
      }
      if output.exitCode != 0 { throw ExitCode(Int32(clamping: output.exitCode)) }
    }
  }
}

/// Why nobody can be asked about a pod.
enum ExplainError: Error, Equatable, CustomStringConvertible {
  case noPod(ObjectName)
  case noNode(ObjectName)

  var description: String {
    switch self {
    case .noPod(let pod):
      "there is no pod \(pod); see: kubectl -n \(pod.namespace) get pods"
    case .noNode(let pod):
      "\(pod) has no node yet; see: kubectl -n \(pod.namespace) describe pod \(pod.name)"
    }
  }
}
