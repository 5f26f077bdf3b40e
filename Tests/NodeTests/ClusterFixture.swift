import Foundation
import KubernetesHarness
import Linux
import NodeHarness
import Synchronization
import Testing

/// A cluster's API as one node sees it, and the control groups that its kubelet would make.
final class ClusterFixture: Sendable {
  private let namespaces = Feed()
  private let pods = Feed()
  private let version = Atomic<Int>(1)
  /// By path and name.
  private let objects = Mutex<[String: [String: String]]>([:])
  /// How node `a` is started beside it.
  fileprivate let source = Mutex<[String]>([])
  private let root: ControlGroup
  private let processes = Mutex<[String: Running]>([:])

  @TaskLocal static var current: ClusterFixture?

  /// The cluster of the suite that is running.
  static var shared: ClusterFixture {
    get throws { try #require(current, "the suite lacks the .cluster trait") }
  }

  init(name: String) throws { root = try ControlGroup.root().make(name) }

  func answer(_ request: ScriptedServer.Request) -> [ScriptedServer.Piece] {
    switch (request.path, request.isWatch) {
    case ("/api/v1", _):
      [.ok(#"{"resources":[{"name":"pods"},{"name":"namespaces"}]}"#)]
    case ("/api/v1/namespaces", false), ("/api/v1/pods", false):
      [.ok(list(nextVersion, objects.withLock { Array(($0[request.path] ?? [:]).values) }))]
    case ("/api/v1/namespaces", true): [.stream, .feed(namespaces)]
    case ("/api/v1/pods", true): [.stream, .feed(pods)]
    default: [.answer(404, statusObject(404, "NotFound"))]
    }
  }

  func startAgent() async throws {
    try await Mesh.shared.startAgent("a", source: source.withLock { $0 })
  }

  // MARK: Objects

  private var nextVersion: Int { version.add(1, ordering: .relaxed).newValue }

  private func tell(_ path: String, _ name: String, _ object: String, isThere: Bool = true) {
    objects.withLock { $0[path, default: [:]][name] = isThere ? object : nil }
    let feed = path.hasSuffix("pods") ? pods : namespaces
    feed.send(line(isThere ? "MODIFIED" : "DELETED", object))
  }

  func applyNamespace(_ name: String, labels: String) {
    tell(
      "/api/v1/namespaces", name,
      """
      {"metadata":{"name":"\(name)","resourceVersion":"\(nextVersion)","labels":{\(labels)}}}
      """)
  }

  /// As the API has the pod: with a uid, without a word about its network namespace.
  func apply(
    _ pod: PodFixture, at other: PodFixture? = nil, hasStatus: Bool = true, isThere: Bool = true
  ) {
    let place = other ?? pod
    let running =
      #"{"phase":"Running","podIPs":[{"ip":"\#(place.ip4)"},{"ip":"\#(place.ip6)"}]}"#
    tell(
      "/api/v1/pods", pod.name,
      """
      {"metadata":{"name":"\(pod.name)","namespace":"\(pod.namespace)","uid":"\(pod.uid)",\
      "resourceVersion":"\(nextVersion)"},"spec":{"nodeName":"\(pod.node)",\
      "serviceAccountName":"\(pod.serviceAccount)"},\
      "status":\(hasStatus ? running : #"{"phase":"Pending"}"#)}
      """, isThere: isThere)
  }

  func delete(_ pod: PodFixture) { apply(pod, isThere: false) }

  // MARK: Processes

  /// Starts a process in the pod's control group, in the namespace of that pod or of another.
  func startProcess(of pod: PodFixture, in other: PodFixture? = nil) throws {
    var group = root
    for name in ["kubepods", "burstable", "pod\(pod.uid)", "container"] {
      group = try group.make(name)
    }
    let process = try Running([
      "bash", "-c",
      "echo 0 >\(group.path)/cgroup.procs; exec nsenter --net=/run/netns/\((other ?? pod).netns) "
        + "sleep 600",
    ])
    processes.withLock { $0[pod.uid] = process }
  }

  func endProcess(of pod: PodFixture) async throws {
    let process = try #require(processes.withLock { $0.removeValue(forKey: pod.uid) })
    process.signal(.kill)
    _ = try await process.finish()
  }

  /// Ends the processes, and removes the control groups from the innermost.
  func tearDown() async throws {
    let left = processes.withLock { processes in
      defer { processes = [:] }
      return Array(processes.values)
    }
    for process in left {
      process.signal(.kill)
      _ = try await process.finish()
    }
    try await run("find", root.path, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";")
  }
}

extension PodFixture {
  /// Of the pod in the cluster, made of its namespace's name: no two meshes have the same (FNV-1a).
  var uid: String {
    let hash = netns.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
    }
    let digits = String(hash, radix: 16)
    return "00000000-0000-4000-8000-\((String(repeating: "0", count: 12) + digits).suffix(12))"
  }
}

/// Gives a suite of a mesh with a control plane a cluster, by which node `a` finds its pods.
struct ClusterTrait: SuiteTrait, TestScoping {
  /// What node `a` is started with beside.
  var arguments: @Sendable (Mesh) -> [String] = { _ in [] }

  @concurrent @Sendable func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    let mesh = try Mesh.shared
    let cluster = try ClusterFixture(name: mesh.prefix)
    var options = ScriptedServer.Options()
    options.namespacePath = "/run/netns/\(mesh.prefix)-a"
    do {
      try await ScriptedServer.run(options) {
        cluster.answer($0)
      } _: { server in
        let file = "\(mesh.directory)/kubeconfig"
        try server.kubeconfig.write(toFile: file, atomically: false, encoding: .utf8)
        let own = arguments(mesh)
        cluster.source.withLock {
          $0 =
            ["--kubernetes", "--kubeconfig", file] + mesh.underControl("a").dropFirst(2) + own
        }
        try await cluster.startAgent()
        try await ClusterFixture.$current.withValue(cluster) { try await function() }
        // Before its API goes, and its processes with it.
        try await mesh.stop(try await mesh.agent("a"), .terminate)
      }
    } catch {
      try await cluster.tearDown()
      throw error
    }
    try await cluster.tearDown()
  }
}

extension Trait where Self == ClusterTrait {
  static var cluster: Self { ClusterTrait() }

  static func cluster(_ arguments: @escaping @Sendable (Mesh) -> [String]) -> Self {
    ClusterTrait(arguments: arguments)
  }
}
