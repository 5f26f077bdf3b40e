import ArgumentParser
import Commands

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show the whole mesh at a glance, what is wrong first.",
    discussion: """
      Asks the control plane's replicas and the node agent of every node. Exits 0 when the mesh is \
      healthy, 1 when something is wrong or does not answer; each problem is told with the next step.

      Examples:
        \(Program.name) status
        \(Program.name) status -o json
      """)

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var format: OutputOptions

  func run() async throws {
    try await reporting {
      let status = try await cluster.withClient { client in
        try await Installation(client, cluster).facts().status
      }
      switch format.output {
      case .json: print(try jsonText(of: status))
      case .table: print(status.text(colours: format.colours), terminator: "")
      }
      if !status.isHealthy { throw unhealthy }
    }
  }
}

struct ProxyStatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "proxy-status",
    abstract: "Show what each node has taken of the mesh, and how far it is behind.",
    discussion: """
      GENERATION is what the node has answered all of, CURRENT its replica's own; each replica counts \
      for itself. Exits 1 when a node has no stream, or has refused something.

      Example:
        \(Program.name) proxy-status
      """)

  @OptionGroup var cluster: ClusterOptions
  @OptionGroup var format: OutputOptions

  func run() async throws {
    try await reporting {
      let status = try await cluster.withClient { client in
        try await Installation(client, cluster).streams()
      }
      switch format.output {
      case .json: print(try jsonText(of: status))
      case .table: print(status.text(colours: format.colours), terminator: "")
      }
      if !status.isHealthy { throw unhealthy }
    }
  }
}
