import Telemetry

extension MeshStatus {
  /// For people: the control plane, the nodes, what is wrong first.
  func text(colours: Bool) -> String {
    let health =
      isHealthy ? Table.Cell("healthy", .good) : Table.Cell("unhealthy", .bad)
    var text = "mesh in \(namespace): \(health.tone.paint(health.text, colours: colours))"
    text += ", \(workloads) workloads, \(services) services, \(policies) policies\n\n"
    text += replicaTable.rendered(colours: colours) + "\n"
    text += nodeTable.rendered(colours: colours)
    guard !problems.isEmpty else { return text }
    text += "\n" + problems.prefix(Limit.problems).map { "\($0)\n" }.joined()
    let left = problems.count - Limit.problems
    return left > 0 ? text + "… and \(left) more: -o json has all\n" : text
  }

  private var replicaTable: Table {
    var table = Table(columns: [
      "CONTROL PLANE", "NODE", "STATE", "LEADER", "VERSION", "GENERATION", "STREAMS",
    ])
    table.rows = replicas.map { replica in
      [
        Table.Cell(replica.name), Table.Cell(replica.node),
        replica.isReady ? Table.Cell("ready", .good) : Table.Cell("not ready", .bad),
        Table.Cell(replica.isLeader ? "leads" : ""), Table.Cell(replica.version ?? ""),
        Table.Cell(number(replica.generation)), Table.Cell(number(replica.streams)),
      ]
    }
    return table
  }

  private var nodeTable: Table {
    var table = Table(columns: [
      "NODE", "AGENT", "VERSION", "ZTUNNEL", "GENERATION", "LAG", "ENROLLED", "FAILED",
    ])
    table.rows = nodes.map { node in
      [
        Table.Cell(node.name), Table.Cell(node.agent, node.agent == "ready" ? .good : .bad),
        Table.Cell(node.version ?? ""),
        Table.Cell(node.ztunnel ?? "", node.ztunnel == "not connected" ? .bad : .plain),
        Table.Cell(number(node.generation)),
        Table.Cell(number(node.lag), node.lag ?? 0 == 0 ? .plain : .warning),
        Table.Cell(number(node.enrolled)),
        Table.Cell(number(node.failed), node.failed ?? 0 == 0 ? .plain : .bad),
      ]
    }
    return table
  }
}

/// Empty when it is not known.
func number<Value: BinaryInteger>(_ value: Value?) -> String { value.map { "\($0)" } ?? "" }
