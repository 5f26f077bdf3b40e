import MeshModel

/// Who may see a service; `nobody` keeps it out of the mesh.
enum Visibility: Equatable {
  case everyone
  case ownNamespace
  case nobody
}

extension ObjectReader {
  /// The words of `exportTo`.
  ///
  /// Namespaces by name cannot be told to nodes: then the own one alone sees it, which is said.
  mutating func visibility(_ words: [Written<String>]) -> Visibility {
    guard let first = words.first else { return .everyone }
    let values = Set(words.map(\.value))
    if values.contains("*") { return .everyone }
    if values == ["~"] { return .nobody }
    if values != ["."] {
      report(
        .refusal, .notEnforcedAsWritten, at: first.path, line: first.line,
        "seen in its own namespace only: expected \"*\", \".\" or \"~\", single namespaces cannot "
          + "be told to nodes")
    }
    return .ownNamespace
  }

  /// The annotation's words, separated by commas.
  mutating func visibility(annotations: Fields) -> Visibility {
    guard let written = string(annotations[Key.exportTo]) else { return .everyone }
    let words = written.value.split(separator: ",").map { word in
      Written(
        value: String(word.drop { $0 == " " }), path: written.path, line: written.line)
    }
    return visibility(words)
  }

  /// `spec.trafficDistribution`; nil when it says nothing.
  mutating func distribution(_ field: Field?) -> LoadBalancing? {
    word(field, of: ["PreferClose", "PreferSameZone", "PreferSameNode"])
      .flatMap(LoadBalancing.init(distribution:))
  }

  /// The annotation, on a service or its namespace.
  mutating func distribution(annotations: Fields) -> LoadBalancing? {
    word(
      annotations[Key.trafficDistribution],
      of: ["Any", "PreferClose", "PreferSameZone", "PreferSameNode"]
    ).flatMap(LoadBalancing.init(distribution:))
  }
}

extension LoadBalancing {
  /// Source: ambient-protocol.md, section 3.3.
  fileprivate init?(distribution word: String) {
    switch word {
    case "Any": self.init()
    case "PreferClose", "PreferSameZone":
      self.init(mode: .failover, preferences: [.network, .region, .zone])
    case "PreferSameNode":
      self.init(mode: .failover, preferences: [.network, .region, .zone, .subzone, .node])
    default: return nil
    }
  }
}
