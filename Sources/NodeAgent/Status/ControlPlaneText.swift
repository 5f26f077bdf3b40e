import Telemetry

extension StatusReport {
  func controlPlaneText(colours: Bool) -> String {
    guard let plane = controlPlane else {
      return Pairs([("source", Table.Cell("the manifests"))]).rendered(colours: colours)
    }
    var pairs: [(String, Table.Cell)] = [
      ("address", Table.Cell(plane.address)),
      (
        "connection",
        Table.Cell(
          "\(plane.connection) since \(plane.since)",
          plane.connection == "connected" ? .good : .warning)
      ),
    ]
    if let next = plane.nextTryAt { pairs.append(("next try", Table.Cell(next))) }
    pairs.append(("last contact", Table.Cell(plane.lastContactAt ?? "never")))
    if plane.isStale {
      let origin = plane.isRestored ? ", read from disk" : ""
      pairs.append(
        ("state", Table.Cell("stale since \(plane.staleSince ?? "the start")\(origin)", .bad)))
    } else {
      pairs.append(("state", Table.Cell("in step", .good)))
    }
    if let error = plane.lastError { pairs.append(("last error", Table.Cell(error, .warning))) }
    pairs.append(("messages", Table.Cell(String(plane.messages))))
    let count = plane.rejectedCount
    pairs.append(("rejected", Table.Cell(String(count), count == 0 ? .plain : .bad)))
    let lines = plane.rejected.map { "\($0.type) \($0.name): \($0.reason)\n" }
    return Pairs(pairs).rendered(colours: colours) + lines.joined()
  }

  func signingText(colours: Bool) -> String {
    let pairs: [(String, Table.Cell)] = [
      ("authority", Table.Cell(signing.authority)),
      ("waiting", Table.Cell(String(signing.waiting))),
      ("under way", Table.Cell(String(signing.underWay))),
      ("issued", Table.Cell(String(signing.issued))),
      ("refused", Table.Cell(String(signing.refused))),
    ]
    let lines = signing.failures.map { failure in
      let next = failure.nextTryAt.map { ", next try \($0)" } ?? ""
      return "\(failure.identity): \(failure.reason) (\(failure.times) times, last "
        + "\(failure.at)\(next))\n"
    }
    return Pairs(pairs).rendered(colours: colours) + lines.joined()
  }
}
