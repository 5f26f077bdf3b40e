import Telemetry

/// The cluster whose API says which pods are here, and how far it is followed.
struct ClusterStatus: Codable, Equatable, Sendable {
  struct Resource: Codable, Equatable, Sendable {
    var kind: String
    /// Whether it was read once; nothing is placed before both were.
    var isSynced: Bool
    var objects: Int
    /// Why it may be out of date; absent while it is followed.
    var problem: String?
  }

  /// Where the API server is.
  var server: String
  var resources: [Resource]
  var findingCount: Int
  /// What there is to say about the objects.
  var findings: [DiagnosticStatus]

  /// What keeps pods from being placed, or lets them be out of date.
  var problems: [String] {
    resources.compactMap { resource in
      if let problem = resource.problem {
        let state = resource.isSynced ? "may be out of date" : "not read yet"
        return "the cluster's \(resource.kind) objects: \(state): \(problem)"
      }
      return resource.isSynced ? nil : "the cluster's \(resource.kind) objects: not read yet"
    }
  }
}

extension StatusReport {
  func clusterText(colours: Bool) -> String {
    guard let cluster else {
      return Pairs([("pods", Table.Cell("placed by the manifests"))]).rendered(colours: colours)
    }
    var pairs = [("server", Table.Cell(cluster.server))]
    for resource in cluster.resources {
      let count = "\(resource.objects) objects"
      let cell =
        switch (resource.isSynced, resource.problem) {
        case (true, nil): Table.Cell("\(count), followed", .good)
        case (true, let problem?): Table.Cell("\(count), out of date: \(problem)", .bad)
        case (false, let problem): Table.Cell(problem ?? "not read yet", .bad)
        }
      pairs.append((resource.kind, cell))
    }
    let shown = cluster.findings.map { $0.text + "\n" }.joined()
    let left = cluster.findingCount - cluster.findings.count
    return Pairs(pairs).rendered(colours: colours) + shown
      + (left > 0 ? "… and \(left) more\n" : "")
  }
}
