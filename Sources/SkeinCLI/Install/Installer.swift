import KubernetesClient
import Linux
import MeshCompiler
import MeshModel

/// Makes and takes away the objects of an installation, and waits for what follows from them.
struct Installer: Sendable {
  let installation: Installation
  /// When to give up waiting.
  let deadline: Instant
  /// Told as it goes on.
  let report: @Sendable (String) -> Void

  private var client: KubernetesClient { installation.client }
  private var namespace: String { installation.namespace }

  // MARK: Installing

  /// Applies every object; what the server does not know is passed over when it can be.
  func apply(_ plan: InstallationPlan) async throws {
    for object in plan.objects.compactMap(InstalledObject.init) {
      if object.resource == .budgets, try await client.servedVersion(of: .budgets) == nil {
        report("passed over: \(object): this cluster is older than Kubernetes 1.21")
        continue
      }
      try await client.patch(
        object.resource, namespace: object.name.namespace, name: object.name.name,
        object.object, as: .apply)
    }
    for object in plan.unwanted.compactMap(InstalledObject.init) {
      _ = try await remove(object)
    }
    report("applied \(plan.objects.count) objects to \(namespace)")
  }

  /// Waits until both workloads run everywhere, and then until the whole mesh is healthy.
  func waitUntilHealthy() async throws -> MeshStatus {
    try await wait { () async throws -> String? in
      let plane = try await client.object(
        .deployments, namespace: namespace, name: "control-plane")
      let agents = try await client.object(
        .daemonSets, namespace: namespace, name: "node-agent")
      let (replicas, nodes) = (Rollout(deployment: plane), Rollout(daemonSet: agents))
      if replicas.isDone, nodes.isDone { return nil }
      return "control plane: \(replicas.ready) of \(replicas.wanted) replicas, "
        + "node agents: \(nodes.ready) of \(nodes.wanted)"
    }
    var status = try await installation.facts().status
    try await wait { () async throws -> String? in
      status = try await installation.facts().status
      return status.problems.first
    }
    return status
  }

  /// What is asked for, and for the rest what the installation that is there was asked for.
  ///
  /// - forgetting: whether all but its image counts for nothing.
  func settings(
    image: String?, _ choices: InstallationChoices, forgetting: Bool
  ) async throws -> InstallationSettings {
    let agents = try await client.object(
      .daemonSets, namespace: namespace, name: "node-agent")
    let containers = agents?["spec"]?["template"]?["spec"]?["containers"]?.items
    guard let image = image ?? containers?.first?["image"]?.text else {
      throw InstallerError.noImage
    }
    let annotation = agents?["metadata"]?["annotations"]?[InstallationChoices.annotation]?.text
    var all = choices
    if let annotation, !forgetting {
      all = choices.over(try InstallationChoices(annotation: annotation))
    }
    if all != choices { report("as installed: \(all); --reset forgets what is not given") }
    return InstallationSettings(namespace: namespace, image: image, choices: all)
  }

  // MARK: Taking away

  /// The objects of any profile that are there, the last made first.
  func present() async throws(KubernetesError) -> [InstalledObject] {
    var found: [InstalledObject] = []
    for object in InstallationPlan.written(for: namespace).compactMap(InstalledObject.init)
    where try await client.object(
      object.resource, namespace: object.name.namespace, name: object.name.name) != nil
    {
      found.append(object)
    }
    return found.reversed()
  }

  /// First the node agents, which release their pods at their end and need their rights for that.
  func uninstall(_ objects: [InstalledObject]) async throws {
    let agents = objects.filter { $0.resource == .daemonSets }
    for object in agents { _ = try await remove(object) }
    try await wait { () async throws -> String? in
      let left = try await installation.allPods(of: .nodeAgent)
      guard !left.isEmpty else { return nil }
      return "\(left.count) node agents release their pods: \(left.joined(separator: ", "))"
    }
    for object in objects where !agents.contains(object) { _ = try await remove(object) }
    try await wait { () async throws -> String? in
      try await client.object(.namespaces, name: namespace) == nil
        ? nil : "the namespace \(namespace) is going away"
    }
    for namespace in try await rootCopies() {
      try await client.delete(.configMaps, namespace: namespace, name: Self.rootName)
    }
  }

  /// Namespaces that still ask for the mesh.
  func labelledNamespaces() async throws(KubernetesError) -> [String] {
    let filter = ResourceFilter(labels: "\(Membership.label)=ambient")
    return try await client.list(.namespaces, filter: filter, .words("metadata"))
      .compactMap { $0["metadata"]?["name"]?.text }.sorted()
  }

  private static let rootName = "skein-ca-root-cert"

  private func rootCopies() async throws(KubernetesError) -> [String] {
    let filter = ResourceFilter(fields: "metadata.name=\(Self.rootName)")
    return try await client.list(.configMaps, filter: filter, .words("metadata"))
      .filter { $0["metadata"]?["name"]?.text == Self.rootName }
      .compactMap { $0["metadata"]?["namespace"]?.text }
  }

  /// False when it was not there.
  private func remove(_ object: InstalledObject) async throws(KubernetesError) -> Bool {
    do throws(KubernetesError) {
      try await client.delete(
        object.resource, namespace: object.name.namespace, name: object.name.name)
      return true
    } catch {
      // Somebody else was first, or the cluster does not know the kind.
      guard error.status?.isNotFound == true else { throw error }
      return false
    }
  }

  // MARK: Waiting

  /// Looks again and again until nothing is missing any more.
  private func wait(for missing: () async throws -> String?) async throws {
    var told = ""
    while let line = try await missing() {
      if line != told {
        report(line)
        told = line
      }
      guard MonotonicClock.now() < deadline else { throw InstallerError.tooLate(missing: line) }
      try await Task.sleep(for: Limit.lookInterval)
    }
  }
}

/// Why an installation was not brought to its end.
enum InstallerError: Error, Equatable {
  case tooLate(missing: String)
  case noImage
  case unreadableChoices(String)
  case nobodyToAsk
  case declined
}

extension InstallerError: CustomStringConvertible {
  var description: String {
    switch self {
    case .tooLate(let missing):
      "not done in time: \(missing); what was begun goes on, see `\(Program.name) status`, or run this "
        + "again with a longer --timeout"
    case .noImage:
      "give --image with the image that `make image` makes, where the nodes can pull it: nothing is "
        + "installed whose image could be kept"
    case .unreadableChoices(let text):
      "the annotation \(InstallationChoices.annotation) of the DaemonSet node-agent cannot be read: "
        + "\(text); give --reset, and all options that the installation is to have"
    case .nobodyToAsk: "give --yes: nobody is here to be asked"
    case .declined: "nothing was changed"
    }
  }
}
