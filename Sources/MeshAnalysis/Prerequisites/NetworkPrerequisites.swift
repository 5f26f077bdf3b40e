import MeshCompiler

/// Whether the pods' network leaves ours in place.
///
/// Sources: the options of Cilium's agent in its ConfigMap and its chart, Calico's
/// FelixConfiguration reference, Istio's and Linkerd's installations.
func networkFindings(_ facts: ClusterFacts) -> [Prerequisite] {
  guard let daemonSets = facts.daemonSets?.map({ Node($0) }) else {
    return [Prerequisite(.network, "plugins", .unknown, "DaemonSets were not read")]
  }
  var found = captureFindings(daemonSets)
  if let cilium = facts.cilium { found += ciliumFindings(Node(cilium)["data"].labels) }
  if let felix = facts.felix { found += felixFindings(Node(felix)["spec"]) }
  return found.isEmpty
    ? [Prerequisite(.network, "plugins", .good, "nothing known to be in the way")] : found
}

/// Others that redirect the connections of pods.
private func captureFindings(_ daemonSets: [Node]) -> [Prerequisite] {
  let others: [(name: String, outcome: Prerequisite.Outcome, message: String, next: String)] = [
    (
      "istio-cni-node", .bad, "Istio's CNI plugin redirects the pods of ambient namespaces as well",
      "Uninstall Istio's chart cni, or keep the label istio.io/dataplane-mode off all namespaces "
        + "until then."
    ),
    (
      "ztunnel", .bad, "Istio's ztunnel serves the pods of ambient namespaces as well",
      "Uninstall Istio's charts ztunnel and cni."
    ),
    (
      "linkerd-cni", .warning, "Linkerd redirects pods that have its sidecar",
      "Keep linkerd.io/inject off the namespaces that Skein is to have."
    ),
    (
      "kube-multus-ds", .warning,
      "Multus has not been tried with Skein; every interface of a pod is captured, added ones too",
      "Opt a pod out whose second interface shall not be: label istio.io/dataplane-mode=none."
    ),
  ]
  return daemonSets.compactMap { set in
    guard let name = set["metadata"]["name"].text,
      let other = others.first(where: { $0.name == name })
    else { return nil }
    let namespace = set["metadata"]["namespace"].text ?? ""
    return Prerequisite(
      .network, "\(namespace)/\(name)", other.outcome, other.message, next: other.next)
  }
}

private func ciliumFindings(_ data: [String: String]) -> [Prerequisite] {
  var found: [Prerequisite] = []
  if data["cni-exclusive"] != "false" {
    found.append(
      Prerequisite(
        .network, "Cilium", .bad,
        "cni-exclusive: it takes other plugins out of the nodes' CNI configuration, ours too",
        next: "Helm value cni.exclusive=false (ConfigMap cilium-config, cni-exclusive: \"false\").")
    )
  }
  let replaces = ["true", "strict", "probe", "partial"].contains(data["kube-proxy-replacement"])
  if replaces || data["bpf-lb-sock"] == "true", data["bpf-lb-sock-hostns-only"] != "true" {
    found.append(
      Prerequisite(
        .network, "Cilium", .bad,
        "its socket load balancer puts a pod's address in place of a service's before the mesh "
          + "sees the connection: waypoints of services would be gone round",
        next: "Helm value socketLB.hostNamespaceOnly=true (ConfigMap cilium-config, "
          + "bpf-lb-sock-hostns-only: \"true\"), then restart its agents."))
  }
  if replaces, data["enable-host-legacy-routing"] != "true" {
    found.append(
      Prerequisite(
        .network, "Cilium", .warning, "BPF host routing has not been tried with Skein",
        next: "Where pods do not reach each other: Helm value bpf.hostLegacyRouting=true."))
  }
  if let mode = data["datapath-mode"], mode != "veth" {
    found.append(
      Prerequisite(
        .network, "Cilium", .warning, "datapath-mode \(mode) has not been tried with Skein",
        next: "Where pods are not captured: Helm value bpf.datapathMode=veth."))
  }
  return found
}

private func felixFindings(_ spec: Node) -> [Prerequisite] {
  guard spec["bpfEnabled"].isTrue, spec["bpfConnectTimeLoadBalancing"].text != "Disabled" else {
    return []
  }
  return [
    Prerequisite(
      .network, "Calico", .bad,
      "its connect-time load balancing puts a pod's address in place of a service's before the "
        + "mesh sees the connection: waypoints of services would be gone round",
      next: "kubectl patch felixconfiguration default --type=merge -p '{\"spec\":"
        + "{\"bpfConnectTimeLoadBalancing\":\"Disabled\","
        + "\"bpfHostNetworkedNATWithoutCTLB\":\"Enabled\"}}'")
  ]
}
