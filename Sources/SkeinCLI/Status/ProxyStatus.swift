import Telemetry

/// What each node has taken of the mesh, as JSON writes it; the keys are a promise to users.
struct ProxyStatus: Codable, Hashable, Sendable {
  struct Node: Codable, Hashable, Sendable {
    var node: String
    /// The replica it has its stream from; absent without one.
    var replica: String?
    var peer: String?
    var since: String?
    /// What it has answered all of.
    var generation: UInt64?
    /// The replica's own.
    var current: UInt64?
    var lag: UInt64?
    /// Responses that it did not take.
    var refused: UInt64
    var lastRefusal: String?
  }

  var nodes: [Node]
  var problems: [String]

  var isHealthy: Bool { problems.isEmpty }

  /// `agents` are the nodes that should have a stream.
  init(replicas: [(name: String, report: Answer<PlaneReport>)], agents: [String]) {
    var nodes: [Node] = []
    var problems: [String] = []
    for (name, answer) in replicas {
      switch answer {
      case .problem(let problem): problems.append("\(name): \(problem)")
      case .value(let report):
        nodes += report.streams.map { Node($0, of: report, replica: name) }
        let untold = report.streamCount - report.streams.count
        if untold > 0 { problems.append("\(name): \(untold) of its streams are not told of") }
      }
    }
    for node in nodes where node.refused > 0 {
      let reason = node.lastRefusal.map { ", the last: \($0)" } ?? ""
      problems.append(
        "\(node.node) refused \(node.refused) responses\(reason); see: \(Program.name) agent status "
          + "\(node.node) control-plane")
    }
    let served = Set(nodes.map(\.node))
    for node in Set(agents).subtracting(served).sorted() where !node.isEmpty {
      nodes.append(Node(node: node, refused: 0))
      problems.append(
        "\(node) has no stream; see: \(Program.name) agent status \(node) control-plane")
    }
    self.nodes = nodes.sorted { ($0.node, $0.since ?? "") < ($1.node, $1.since ?? "") }
    self.problems = problems
  }

  func text(colours: Bool) -> String {
    var table = Table(columns: [
      "NODE", "REPLICA", "GENERATION", "CURRENT", "LAG", "REFUSED", "SINCE",
    ])
    table.rows = nodes.map { node in
      [
        Table.Cell(node.node),
        Table.Cell(node.replica ?? "none", node.replica == nil ? .bad : .plain),
        Table.Cell(number(node.generation)), Table.Cell(number(node.current)),
        Table.Cell(number(node.lag), node.lag ?? 0 == 0 ? .plain : .warning),
        Table.Cell("\(node.refused)", node.refused == 0 ? .plain : .bad),
        Table.Cell(node.since ?? ""),
      ]
    }
    return table.rendered(colours: colours)
      + (problems.isEmpty ? "" : "\n" + problems.map { "\($0)\n" }.joined())
  }
}

extension ProxyStatus.Node {
  init(_ stream: PlaneReport.Stream, of report: PlaneReport, replica: String) {
    let place = NodeStream(stream: stream, current: report.mesh.generation)
    self.init(
      node: stream.node, replica: replica, peer: stream.peer, since: stream.since,
      generation: stream.generation, current: report.mesh.generation, lag: place.lag,
      refused: stream.refused, lastRefusal: stream.lastRefusal)
  }
}
