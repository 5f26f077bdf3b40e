import KubernetesClient
import MeshCompiler

/// The mesh of a cluster: where its programs run, and how they are asked.
struct Installation: Sendable {
  let client: KubernetesClient
  let namespace: String
  /// For one question to one program.
  let answerTime: Duration

  init(_ client: KubernetesClient, _ options: ClusterOptions) {
    self.client = client
    namespace = options.namespace
    answerTime = options.answerTime
  }

  enum Part: String, Sendable {
    case nodeAgent = "node-agent"
    case controlPlane = "control-plane"
  }

  /// The pods of one of its parts, by node and name.
  func pods(of part: Part) async throws(KubernetesError) -> [PodFacts] {
    let filter = ResourceFilter(
      namespace: namespace, labels: "app.kubernetes.io/name=\(part.rawValue)")
    return try await client.list(.pods, filter: filter, PodFacts.selection)
      .compactMap { PodFacts($0) }.sorted { ($0.node, $0.name) < ($1.node, $1.name) }
  }

  /// The names of all pods of a part, also of those that are going away.
  func allPods(of part: Part) async throws(KubernetesError) -> [String] {
    let filter = ResourceFilter(
      namespace: namespace, labels: "app.kubernetes.io/name=\(part.rawValue)")
    return try await client.list(.pods, filter: filter, .words("metadata"))
      .compactMap { $0["metadata"]?["name"]?.text }.sorted()
  }

  func nodes() async throws(KubernetesError) -> [NodeFacts] {
    try await client.list(.nodes, NodeFacts.selection)
      .compactMap { NodeFacts($0) }.sorted { $0.name < $1.name }
  }

  /// What a program says of itself: `node-agent status`, and the like.
  func ask(
    _ part: Part, in pod: PodFacts, _ words: [String]
  ) async throws(KubernetesError) -> CommandOutput {
    let state = part == .nodeAgent ? ["--state-dir", "/run/skein/node"] : []
    return try await client.run(
      ["/usr/bin/\(part.rawValue)"] + words + state,
      in: ContainerPlace(namespace: namespace, pod: pod.name, container: part.rawValue),
      within: answerTime)
  }

  /// The node agent of a node.
  func agent(on node: String) async throws -> PodFacts {
    let agents = try await pods(of: .nodeAgent)
    guard !agents.isEmpty else { throw InstallationError.absent(namespace: namespace) }
    guard let agent = agents.first(where: { $0.node == node }) else {
      throw InstallationError.noAgent(node: node, known: agents.map(\.node))
    }
    return agent
  }
}

/// Why the mesh of a cluster cannot be asked.
enum InstallationError: Error, Equatable {
  case absent(namespace: String)
  case noAgent(node: String, known: [String])
  case noAnswer(pod: String, exitCode: Int, text: String)
  case unreadable(pod: String, reason: String)
}

extension InstallationError: CustomStringConvertible {
  var description: String {
    switch self {
    case .absent(let namespace):
      "no mesh is installed in the namespace \(namespace); `\(Program.name) install` does it, or "
        + "name the namespace with -n"
    case .noAgent(let node, let known):
      "no node agent runs on \(node); they run on \(known.joined(separator: ", "))"
    case .noAnswer(let pod, let code, let text):
      "\(pod) ended with \(code): \(text.isEmpty ? "no word" : text); look at its log"
    case .unreadable(let pod, let reason):
      "what \(pod) answered cannot be read: \(reason); is it of this version? \(Program.name) status"
    }
  }
}

/// Does one thing for each of several, some at a time; the results are in the order of the items.
func sideBySide<Item: Sendable, Value: Sendable>(
  _ items: [Item], atMost width: Int = Limit.questions,
  _ body: @escaping @Sendable (Item) async -> Value
) async -> [Value] {
  await withTaskGroup(of: (Int, Value).self) { group in
    var values = [Value?](repeating: nil, count: items.count)
    var waiting = items.enumerated().makeIterator()
    func begin(_ next: (offset: Int, element: Item)?) {
      guard let next else { return }
      group.addTask { (next.offset, await body(next.element)) }
    }
    for _ in 0..<width { begin(waiting.next()) }
    while let (index, value) = await group.next() {
      values[index] = value
      begin(waiting.next())
    }
    return values.compactMap { $0 }
  }
}
