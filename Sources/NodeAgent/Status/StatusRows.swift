import Telemetry

extension StatusReport {
  var podTable: Table {
    var table = Table(columns: [
      "NAMESPACE", "POD", "STATE", "ADDRESSES", "IDENTITY", "CANARY V4", "CANARY V6", "PROVEN AT",
    ])
    table.rows = pods.map { pod in
      [
        Table.Cell(pod.namespace), Table.Cell(pod.name), Table.Cell(pod.state, pod.tone),
        Table.Cell(pod.addresses.joined(separator: ",")), Table.Cell(pod.identity),
        canaryCell(pod.proof?.canaryIPv4), canaryCell(pod.proof?.canaryIPv6),
        Table.Cell(pod.proof?.provenAt ?? ""),
      ]
    }
    return table
  }

  private func canaryCell(_ result: String?) -> Table.Cell {
    switch result {
    case nil: Table.Cell("")
    case "passed": Table.Cell("passed", .good)
    case "not needed": Table.Cell("not needed")
    case .some: Table.Cell("failed", .bad)
    }
  }

  var certificateTable: Table {
    var table = Table(columns: [
      "IDENTITY", "STATE", "SERIAL", "NOT BEFORE", "NOT AFTER", "RENEWAL", "ROOTS",
    ])
    table.rows = certificates.map { certificate in
      [
        Table.Cell(certificate.identity),
        Table.Cell(certificate.state, certificate.state == "valid" ? .good : .warning),
        Table.Cell(certificate.serialNumber), Table.Cell(certificate.notBefore),
        Table.Cell(certificate.notAfter), Table.Cell(certificate.renewal),
        Table.Cell(String(certificate.roots)),
      ]
    }
    return table
  }

  var connectionTable: Table {
    var table = Table(columns: [
      "ID", "DIRECTION", "TRANSPORT", "SOURCE", "DIALLED", "DESTINATION", "PEER IDENTITY", "AGE",
      "CLIENT BYTES", "SERVER BYTES",
    ])
    table.rows = connections.map { connection in
      let isInbound = connection.direction == "inbound"
      let peer = isInbound ? connection.sourceIdentity : connection.destinationIdentity
      return [
        Table.Cell(connection.id), Table.Cell(connection.direction),
        Table.Cell(connection.transport), Table.Cell(connection.source),
        Table.Cell(connection.originalDestination), Table.Cell(connection.destination),
        Table.Cell(peer ?? ""),
        Table.Cell(Duration.milliseconds(connection.durationMilliseconds).brief),
        Table.Cell(byteText(connection.receivedBytes)), Table.Cell(byteText(connection.sentBytes)),
      ]
    }
    return table
  }

  var tunnelTable: Table {
    var table = Table(columns: [
      "DIRECTION", "POD", "PEER", "PEER IDENTITY", "LOCAL IDENTITY", "STREAMS", "TOTAL", "AGE",
      "STATE",
    ])
    table.rows = tunnels.map { tunnel in
      [
        Table.Cell(tunnel.direction), Table.Cell(tunnel.pod), Table.Cell(tunnel.peer),
        Table.Cell(tunnel.peerIdentity ?? ""), Table.Cell(tunnel.localIdentity),
        Table.Cell(String(tunnel.liveStreams)), Table.Cell(String(tunnel.totalStreams)),
        Table.Cell(Duration.milliseconds(tunnel.ageMilliseconds).brief), Table.Cell(tunnel.state),
      ]
    }
    return table
  }

  var refusalTable: Table {
    var table = Table(columns: [
      "ID", "AT", "COUNT", "DIRECTION", "SOURCE", "SOURCE IDENTITY", "DESTINATION", "CAUSE",
      "POLICY",
      "RULE",
    ])
    table.rows = refusals.map { refusal in
      [
        Table.Cell(refusal.id), Table.Cell(refusal.at), Table.Cell(String(refusal.count)),
        Table.Cell(refusal.direction),
        Table.Cell(refusal.source), Table.Cell(refusal.sourceIdentity ?? ""),
        Table.Cell(refusal.destination), Table.Cell(refusal.cause, .bad),
        Table.Cell(refusal.policy ?? ""), Table.Cell(refusal.rule.map(String.init) ?? ""),
      ]
    }
    return table
  }
}

extension PodStatus {
  fileprivate var tone: Table.Tone {
    switch state {
    case "enrolled": .good
    case "failed", "closed": .bad
    default: .warning
    }
  }
}
