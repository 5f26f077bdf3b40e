import MeshCompiler

/// What each node's kernel has, and whether node-agent runs there.
func nodeFindings(_ facts: ClusterFacts) -> [Prerequisite] {
  guard let nodes = facts.nodes else {
    return [Prerequisite(.node, "nodes", .unknown, "they could not be read")]
  }
  let daemonSet = (facts.daemonSets ?? []).map { Node($0) }.first { set in
    set["metadata"]["namespace"].text == facts.namespace
      && set["metadata"]["name"].text == "node-agent"
  }
  return nodes.flatMap { value in
    let node = Node(value)
    let name = node["metadata"]["name"].text ?? ""
    let system = node["status"]["nodeInfo"]["operatingSystem"].text ?? "linux"
    guard system == "linux" else {
      return [
        Prerequisite(.node, name, .warning, "runs \(system): its pods are not in the mesh")
      ]
    }
    var found = kernelFindings(node, name)
    if let features = facts.features[name] { found = featureFindings(features, name) }
    if let daemonSet { found += placementFindings(node, name, daemonSet) }
    return found
  }
}

/// What a kernel's release says; what it really has says `node-agent check --system`.
///
/// Source: docs of the redirection; sk_lookup tells lo by ingress_ifindex from 5.17, tcx is of 6.6.
private func kernelFindings(_ node: Node, _ name: String) -> [Prerequisite] {
  guard let text = node["status"]["nodeInfo"]["kernelVersion"].text else {
    return [Prerequisite(.node, name, .unknown, "does not say its kernel's release")]
  }
  let release = Release(text)
  if release < Release(major: 5, minor: 17) {
    return [
      Prerequisite(
        .node, name, .bad, "kernel \(text) is older than 5.17: no pod is enrolled there",
        next: "Upgrade its kernel, or keep node-agent off it and its pods out of the mesh.")
    ]
  }
  if release < Release(major: 6, minor: 6) {
    return [
      Prerequisite(
        .node, name, .warning,
        "kernel \(text) has no tcx (6.6): a pod with CAP_NET_ADMIN can take its own capture off",
        next: "Upgrade its kernel, or drop NET_ADMIN in pods.")
    ]
  }
  return [Prerequisite(.node, name, .good, "kernel \(text)")]
}

private func featureFindings(_ features: [NodeFeature], _ name: String) -> [Prerequisite] {
  let missing = features.filter { !$0.isWorking }
  if missing.isEmpty {
    return [Prerequisite(.node, name, .good, "all \(features.count) features work")]
  }
  return missing.map { feature in
    Prerequisite(
      .node, name, feature.isRequired ? .bad : .warning,
      "\(feature.name) does not work: \(feature.otherwise)",
      next: "Look at node-agent check --system there.")
  }
}

/// Whether the scheduler puts node-agent there.
private func placementFindings(
  _ node: Node, _ name: String, _ daemonSet: Node
) -> [Prerequisite] {
  let pod = daemonSet["spec"]["template"]["spec"]
  let labels = node["metadata"]["labels"].labels
  if let unmet = pod["nodeSelector"].labels.sorted(by: { $0.key < $1.key })
    .first(where: { labels[$0.key] != $0.value })
  {
    return [
      Prerequisite(
        .node, name, .warning,
        "node-agent does not run there: the node has no label \(unmet.key)=\(unmet.value)",
        next:
          "Take it out of spec.template.spec.nodeSelector of DaemonSet node-agent, or label the "
          + "node.")
    ]
  }
  let tolerations = pod["tolerations"].items
  let repelling = node["spec"]["taints"].items.first { taint in
    let effect = taint["effect"].text ?? ""
    // A DaemonSet's pods tolerate what the node's own condition puts there.
    guard effect != "PreferNoSchedule",
      taint["key"].text?.hasPrefix("node.kubernetes.io/") != true
    else { return false }
    return !tolerations.contains { $0.tolerates(taint) }
  }
  guard let repelling else { return [] }
  let taint = "\(repelling["key"].text ?? ""):\(repelling["effect"].text ?? "")"
  return [
    Prerequisite(
      .node, name, .bad, "its taint \(taint) keeps node-agent away: its pods are not captured",
      next: "Add {operator: Exists} to spec.template.spec.tolerations of DaemonSet node-agent.")
  ]
}

extension Node {
  /// Source: core/v1 Toleration.
  fileprivate func tolerates(_ taint: Node) -> Bool {
    if let effect = self["effect"].text, !effect.isEmpty, effect != taint["effect"].text {
      return false
    }
    let key = self["key"].text ?? ""
    if self["operator"].text == "Exists" { return key.isEmpty || key == taint["key"].text }
    return key == taint["key"].text && (self["value"].text ?? "") == (taint["value"].text ?? "")
  }
}
