import MeshCompiler

/// The pods of a namespace by their labels: a selector looks only at those that share its rarest.
struct LabelIndex: Sendable {
  private struct Label: Hashable {
    var key: String
    var value: String
  }

  private(set) var pods: [PodSource] = []
  private var places: [Label: [Int]] = [:]

  mutating func add(_ pod: PodSource) {
    for (key, value) in pod.labels {
      places[Label(key: key, value: value), default: []].append(pods.count)
    }
    pods.append(pod)
  }

  /// The pods that carry all these labels.
  func selected(by labels: [String: String]) -> [PodSource] {
    guard !labels.isEmpty else { return pods }
    var rarest: [Int]?
    for (key, value) in labels {
      guard let holders = places[Label(key: key, value: value)] else { return [] }
      if holders.count < rarest?.count ?? Int.max { rarest = holders }
    }
    return (rarest ?? []).map { pods[$0] }
      .filter { pod in labels.allSatisfy { pod.labels[$0.key] == $0.value } }
  }

  /// The pods that a Kubernetes label selector takes.
  func selected(by selector: Node) -> [PodSource] {
    selected(by: selector["matchLabels"].labels)
      .filter { selector.expressionsHold(for: $0.labels) }
  }
}

extension Node {
  /// Whether a Kubernetes label selector takes these labels.
  func selects(_ labels: [String: String]) -> Bool {
    self["matchLabels"].labels.allSatisfy { labels[$0.key] == $0.value }
      && expressionsHold(for: labels)
  }

  /// Source: meta/v1 LabelSelectorRequirement.
  func expressionsHold(for labels: [String: String]) -> Bool {
    self["matchExpressions"].items.allSatisfy { expression in
      guard let key = expression["key"].text else { return true }
      let values = Set(expression["values"].texts.map(\.text))
      switch expression["operator"].text {
      case "In": return labels[key].map(values.contains) ?? false
      case "NotIn": return labels[key].map { !values.contains($0) } ?? true
      case "Exists": return labels[key] != nil
      case "DoesNotExist": return labels[key] == nil
      default: return true
      }
    }
  }
}
