import FoundationEssentials
import KubernetesClient
import MeshAnalysis
import MeshCompiler

extension ClusterFacts {
  /// Asks a cluster; what the caller may not read is left unknown.
  init(
    _ client: KubernetesClient, namespace: String, _ options: CompilerOptions
  ) async throws {
    self.init(namespace: namespace)
    self.options = options
    version = try await client.serverVersion()
    nodes = try await client.readable(.nodes, Self.node)
    daemonSets = try await client.readable(
      Resource(group: "apps", plural: "daemonsets", kind: "DaemonSet"), Self.daemonSet)
    webhooks = try await client.readable(
      Resource(
        group: "admissionregistration.k8s.io", plural: "mutatingwebhookconfigurations",
        kind: "MutatingWebhookConfiguration"), .fields(["metadata": .words("name")]))
    if let agent = daemonSets?.first(where: { $0["metadata"]?["name"]?.text == "cilium" }) {
      cilium = try await client.one(
        .configMaps, namespace: agent["metadata"]?["namespace"]?.text ?? "", name: "cilium-config")
    }
    felix = try await client.one(
      Resource(
        group: "crd.projectcalico.org", plural: "felixconfigurations", kind: "FelixConfiguration"),
      name: "default")
    let reading = try await ClusterReading(client, only: [.namespace, .pod, .networkPolicy])
    objects = reading.objects
    unread = Set(reading.forbidden.keys)
    for right in Right.all(installing: namespace) {
      rights[right] = try await client.isAllowed(
        AccessQuestion(
          verb: right.verb, group: right.group, resource: right.resource,
          namespace: right.namespace))
    }
  }

  private static let node = FieldSelection.fields([
    "metadata": .metadata, "spec": .words("taints"),
    "status": .fields(["nodeInfo": .words("kernelVersion operatingSystem")]),
  ])

  private static let daemonSet = FieldSelection.fields([
    "metadata": .metadata,
    "spec": .fields([
      "template": .fields(["spec": .words("nodeSelector tolerations")])
    ]),
  ])
}

extension KubernetesClient {
  /// All objects of a resource; nil when the caller may not list them.
  fileprivate func readable(
    _ resource: Resource, _ selection: FieldSelection
  ) async throws(KubernetesError) -> [ManifestValue]? {
    do throws(KubernetesError) {
      return try await list(resource, selection)
    } catch {
      guard error.status?.isForbidden == true else { throw error }
      return nil
    }
  }

  /// One object; nil when there is none, or the caller may not read it.
  fileprivate func one(
    _ resource: Resource, namespace: String = "", name: String
  ) async throws(KubernetesError) -> ManifestValue? {
    do throws(KubernetesError) {
      return try await object(resource, namespace: namespace, name: name)
    } catch {
      guard error.status?.isForbidden == true else { throw error }
      return nil
    }
  }
}

// MARK: What nodes say themselves

/// As much of `node-agent check --system -o json` as is looked at.
private struct FeatureAnswer: Decodable {
  var name: String
  var isRequired: Bool
  var isWorking: Bool
  var otherwise: String
}

extension Installation {
  /// What each node's kernel has, of those nodes whose agent runs and answers.
  func features() async throws(KubernetesError) -> [String: [NodeFeature]] {
    let agents = try await pods(of: .nodeAgent).filter(\.isReady)
    let answers = await sideBySide(agents) { agent in
      (agent.node, await features(of: agent))
    }
    return Dictionary(answers.filter { !$0.1.isEmpty }) { first, _ in first }
  }

  /// Empty where the agent does not answer: then the kernel's release has to do.
  private func features(of agent: PodFacts) async -> [NodeFeature] {
    do {
      let answer = try await client.run(
        ["/usr/bin/node-agent", "check", "--system", "-o", "json"],
        in: ContainerPlace(
          namespace: namespace, pod: agent.name, container: Part.nodeAgent.rawValue),
        within: answerTime)
      return try JSONDecoder().decode([FeatureAnswer].self, from: Data(answer.output)).map {
        NodeFeature(
          name: $0.name, isRequired: $0.isRequired, isWorking: $0.isWorking,
          otherwise: $0.otherwise)
      }
    } catch {
      return []
    }
  }
}
