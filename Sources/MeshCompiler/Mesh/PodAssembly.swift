import MeshModel

/// Turns the pods of a namespace into workloads and placements.
struct PodAssembly {
  private let scope: Scope
  private(set) var workloads: [String: Workload] = [:]
  /// By name.
  private(set) var placements: [PodPlacement] = []
  private(set) var diagnostics: [Diagnostic] = []
  /// By workload uid, for those in the model.
  private(set) var manifests: [String: Shared<PodManifest>] = [:]

  init(_ scope: Scope) {
    self.scope = scope
    let pods = scope.objects.pods.sorted { $0.key < $1.key }
    workloads.reserveCapacity(pods.count)
    manifests.reserveCapacity(pods.count)
    placements.reserveCapacity(pods.count)
    for (_, pod) in pods { add(pod) }
  }

  private mutating func add(_ shared: Shared<PodManifest>) {
    let pod = shared.value
    let enrolment = enrolment(pod)
    var workload = workload(pod)
    check(pod, enrolment)
    placements.append(
      PodPlacement(
        uid: pod.uid, workloadUID: workload.uid, namespace: workload.namespace,
        name: workload.name, node: pod.node, networkNamespace: pod.networkNamespace,
        addresses: workload.addresses, identity: workload.identity, enrolment: enrolment,
        dnsCapture: pod.dnsCapture, connectionWish: pod.connectionWish.or(namespaceWish)))
    guard !pod.isFinished, !workload.addresses.isEmpty else { return }
    workload.tunnelProtocol = enrolment.isEnrolled ? .hbone : .none
    if enrolment == .notEnrolled(.nativeTunnel) {
      workload.tunnelProtocol = .hbone
      workload.isNativeTunnel = true
    }
    manifests[workload.uid] = shared
    workloads[workload.uid] = workload
  }

  private var namespaceWish: ConnectionWish {
    scope.objects.namespace?.value.connectionWish ?? ConnectionWish()
  }

  private func workload(_ pod: PodManifest) -> Workload {
    let metadata = pod.metadata
    let labels = metadata.labels
    let identity = pod.identity(scope.options)
    var workload = Workload(
      uid: pod.workloadUID(scope.options), name: metadata.name, namespace: metadata.namespace)
    workload.serviceAccount = identity.serviceAccount
    workload.trustDomain = identity.trustDomain
    workload.clusterID = scope.options.clusterID
    workload.addresses = pod.addresses.map(\.value)
    workload.node = pod.node
    workload.health = pod.health
    workload.isHostNetwork = pod.isHostNetwork
    workload.workloadName = workloadName(metadata)
    workload.kind = kind(metadata)
    workload.locality = scope.nodes[pod.node] ?? Locality()
    workload.network = pod.network ?? scope.network
    workload.applicationTunnel = applicationTunnel(metadata)
    workload.canonicalName =
      Key.canonicalNames.lazy.compactMap { labels[$0] }.first ?? workload.workloadName
    workload.canonicalRevision =
      Key.canonicalRevisions.lazy.compactMap { labels[$0] }.first ?? "latest"
    return workload
  }

  private func enrolment(_ pod: PodManifest) -> Enrolment {
    let labels = scope.objects.labels
    let ownMode = pod.metadata.labels[Key.dataplaneMode]
    let isSandwich = applicationTunnel(pod.metadata) != nil
    if pod.metadata.labels[Key.tunnel] == "http", !isSandwich {
      return .notEnrolled(.nativeTunnel)
    }
    if ownMode == "none" { return .notEnrolled(.optedOut) }
    if ownMode != "ambient", labels[Key.dataplaneMode] != "ambient" {
      guard scope.options.enrolsInjectionLabel, scope.objects.namespace?.value.isInjected == true
      else { return .notEnrolled(.notLabelled) }
      if pod.refusesInjection { return .notEnrolled(.noInjection) }
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
    return scope.objects.gateways[name]?.value.applicationTunnel
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

  private mutating func check(_ pod: PodManifest, _ enrolment: Enrolment) {
    if case .notEnrolled(let reason) = enrolment, reason == .hostNetwork || reason == .sidecar {
      diagnostics.append(
        pod.origin.diagnostic(
          .warning, .notCovered, "labelled for the mesh but not covered: it \(reason.rawValue)"))
    }
    let declared = scope.objects.serviceAccounts
    guard let account = pod.serviceAccount, account.value != "default", !declared.isEmpty,
      !declared.contains(account.value)
    else { return }
    let hint = hint(account.value, among: declared)
    diagnostics.append(
      pod.origin.diagnostic(
        .warning, .unresolved, field: account.path, line: account.line,
        "no ServiceAccount \(scope.objects.name)/\(account.value) is declared\(hint)"))
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
