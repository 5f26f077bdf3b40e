import Foundation
import Linux
import Synchronization
import Testing
import TestSupport

/// Two nodes and their pods in network namespaces of this run, and the manifests that describe them.
///
///     pod netns -- eth0 | veth -- bridge in node netns -- under0 -- under0 -- other node
///
/// Nodes are `a` and `b`: underlay 10.90.0.1/.2, pods 10.91.1.x and 10.91.2.x, the same in fd90/fd91.
package actor Mesh {
  package struct Node: Sendable {
    package var name: String
    package var index: Int
    package var namespace: String
    package var stateDirectory: String
    /// Every node agent started, the last one in charge.
    package var agents: [Running] = []
    package var agent: Running? { agents.last }
  }

  package nonisolated let prefix: String
  package nonisolated let directory: String
  package private(set) var nodes: [String: Node] = [:]
  package private(set) var pods: [String: PodFixture] = [:]
  /// By node.
  private var podsMade: [String: Int] = [:]
  private var programs: [Running] = []
  private var servers: [String: Running] = [:]
  private var agentArguments: [String]
  /// The one that runs now, if any.
  var controlPlane: Running?

  /// Meshes that this process has made.
  private static let made = Atomic<Int>(0)

  @TaskLocal package static var current: Mesh?

  /// The mesh of the suite that is running.
  package static var shared: Mesh {
    get throws { try #require(current, "the suite lacks the .mesh trait") }
  }

  package init(arguments: [String] = []) async throws {
    let number = Self.made.add(1, ordering: .relaxed).newValue
    prefix = "sk\(ProcessInfo.processInfo.processIdentifier % 100_000)x\(number)"
    directory = "/tmp/\(prefix)-\(UInt32.random(in: 0...UInt32.max))"
    agentArguments = arguments
    try FileManager.default.createDirectory(
      atPath: "\(directory)/manifests", withIntermediateDirectories: true)
    for (index, name) in ["a", "b"].enumerated() {
      nodes[name] = Node(
        name: "\(prefix)-\(name)", index: index + 1, namespace: "\(prefix)-\(name)",
        stateDirectory: "\(directory)/state-\(name)")
    }
    try await shell(underlay)
  }

  private var underlay: String {
    let (a, b) = ("\(prefix)-a", "\(prefix)-b")
    return """
      ip netns add \(a); ip netns add \(b)
      ip link add under0 netns \(a) type veth peer name under0 netns \(b)
      for row in "\(a) 1 2" "\(b) 2 1"; do set -- $row
        ip -n $1 link set lo up
        ip -n $1 addr add 10.90.0.$2/24 dev under0; ip -n $1 addr add fd90::$2/64 dev under0 nodad
        ip -n $1 link set under0 up
        ip -n $1 link add br0 type bridge; ip -n $1 link set br0 up
        ip -n $1 addr add 10.91.$2.1/24 dev br0; ip -n $1 addr add fd91:$2::1/64 dev br0 nodad
        ip -n $1 route add 10.91.$3.0/24 via 10.90.0.$3; ip -n $1 route add fd91:$3::/64 via fd90::$3
        nsenter --net=/run/netns/$1 sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
      done
      """
  }

  package func shell(_ script: String) async throws {
    try await run("bash", "-euc", script)
  }

  // MARK: Pods

  /// Makes a pod's namespace, and its manifest under the name `pod-NAME`.
  @discardableResult
  package func addPod(
    _ name: String, on node: String, namespace: String = "shop", labels: [String: String] = [:],
    serviceAccount: String? = nil, isAnnotated: Bool = true
  ) async throws -> PodFixture {
    let host = try #require(nodes[node])
    // Of a pod that is gone the kernel may still have the link: no number twice.
    let index = podsMade[host.name, default: 0] + 10
    podsMade[host.name, default: 0] += 1
    var pod = PodFixture(
      name: name, namespace: namespace, node: host.name, netns: "\(prefix)-\(name)",
      ip4: "10.91.\(host.index).\(index)", ip6: "fd91:\(host.index)::\(index)",
      serviceAccount: serviceAccount ?? name,
      labels: labels.merging(["app": name]) { own, _ in own })
    pod.isAnnotated = isAnnotated
    let link = "v\(host.index)\(index)"
    try await shell(
      """
      ip netns add \(pod.netns)
      ip -n \(host.namespace) link add \(link) type veth peer name eth0 netns \(pod.netns)
      ip -n \(host.namespace) link set \(link) master br0 up
      ip -n \(pod.netns) link set lo up; ip -n \(pod.netns) link set eth0 up
      ip -n \(pod.netns) addr add \(pod.ip4)/24 dev eth0
      ip -n \(pod.netns) addr add \(pod.ip6)/64 dev eth0 nodad
      ip -n \(pod.netns) route add default via 10.91.\(host.index).1
      ip -n \(pod.netns) -6 route add default via fd91:\(host.index)::1
      """)
    pods[name] = pod
    try apply("pod-\(name)", pod.manifest)
    return pod
  }

  package func removePod(_ name: String) async throws {
    let pod = try #require(pods[name])
    pods[name] = nil
    try delete("pod-\(name)")
    try await shell("ip netns del \(pod.netns)")
  }

  // MARK: Manifests

  /// Writes one manifest file; the agents see the directory change at once.
  package func apply(_ name: String, _ text: String) throws {
    let path = "\(directory)/manifests/\(name).yaml"
    try text.write(toFile: path + ".tmp", atomically: false, encoding: .utf8)
    try FileManager.default.replaceFile(at: path, with: path + ".tmp")
  }

  package func delete(_ name: String) throws {
    try FileManager.default.removeItem(atPath: "\(directory)/manifests/\(name).yaml")
  }

  package func applyNamespace(
    _ name: String, isEnrolled: Bool, annotations: String = ""
  ) throws {
    try apply(
      "namespace-\(name)",
      """
      apiVersion: v1
      kind: Namespace
      metadata:
        name: \(name)
        labels: {\(isEnrolled ? "istio.io/dataplane-mode: ambient" : "")}
        annotations: {\(annotations)}
      """)
  }

  // MARK: Nodes

  package static let agentPath = ProcessInfo.processInfo.environment["NODE_AGENT"] ?? ""
  package static let tunnelPath = ProcessInfo.processInfo.environment["ZTUNNEL"] ?? ""

  /// - source: where the mesh and certificates come from; by default from here.
  /// - ownsTunnel: whether the agent starts ztunnel itself.
  package func startAgent(
    _ name: String, source: [String]? = nil, ownsTunnel: Bool = true
  ) async throws {
    let node = try #require(nodes[name])
    let tunnel = ownsTunnel ? ["--ztunnel", Self.tunnelPath] : ["--external-ztunnel"]
    let own = ["--config", "\(directory)/manifests", "--ca-dir", "\(directory)/ca"]
    let agent = try Running(
      [
        "nsenter", "--net=/run/netns/\(node.namespace)", Self.agentPath, "run",
        "--node", node.name, "--state-dir", node.stateDirectory,
        "--log-format", "json",
      ] + tunnel + (source ?? own) + agentArguments)
    nodes[name]?.agents.append(agent)
  }

  package func agent(_ name: String) throws -> Running { try #require(nodes[name]?.agent) }

  package func agentCommand(_ name: String, _ arguments: String...) async throws -> Output {
    let node = try #require(nodes[name])
    return try await run(
      [Self.agentPath] + arguments + ["--state-dir", node.stateDirectory], expecting: nil)
  }

  package func status(_ name: String, _ section: String...) async throws -> JSON {
    let node = try #require(nodes[name])
    let output = try await run(
      [Self.agentPath, "status"] + section + ["-o", "json", "--state-dir", node.stateDirectory],
      expecting: nil)
    guard !output.standardOutput.isEmpty else { return .null }
    return try JSON(parsing: output.standardOutput, context: output.standardError)
  }

  /// Waits until every enrolled pod of both nodes is proven.
  package func waitUntilEnrolled(_ names: String..., within limit: Duration = patience)
    async throws
  {
    for name in names {
      let pod = try #require(pods[name])
      let node = String(pod.node.suffix(1))
      try await eventually("\(name) is enrolled and proven", within: limit) {
        try await self.status(node)["pods"].array.contains {
          $0["name"].string == name && $0["state"].string == "enrolled"
        }
      }
    }
  }

  package func ztunnelProcessID(_ node: String) async throws -> Int32 {
    Int32(try #require(try await status(node)["ztunnel"]["processID"].int))
  }

  // MARK: Programs in pods

  /// Folder Tests of the package.
  package static let tests =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/")

  /// The programs that test targets share, and what programs of others may import.
  package static let programs = tests + "/NodeHarness/Programs"

  /// Where a program lies: among the shared ones, or in the folder Programs of a test target.
  private static func path(of program: String) throws -> String {
    let folders = [programs] + ["NodeTests", "InteropTests"].map { "\(tests)/\($0)/Programs" }
    let paths = folders.map { "\($0)/\(program)" }
    return try #require(
      paths.first { FileManager.default.fileExists(atPath: $0) }, "no program \(program)")
  }

  package func spawn(in pod: String, _ program: String, _ arguments: String...) throws -> Running {
    try spawn(in: pod, program, arguments)
  }

  package func spawn(in pod: String, _ program: String, _ arguments: [String]) throws -> Running {
    let netns = try #require(pods[pod]?.netns ?? nodes[pod]?.namespace)
    let running = try Running(
      [
        "nsenter", "--net=/run/netns/\(netns)", "env", "PYTHONPATH=\(Self.programs)",
        "PYTHONDONTWRITEBYTECODE=1", "python3", try Self.path(of: program),
      ] + arguments)
    programs.append(running)
    return running
  }

  /// Runs a program of ours in a node's namespace until the mesh ends.
  package func spawnProgram(on node: String, _ command: [String]) throws -> Running {
    let namespace = try #require(nodes[node]).namespace
    let running = try Running(["nsenter", "--net=/run/netns/\(namespace)"] + command)
    programs.append(running)
    return running
  }

  package func serve(in pod: String, port: Int = 8080) async throws {
    let server = try spawn(in: pod, "peer.py", "serve", String(port), pod)
    try await server.waitFor("ready")
    servers[pod] = server
  }

  package func stopServing(in pod: String) async throws {
    let server = try #require(servers[pod])
    servers[pod] = nil
    server.signal(.kill)
    _ = try await server.finish()
  }

  package func client(in pod: String, _ arguments: String..., within limit: Duration = patience)
    async throws -> JSON
  {
    try await spawn(in: pod, "peer.py", arguments).finish(within: limit).json()
  }

  // MARK: End

  /// With NODE_LOGS=DIRECTORY in the environment, what the agents said is kept there.
  private func keepLogs(of node: Node) throws {
    guard let directory = ProcessInfo.processInfo.environment["NODE_LOGS"] else { return }
    for (number, agent) in node.agents.enumerated() {
      try (agent.standardOutput + agent.standardError).write(
        toFile: "\(directory)/\(node.name)-\(number).log", atomically: false, encoding: .utf8)
    }
  }

  /// Ends everything the mesh started; says what a node left behind.
  package func tearDown() async {
    for running in programs { running.signal(.kill) }
    for node in nodes.values { node.agent?.signal(.terminate) }
    for node in nodes.values {
      do {
        _ = try await node.agent?.finish()
        try keepLogs(of: node)
        try await run(
          [
            Self.agentPath, "uninstall", "--node", node.name, "--state-dir", node.stateDirectory,
          ], expecting: nil)
      } catch {
        Issue.record("node \(node.name) did not end: \(error)")
      }
    }
    do {
      let names = pods.values.map(\.netns) + nodes.values.map(\.namespace)
      try await shell(names.map { "ip netns del \($0) || true" }.joined(separator: "\n"))
      try FileManager.default.removeItem(atPath: directory)
    } catch {
      Issue.record("the namespaces of \(prefix) stay behind: \(error)")
    }
  }
}

extension FileManager {
  /// Renames over the old file, as editors do.
  fileprivate func replaceFile(at path: String, with other: String) throws {
    guard unsafe rename(other, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
  }
}
