import MeshAnalysis
import MeshCompiler
import Testing

@Suite struct `A cluster has what the mesh needs, or hears what to change` {
  /// What is read of a cluster, in YAML; nil is what could not be read.
  struct Row: CustomTestStringConvertible, Sendable {
    var says: String
    var version: String? = "v1.31.2"
    var nodes: [String]? = [node("a")]
    var features: [NodeFeature] = []
    var daemonSets: [String]? = []
    var webhooks: [String]? = []
    var cilium: String?
    var felix: String?
    var objects: [String] = []
    var unread: Set<ObjectKind> = []
    var rights: [Right: Bool] = [Right("list", "nodes"): true]
    /// Such as `node a bad`: those that are not good.
    var finds: [String] = []
    var words: [String] = []
    var testDescription: String { says }

    func found() -> [Prerequisite] {
      var facts = ClusterFacts(namespace: "skein-system")
      facts.version = version
      facts.nodes = nodes.map(values)
      if !features.isEmpty { facts.features = ["a": features] }
      facts.daemonSets = daemonSets.map(values)
      facts.webhooks = webhooks.map(values)
      facts.cilium = cilium.flatMap { values([$0]).first }
      facts.felix = felix.flatMap { values([$0]).first }
      facts.objects = MeshAnalysisTests.objects(objects)
      facts.unread = unread
      facts.rights = rights
      return prerequisites(facts)
    }

    private func values(_ manifests: [String]) -> [ManifestValue] {
      manifests.isEmpty ? [] : MeshAnalysisTests.objects(manifests).map(\.root)
    }
  }

  private static func node(
    _ name: String, kernel: String = "6.8.0-45-generic", taints: String = "",
    system: String = "linux"
  ) -> String {
    object(
      "Node", "v1", name, in: nil,
      "spec: {taints: [\(taints)]}, status: {nodeInfo: {kernelVersion: \(kernel), "
        + "operatingSystem: \(system)}}")
  }

  private static func daemonSet(
    _ name: String, in namespace: String, _ spec: String = ""
  ) -> String {
    object("DaemonSet", "apps/v1", name, in: namespace, "spec: {template: {spec: {\(spec)}}}")
  }

  private static func cilium(_ data: String) -> String {
    object("ConfigMap", "v1", "cilium-config", in: "kube-system", "data: {\(data)}")
  }

  private static func webhook(_ name: String) -> String {
    object(
      "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", name, in: nil)
  }

  private static let taint = "{key: dedicated, value: gpu, effect: NoSchedule}"

  static let nodeRows: [Row] = [
    Row(says: "nothing is missing"),
    Row(says: "old", version: "v1.19.3", finds: ["version Kubernetes bad"]),
    Row(
      says: "1.20", version: "v1.20.5", finds: ["version Kubernetes warning"],
      words: ["manifests/base"]),
    Row(says: "no version", version: nil, finds: ["version Kubernetes unknown"]),
    Row(says: "an old kernel", nodes: [node("a", kernel: "5.15.0-1")], finds: ["node a bad"]),
    Row(
      says: "no tcx", nodes: [node("a", kernel: "6.1.0")], finds: ["node a warning"],
      words: ["tcx"]),
    Row(
      says: "another system", nodes: [node("a", system: "windows")], finds: ["node a warning"]),
    Row(
      says: "what the node itself says counts more", nodes: [node("a", kernel: "5.15.0")],
      features: [
        NodeFeature(name: "tcx", isRequired: false, isWorking: true, otherwise: "-"),
        NodeFeature(
          name: "sk_lookup", isRequired: true, isWorking: false, otherwise: "no pod is enrolled"),
      ], finds: ["node a bad"], words: ["sk_lookup", "check --system"]),
    Row(
      says: "a taint before the installation", nodes: [node("a", taints: taint)]),
    Row(
      says: "a taint that keeps the agent away", nodes: [node("a", taints: taint)],
      daemonSets: [daemonSet("node-agent", in: "skein-system")], finds: ["node a bad"],
      words: ["dedicated:NoSchedule", "{operator: Exists}"]),
    Row(
      says: "a taint that is tolerated",
      nodes: [
        node("a", taints: taint), node("b", taints: "{key: x, effect: PreferNoSchedule}"),
        node("c", taints: "{key: node.kubernetes.io/unreachable, effect: NoExecute}"),
      ],
      daemonSets: [
        daemonSet(
          "node-agent", in: "skein-system",
          "tolerations: [{key: dedicated, value: gpu, effect: NoSchedule}]")
      ]),
    Row(
      says: "a selector that leaves the node out",
      daemonSets: [daemonSet("node-agent", in: "skein-system", "nodeSelector: {disk: ssd}")],
      finds: ["node a warning"], words: ["disk=ssd"]),
    Row(says: "no nodes", nodes: nil, finds: ["node nodes unknown"]),
  ]

  static let networkRows: [Row] = [
    Row(
      says: "Cilium as it comes", cilium: cilium("cni-exclusive: \"true\""),
      finds: ["network Cilium bad"], words: ["cni.exclusive=false"]),
    Row(
      says: "Cilium instead of kube-proxy",
      cilium: cilium("cni-exclusive: \"false\", kube-proxy-replacement: \"true\""),
      finds: ["network Cilium warning", "network Cilium bad"],
      words: ["bpf.hostLegacyRouting=true"]),
    Row(
      says: "Cilium as it should be",
      cilium: cilium(
        "cni-exclusive: \"false\", kube-proxy-replacement: \"true\", "
          + "bpf-lb-sock-hostns-only: \"true\", enable-host-legacy-routing: \"true\"")),
    Row(
      says: "Cilium with netkit",
      cilium: cilium("cni-exclusive: \"false\", datapath-mode: netkit"),
      finds: ["network Cilium warning"], words: ["bpf.datapathMode=veth"]),
    Row(
      says: "Calico's eBPF",
      felix: object(
        "FelixConfiguration", "crd.projectcalico.org/v1", "default", in: nil,
        "spec: {bpfEnabled: true}"),
      finds: ["network Calico bad"], words: ["\"bpfConnectTimeLoadBalancing\":\"Disabled\""]),
    Row(
      says: "Calico's eBPF as it should be",
      felix: object(
        "FelixConfiguration", "crd.projectcalico.org/v1", "default", in: nil,
        "spec: {bpfEnabled: true, bpfConnectTimeLoadBalancing: Disabled}")),
    Row(
      says: "Istio's and Linkerd's",
      daemonSets: [
        daemonSet("istio-cni-node", in: "istio-system"), daemonSet("ztunnel", in: "istio-system"),
        daemonSet("linkerd-cni", in: "linkerd-cni"), daemonSet("kube-proxy", in: "kube-system"),
      ],
      finds: [
        "network istio-system/istio-cni-node bad", "network istio-system/ztunnel bad",
        "network linkerd-cni/linkerd-cni warning",
      ]),
    Row(says: "no DaemonSets", daemonSets: nil, finds: ["network plugins unknown"]),
    Row(
      says: "sidecar injectors",
      webhooks: [
        webhook("istio-sidecar-injector"), webhook("linkerd-proxy-injector-webhook-config"),
        webhook("vpa"),
      ],
      finds: [
        "injector istio-sidecar-injector warning",
        "injector linkerd-proxy-injector-webhook-config warning",
      ], words: ["istio-injection"]),
    Row(says: "no webhooks", webhooks: nil, finds: ["injector webhooks unknown"]),
  ]

  static let placeRows: [Row] = [
    Row(
      says: "a policy that blocks, and one that will",
      objects: healthy + [
        networkPolicy("np", "podSelector: {}, ingress: [{ports: [{port: 8080}]}]"),
        networkPolicy("m", in: "old", "podSelector: {}, ingress: [{ports: [{port: 8080}]}]"),
      ],
      finds: ["network policy old/m warning", "network policy shop/np bad"],
      words: ["once the namespace is enrolled", "kubectl -n old patch networkpolicy m"]),
    Row(
      says: "no policies", unread: [.networkPolicy], finds: ["network policy port 15008 unknown"]),
    Row(
      says: "a namespace whose pods are refused",
      objects: [
        namespace("skein-system", labels: "pod-security.kubernetes.io/enforce: restricted")
      ],
      finds: ["pod security skein-system bad"],
      words: [
        "kubectl label --overwrite namespace skein-system "
          + "pod-security.kubernetes.io/enforce=privileged"
      ]),
    Row(
      says: "a namespace that says nothing", objects: [namespace("skein-system", labels: "")],
      finds: ["pod security skein-system warning"]),
    Row(
      says: "a namespace as it should be",
      objects: [
        namespace("skein-system", labels: "pod-security.kubernetes.io/enforce: privileged")
      ]),
    Row(
      says: "rights that are missing",
      rights: [
        Right("create", "daemonsets", group: "apps", namespace: "skein-system"): false,
        Right("list", "nodes"): true,
      ], finds: ["rights you bad"],
      words: [
        "may not create daemonsets in skein-system",
        "{apiGroups: [\"apps\"], resources: [daemonsets], verbs: [create]}",
      ]),
    Row(says: "no rights", rights: [:], finds: ["rights you unknown"]),
  ]

  @Test(arguments: nodeRows + networkRows + placeRows) func `where there is`(row: Row) {
    let found = row.found()
    let bad = found.filter { $0.outcome != .good }
    #expect(
      bad.map { "\($0.area.rawValue) \($0.subject) \($0.outcome.rawValue)" } == row.finds)
    let text = bad.first.map { "\($0.message) \($0.nextStep)" } ?? ""
    for word in row.words { #expect(text.contains(word), "\(text)") }
    let areas = Set(found.map(\.area))
    #expect(areas == Set(Prerequisite.Area.allCases), "each is spoken of")
  }
}
