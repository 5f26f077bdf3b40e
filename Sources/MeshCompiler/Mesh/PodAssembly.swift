import MeshModel

/// Turns pods into workloads and placements.
struct PodAssembly {
  private let catalog: Catalog
  private(set) var workloads: [String: Workload] = [:]
  private(set) var placements: [PodPlacement] = []
  private(set) var diagnostics: [Diagnostic] = []
  /// By workload uid, for those in the model.
  private(set) var manifests: [String: PodManifest] = [:]
  private var addressOwners: [IPAddress: Origin] = [:]
  private var uidOwners: [String: Origin] = [:]
  private var undeclared: Set<String> = []

  init(_ catalog: Catalog) {
    self.catalog = catalog
    for pod in catalog.pods { add(pod) }
    placements.sort { ($0.namespace, $0.name) < ($1.namespace, $1.name) }
  }

  private mutating func add(_ pod: PodManifest) {
    let workload = workload(pod)
    let enrolment = enrolment(pod)
    check(pod, workload, enrolment)
    placements.append(
      PodPlacement(
        uid: uid(pod), workloadUID: workload.uid, namespace: workload.namespace,
        name: workload.name, node: pod.node, networkNamespace: pod.networkNamespace,
        addresses: workload.addresses, identity: workload.identity, enrolment: enrolment,
        dnsCapture: pod.dnsCapture))
    guard !pod.isFinished, !workload.addresses.isEmpty else { return }
    workloads[workload.uid] = workload
    workloads[workload.uid]?.tunnelProtocol = enrolment.isEnrolled ? .hbone : .none
    if enrolment == .notEnrolled(.nativeTunnel) {
      workloads[workload.uid]?.tunnelProtocol = .hbone
      workloads[workload.uid]?.isNativeTunnel = true
    }
    manifests[workload.uid] = pod
  }

  private func workload(_ pod: PodManifest) -> Workload {
    let metadata = pod.metadata
    let labels = metadata.labels
    var workload = Workload(
      uid: "\(catalog.options.clusterID)//Pod/\(metadata.namespace)/\(metadata.name)",
      name: metadata.name, namespace: metadata.namespace)
    workload.serviceAccount = pod.serviceAccount?.value ?? "default"
    workload.trustDomain = pod.trustDomain ?? catalog.options.trustDomain
    workload.clusterID = catalog.options.clusterID
    workload.addresses = pod.addresses.map(\.value)
    workload.node = pod.node
    workload.health = pod.health
    workload.isHostNetwork = pod.isHostNetwork
    workload.workloadName = workloadName(metadata)
    workload.kind = kind(metadata)
    workload.locality = catalog.nodes[pod.node] ?? Locality()
    workload.network = labels[Key.network] ?? catalog.network
    workload.applicationTunnel = applicationTunnel(metadata)
    workload.canonicalName =
      Key.canonicalNames.lazy.compactMap { labels[$0] }.first ?? workload.workloadName
    workload.canonicalRevision =
      Key.canonicalRevisions.lazy.compactMap { labels[$0] }.first ?? "latest"
    return workload
  }

  private func enrolment(_ pod: PodManifest) -> Enrolment {
    let labels = catalog.namespaces[pod.metadata.namespace]?.labels ?? [:]
    let ownMode = pod.metadata.labels[Key.dataplaneMode]
    let isSandwich = applicationTunnel(pod.metadata) != nil
    if pod.metadata.labels[Key.tunnel] == "http", !isSandwich {
      return .notEnrolled(.nativeTunnel)
    }
    if ownMode == "none" { return .notEnrolled(.optedOut) }
    guard ownMode == "ambient" || labels[Key.dataplaneMode] == "ambient" else {
      return .notEnrolled(.notLabelled)
    }
    if pod.isHostNetwork { return .notEnrolled(.hostNetwork) }
    if pod.isFinished { return .notEnrolled(.finished) }
    if pod.metadata.annotations[Key.sidecarStatus] != nil { return .notEnrolled(.sidecar) }
    if pod.addresses.isEmpty { return .notEnrolled(.noAddress) }
    return .enrolled
  }

  /// How the Gateway that a waypoint's pod belongs to wants its connections.
  private func applicationTunnel(_ metadata: Metadata) -> ApplicationTunnel? {
    guard let name = metadata.labels[Key.gatewayName] else { return nil }
    return catalog.gateways.first {
      $0.metadata.namespace == metadata.namespace && $0.metadata.name == name
    }?.applicationTunnel
  }

  /// What runs the pod, for telemetry.
  private func kind(_ metadata: Metadata) -> Workload.Kind {
    guard let controller = metadata.controller else { return .pod }
    switch controller.kind {
    case "ReplicaSet": return .deployment
    case "Job": return workloadName(metadata) == controller.name ? .job : .cronJob
    default: return .pod
    }
  }

  private func uid(_ pod: PodManifest) -> String {
    pod.metadata.uid?.value
      ?? standInUID(namespace: pod.metadata.namespace, name: pod.metadata.name)
  }

  private mutating func check(_ pod: PodManifest, _ workload: Workload, _ enrolment: Enrolment) {
    let origin = pod.origin
    if let first = uidOwners[uid(pod)] {
      diagnostics.append(
        origin.diagnostic(
          .error, .invalidValue, field: "metadata.uid", line: pod.metadata.uid?.line,
          "expected a uid of its own; \(uid(pod)) is also at \(first.place)"))
    }
    uidOwners[uid(pod)] = origin
    if case .notEnrolled(let reason) = enrolment, reason == .hostNetwork || reason == .sidecar {
      diagnostics.append(
        origin.diagnostic(
          .warning, .notCovered, "labelled for the mesh but not covered: it \(reason.rawValue)"))
    }
    checkReferences(pod, workload)
    guard !pod.isFinished, !pod.isHostNetwork else { return }
    for address in pod.addresses {
      if let first = addressOwners[address.value], first != origin {
        diagnostics.append(
          origin.diagnostic(
            .error, .duplicateAddress, field: address.path, line: address.line,
            "expected an address of its own; \(address.value) also belongs to "
              + "\(first.object?.description ?? "another pod") at \(first.place)"))
      }
      addressOwners[address.value] = origin
    }
  }

  private mutating func checkReferences(_ pod: PodManifest, _ workload: Workload) {
    let namespace = workload.namespace
    if let account = pod.serviceAccount, account.value != "default",
      let declared = catalog.serviceAccounts[namespace], !declared.contains(account.value)
    {
      let hint = hint(account.value, among: declared)
      diagnostics.append(
        pod.origin.diagnostic(
          .warning, .unresolved, field: account.path, line: account.line,
          "no ServiceAccount \(namespace)/\(account.value) is declared\(hint)"))
    }
    let isKnown = catalog.namespaces[namespace] != nil || namespace == "default"
    guard !isKnown, undeclared.insert(namespace).inserted else { return }
    let hint = hint(namespace, among: Set(catalog.namespaces.keys))
    diagnostics.append(
      pod.origin.diagnostic(
        .warning, .unresolved, field: "metadata.namespace",
        "no Namespace \(namespace) is declared, so it has no labels\(hint)"))
  }

  /// What the name was likely meant to be; nobody reads the thousandth, so it is not looked for.
  private func hint(_ name: String, among known: Set<String>) -> String {
    guard diagnostics.count < Limit.diagnostics else { return "" }
    return nearest(to: name, among: known.sorted()).map { "; did you mean \($0)?" } ?? ""
  }

  /// The name of what made the pod: the deployment, job or set behind it, or the pod's own.
  private func workloadName(_ metadata: Metadata) -> String {
    guard let controller = metadata.controller else { return metadata.name }
    switch controller.kind {
    case "ReplicaSet":
      guard let hash = metadata.labels[Key.podTemplateHash],
        controller.name.hasSuffix("-\(hash)"), controller.name.count > hash.count + 1
      else { return controller.name }
      return String(controller.name.dropLast(hash.count + 1))
    case "Job":
      // A CronJob adds a hyphen and the minute, eight digits or more.
      let parts = controller.name.split(separator: "-", omittingEmptySubsequences: false)
      guard parts.count > 1, let last = parts.last, (8...11).contains(last.utf8.count),
        last.utf8.allSatisfy({ (0x30...0x39).contains($0) })
      else { return controller.name }
      return parts.dropLast().joined(separator: "-")
    default:
      return controller.name
    }
  }
}
