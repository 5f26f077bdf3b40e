import MeshCompiler

/// The DestinationRules by the full name of their host.
struct SubsetIndex {
  private let hosts: Hosts
  private var rules: [String: [Item]] = [:]
  /// Those for all hosts with an ending.
  private var wildcards: [(ending: Substring, rule: Item)] = []

  init(_ mesh: MeshObjects, _ hosts: Hosts) {
    self.hosts = hosts
    for rule in mesh.items(.destinationRule) {
      guard let host = rule.spec["host"].text else { continue }
      rules[hosts.fullName(host, in: rule.namespace), default: []].append(rule)
      if host.hasPrefix("*") { wildcards.append((host.dropFirst(), rule)) }
    }
  }

  /// Whether the subset a destination names is defined anywhere.
  func check(
    _ destination: Node, host: String, service: ServiceObject?, of item: Item,
    _ mesh: MeshObjects, _ report: inout Report
  ) {
    guard let subset = destination["subset"].text, mesh.knowsAll(.destinationRule) else { return }
    let full = hosts.fullName(host, in: item.namespace)
    let found =
      (rules[full] ?? []) + wildcards.filter { full.hasSuffix($0.ending) }.map(\.rule)
    let names = found.flatMap { $0.spec["subsets"].items.compactMap { $0["name"].text } }
    if names.contains(subset) { return }
    let hint = report.hint(subset, among: names.sorted())
    report.add(
      .subsetMissing, item, at: destination["subset"],
      found.isEmpty
        ? "No DestinationRule is for \(full), so it has no subset \(subset)."
        : "No DestinationRule of \(full) defines a subset \(subset)\(hint).",
      next: "Define it in a DestinationRule with host \(full), or take the subset out.")
  }

  /// Two of one namespace for one host, none of them for some workloads alone.
  func findDuplicates(_ report: inout Report) {
    for (host, rules) in rules {
      let wide = rules.filter { !$0.spec["workloadSelector"].isWritten }
      for (_, same) in Dictionary(grouping: wide, by: \.namespace) where same.count > 1 {
        let ordered = same.sorted { $0.precedes($1) }
        for loser in ordered.dropFirst() {
          report.add(
            .duplicateDestinationRule, loser, at: loser.spec["host"],
            "\(ordered[0].name) is for \(host) too; of the two only that one's policy counts.",
            next: "Put both into one DestinationRule.")
        }
      }
    }
  }
}

/// A DestinationRule by itself: its host, and the pods of its subsets.
func checkRule(_ rule: Item, _ mesh: MeshObjects, _ hosts: Hosts, _ report: inout Report) {
  guard let host = rule.spec["host"].text else { return }
  switch hosts.answer(host, in: rule.namespace) {
  case .nobody(let known):
    let hint = report.hint(host, among: known())
    report.add(
      .hostMissing, rule, at: rule.spec["host"],
      "Nothing is called \(hosts.fullName(host, in: rule.namespace)), so it applies to "
        + "nothing\(hint).",
      next: "Name a Service, or a host of a ServiceEntry.")
  case .service(let service):
    guard !service.selector.isEmpty, mesh.knowsPods(in: service.namespace) else { return }
    for subset in rule.spec["subsets"].items {
      let labels = subset["labels"].labels.merging(service.selector) { own, _ in own }
      guard mesh.selected(by: labels, in: service.namespace).isEmpty else { continue }
      report.add(
        .subsetSelectsNothing, rule, at: subset["labels"],
        "No pod of service \(service.namespace)/\(service.name) has the labels of subset "
          + "\(subset["name"].text ?? "").",
        next: "Compare them with kubectl -n \(service.namespace) get pods --show-labels.")
    }
  case .entry, .several, .unknown: return
  }
}

/// Two VirtualServices that speak for one host towards pods: only the older one counts.
func findDuplicateVirtualServices(_ mesh: MeshObjects, _ hosts: Hosts, _ report: inout Report) {
  var owners: [String: [Item]] = [:]
  let ordered = mesh.items(.virtualService).filter(\.isForMesh).sorted { $0.precedes($1) }
  for item in ordered {
    for (host, node) in item.spec["hosts"].texts {
      let full = hosts.fullName(host, in: item.namespace)
      let owner = owners[full]?.first { item.meets($0) }
      if let owner, owner != item {
        report.add(
          .duplicateVirtualService, item, at: node,
          "\(owner.name) is for \(full) too, and is older, or equally old and first by name: "
            + "only its routes count.",
          next: "Put the routes into one VirtualService.")
      }
      owners[full, default: []].append(item)
    }
  }
}

extension Item {
  /// Whether two are seen by the same pods: one that is exported nowhere is its namespace's alone.
  fileprivate func meets(_ other: Item) -> Bool {
    if namespace == other.namespace { return true }
    return !isPrivate && !other.isPrivate
  }

  private var isPrivate: Bool {
    let words = spec["exportTo"].texts.map(\.text)
    return !words.isEmpty && words.allSatisfy { $0 == "." || $0 == "~" || $0 == namespace }
  }
}
