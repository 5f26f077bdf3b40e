import MeshCompiler

/// Routes that are never taken, because an earlier one takes all that they would.
func checkShadows(_ routes: [Node], of item: Item, _ report: inout Report) {
  var earlier: [(route: Node, match: RouteMatch)] = []
  for route in routes.prefix(Limit.comparedRoutes) {
    let matches = RouteMatch.all(of: route)
    let shadows = matches.map { match in earlier.first { $0.match.takesAll(of: match) }?.route }
    if let shadow = shadows.first ?? nil, shadows.allSatisfy({ $0 != nil }) {
      report.add(
        .shadowedRoute, item, at: route,
        "It is never taken: \(shadow.path) stands before it and takes all that it would.",
        next: "Put it before \(shadow.path), or narrow that one's match.")
    }
    earlier += matches.map { (route, $0) }
  }
}

/// What one match of a route asks for.
private struct RouteMatch {
  /// Empty for one that takes everything.
  let conditions: [String: ManifestValue.Content]
  let uri: (kind: String, value: String)?

  /// A route without a match takes everything.
  static func all(of route: Node) -> [RouteMatch] {
    let matches = route["match"].items
    return matches.isEmpty ? [RouteMatch(conditions: [:], uri: nil)] : matches.map(RouteMatch.init)
  }

  private init(conditions: [String: ManifestValue.Content], uri: (String, String)?) {
    self.conditions = conditions
    self.uri = uri
  }

  private init(_ node: Node) {
    var conditions: [String: ManifestValue.Content] = [:]
    for entry in node.entries where entry.key != "name" && entry.key != "uri" {
      if !Node(entry.value).isEmpty { conditions[entry.key] = entry.value.content.withoutLines }
    }
    let kind = ["exact", "prefix", "regex"].first { node["uri"][$0].text != nil }
    let uri = kind.map { ($0, node["uri"][$0].text ?? "") }
    if let uri, (uri.0 == "prefix" && uri.1 == "/") || (uri.0 == "regex" && uri.1 == ".*") {
      self.init(conditions: conditions, uri: nil)
    } else {
      self.init(conditions: conditions, uri: uri)
    }
  }

  /// Whether whatever the other takes this one takes as well.
  func takesAll(of other: RouteMatch) -> Bool {
    guard conditions.allSatisfy({ other.conditions[$0.key] == $0.value }) else { return false }
    guard let uri else { return true }
    guard let wanted = other.uri else { return false }
    if uri == wanted { return true }
    return uri.kind == "prefix" && wanted.kind != "regex" && wanted.value.hasPrefix(uri.value)
  }
}

extension ManifestValue.Content {
  /// The same wherever it is written.
  fileprivate var withoutLines: Self {
    switch self {
    case .sequence(let items):
      .sequence(items.map { ManifestValue($0.content.withoutLines, line: 0) })
    case .mapping(let entries):
      .mapping(
        entries.sorted { $0.key < $1.key }.map {
          .init(key: $0.key, line: 0, value: ManifestValue($0.value.content.withoutLines, line: 0))
        })
    case .null, .boolean, .integer, .number, .string: self
    }
  }
}
