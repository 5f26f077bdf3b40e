import MeshCompiler

/// A pod, or the template that pods are made of.
struct PodSource: Sendable {
  let item: Item
  /// Of the pods, which for a template are not those of the object.
  let labels: [String: String]
  let annotations: [String: String]
  let spec: Node
  let account: String
  let isHostNetwork: Bool
  let isTemplate: Bool
  let isFinished: Bool
  /// True where nothing says otherwise.
  let isReady: Bool
  /// TCP ports that containers declare.
  let ports: [Port]
  let enrolment: Enrolment

  struct Port: Sendable {
    var name: String
    var number: Int
  }

  var namespace: String { item.namespace }
  var isEnrolled: Bool { enrolment.isEnrolled }

  /// - namespaceLabels: those that enrol.
  init?(_ item: Item, namespaceLabels: [String: String], _ options: CompilerOptions) {
    guard let template = Self.template(item) else { return nil }
    self.item = item
    isTemplate = item.kind != .pod
    labels = isTemplate ? template["metadata"]["labels"].labels : item.labels
    annotations = template["metadata"]["annotations"].labels
    spec = template["spec"]
    account = spec["serviceAccountName"].text ?? spec["serviceAccount"].text ?? "default"
    isHostNetwork = spec["hostNetwork"].isTrue
    let status = item.root["status"]
    let phase = isTemplate ? nil : status["phase"].text
    isFinished = phase == "Succeeded" || phase == "Failed"
    let conditions = isTemplate ? [] : status["conditions"].items
    isReady = conditions.allSatisfy { $0["type"].text != "Ready" || $0["status"].text == "True" }
    ports = Self.ports(spec)
    enrolment = Self.enrolment(
      labels, annotations, isHostNetwork: isHostNetwork, isFinished: isFinished,
      namespaceLabels, options)
  }

  /// Where the pod is described; nil for an object that makes none of its own.
  private static func template(_ item: Item) -> Node? {
    switch item.kind {
    case .pod: return item.root
    // A ReplicaSet or Job with an owner says what the owner says already.
    case .replicaSet, .job:
      return item.root["metadata"]["ownerReferences"].items.isEmpty ? item.spec["template"] : nil
    case .deployment, .statefulSet, .daemonSet: return item.spec["template"]
    case .cronJob: return item.spec["jobTemplate"]["spec"]["template"]
    default: return nil
    }
  }

  private static func ports(_ spec: Node) -> [Port] {
    var ports: [Port] = []
    for key in ["containers", "initContainers"] {
      for container in spec[key].items
      where key == "containers" || container["restartPolicy"].text == "Always" {
        for port in container["ports"].items {
          guard let number = port["containerPort"].integer,
            (port["protocol"].text ?? "TCP") == "TCP"
          else { continue }
          ports.append(Port(name: port["name"].text ?? "", number: number))
        }
      }
    }
    return ports
  }

  /// As the compiler decides it, without addresses: a template has none.
  private static func enrolment(
    _ labels: [String: String], _ annotations: [String: String], isHostNetwork: Bool,
    isFinished: Bool, _ namespaceLabels: [String: String], _ options: CompilerOptions
  ) -> Enrolment {
    let mode = labels[Key.dataplaneMode]
    if labels[Key.tunnel] == "http" { return .notEnrolled(.nativeTunnel) }
    if mode == "none" { return .notEnrolled(.optedOut) }
    if mode != "ambient", namespaceLabels[Key.dataplaneMode] != "ambient" {
      let isInjected =
        options.enrolsInjectionLabel && namespaceLabels[Key.injection] == "enabled"
        && namespaceLabels[Key.dataplaneMode] == nil
      guard isInjected else { return .notEnrolled(.notLabelled) }
      if labels[Key.sidecarInjection] == "false" || annotations[Key.sidecarInjection] == "false" {
        return .notEnrolled(.noInjection)
      }
    }
    if isHostNetwork { return .notEnrolled(.hostNetwork) }
    if isFinished { return .notEnrolled(.finished) }
    if annotations[Key.sidecarStatus] != nil { return .notEnrolled(.sidecar) }
    return .enrolled
  }
}
