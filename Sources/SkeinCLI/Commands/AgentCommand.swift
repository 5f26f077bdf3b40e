import ArgumentParser
import Commands
import KubernetesClient

struct AgentCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "agent",
    abstract: "Look at the node agents.",
    discussion: """
      Example:
        \(Program.name) agent status
      """,
    subcommands: [AgentStatusCommand.self])
}

struct AgentStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show `node-agent status` of every node, or of one.",
    discussion: """
      The tables and the JSON are those of `node-agent status`, whole or one section: node, redirect, \
      ztunnel, model, control-plane, cluster, cni, pods, certificates, signing, trust, connections, \
      tunnels, refusals. JSON of all nodes has one key for each. Exits 1 when a node is not healthy, \
      or does not answer.

      Examples:
        \(Program.name) agent status
        \(Program.name) agent status pods
        \(Program.name) agent status node-a refusals -o json
      """)

  @Argument(help: "The node; all of them without one.")
  var node: String?

  @Argument(help: "Show this section alone.")
  var section: String?

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var format: OutputOptions

  func run() async throws {
    try await reporting {
      let answers = try await cluster.withClient { client in
        try await ask(Installation(client, cluster))
      }
      write(answers)
      if answers.contains(where: { $0.output?.exitCode != 0 }) { throw unhealthy }
    }
  }

  /// What one node said, or why it did not.
  private struct NodeAnswer: Sendable {
    var node: String
    var output: CommandOutput?
    var problem: String?
  }

  private func ask(_ installation: Installation) async throws -> [NodeAnswer] {
    let agents = try await installation.pods(of: .nodeAgent).filter { !$0.node.isEmpty }
    guard !agents.isEmpty else {
      throw InstallationError.absent(namespace: installation.namespace)
    }
    let choice = try Choice(node, section, nodes: agents.map(\.node))
    let colour = format.colours ? ColourChoice.always : .never
    let words =
      ["status"] + (choice.section.map { [$0] } ?? [])
      + ["-o", format.output.rawValue, "--color", colour.rawValue]
    return await sideBySide(agents.filter { choice.node == nil || choice.node == $0.node }) {
      agent in
      do throws(KubernetesError) {
        let output = try await installation.ask(.nodeAgent, in: agent, words)
        guard output.output.isEmpty else { return NodeAnswer(node: agent.node, output: output) }
        return NodeAnswer(node: agent.node, problem: line(output.error))
      } catch {
        return NodeAnswer(node: agent.node, problem: "\(error)")
      }
    }
  }

  /// Which of two words is what: `status pods` names no node.
  struct Choice: Equatable {
    var node: String?
    var section: String?

    init(_ first: String?, _ second: String?, nodes: [String]) throws {
      guard let first, !nodes.contains(first) else {
        (node, section) = (first, second)
        return
      }
      // A section's name is the agent's to know.
      guard second == nil else { throw InstallationError.noAgent(node: first, known: nodes) }
      section = first
    }
  }

  private func write(_ answers: [NodeAnswer]) {
    for answer in answers {
      guard let problem = answer.problem else { continue }
      StandardError.write("\(Program.name): \(answer.node) does not answer: \(problem)")
    }
    let texts = answers.compactMap { answer in
      answer.output.map { (answer.node, String(decoding: $0.output, as: UTF8.self)) }
    }
    let isAlone = answers.count == 1
    switch format.output {
    case .json where isAlone: for (_, text) in texts { print(text, terminator: "") }
    case .json:
      let fields = texts.map { "\"\($0)\" : \($1.hasSuffix("\n") ? String($1.dropLast()) : $1)" }
      print("{\n\(fields.joined(separator: ",\n"))\n}")
    case .table:
      let parts = texts.map { isAlone ? $1 : "==> \($0)\n\($1)" }
      print(parts.joined(separator: "\n"), terminator: "")
    }
  }
}
