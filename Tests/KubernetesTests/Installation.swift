import Foundation
import NodeHarness
import Testing

/// Skein as `manifests/` installs it on a cluster of two nodes, and an application beside it.
struct Installation: Sendable {
  private static let environment = ProcessInfo.processInfo.environment
  static let image = environment["SKEIN_IMAGE"] ?? ""
  static let isAvailable = !image.isEmpty && !ClusterFixture.kubeconfig.isEmpty
  static let kubectl = environment["KUBECTL"] ?? "kubectl"
  /// The network namespaces of the nodes, on this machine.
  static let nodes = ["n1", "n2"]

  private static let root =
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  @discardableResult
  func kubectl(
    _ arguments: String..., within limit: Duration = .seconds(120),
    expecting status: Int32? = 0
  ) async throws -> Output {
    try await NodeHarness.run([Self.kubectl] + arguments, within: limit, expecting: status)
  }

  /// Objects of this text, made or changed.
  func apply(_ text: String) async throws {
    let file = try Self.write(text)
    defer { Self.remove(file) }
    try await apply(file: file)
  }

  func apply(file: String) async throws {
    try await kubectl("apply", "--validate=false", "-f", file)
  }

  /// Runs `body` while there are these objects.
  func with(_ text: String, _ body: () async throws -> Void) async throws {
    let file = try Self.write(text)
    defer { Self.remove(file) }
    try await with(file: file, body)
  }

  func with(file: String, _ body: () async throws -> Void) async throws {
    try await apply(file: file)
    let outcome: Result<Void, any Error>
    do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
    try await kubectl(
      "delete", "-f", file, "--ignore-not-found", "--timeout=170s", within: .seconds(180))
    try outcome.get()
  }

  /// Objects of Tests/KubernetesTests/Objects.
  static func object(_ name: String) -> String {
    "\(root)/Tests/KubernetesTests/Objects/\(name).yaml"
  }

  static func sample(_ path: String) -> String { "\(root)/samples/\(path)" }

  private static func write(_ text: String) throws -> String {
    let file = NSTemporaryDirectory() + "/\(UUID().uuidString).yaml"
    try text.write(toFile: file, atomically: false, encoding: .utf8)
    return file
  }

  private static func remove(_ file: String) {
    do { try FileManager.default.removeItem(atPath: file) } catch { Issue.record("\(error)") }
  }

  // MARK: Skein

  private func manifests() async throws -> String {
    // The base: a disruption budget of policy/v1 is unknown to this old server.
    let output = try await kubectl("kustomize", "\(Self.root)/manifests/base")
    return output.standardOutput.replacing("image: skein\n", with: "image: \(Self.image)\n")
  }

  func install() async throws {
    try await apply(try await manifests())
    for workload in ["deployment/control-plane", "daemonset/node-agent"] {
      try await kubectl(
        "-n", "skein-system", "rollout", "status", workload, "--timeout=120s")
    }
  }

  /// As its user would: everything of the manifests is deleted.
  ///
  /// The namespace's controller looks again only after half of the pods' grace, and again.
  func uninstall() async throws {
    let file = try Self.write(try await manifests())
    defer { Self.remove(file) }
    try await kubectl(
      "delete", "-f", file, "--ignore-not-found", "--wait", "--timeout=290s", within: .seconds(300))
  }

  /// The pod of the node agent on a node.
  func agent(on node: String) async throws -> String {
    let output = try await kubectl(
      "-n", "skein-system", "get", "pods", "-l", "app.kubernetes.io/name=node-agent",
      "--field-selector", "spec.nodeName=\(node)", "-o", "name")
    return try #require(output.standardOutput.split(separator: "\n").first.map(String.init))
  }

  /// What `node-agent status` says on a node.
  func status(on node: String, _ section: String...) async throws -> JSON {
    let agent = try await agent(on: node)
    let output = try await NodeHarness.run(
      [
        Self.kubectl, "-n", "skein-system", "exec", agent, "-c", "node-agent", "--",
        "node-agent", "status", "--state-dir", "/run/skein/node", "-o", "json",
      ] + section, expecting: nil)
    guard !output.standardOutput.isEmpty else { return .null }
    return try JSON(parsing: output.standardOutput, context: output.standardError)
  }

  // MARK: Namespaces

  func enrol(_ namespace: String) async throws {
    try await kubectl(
      "label", "namespace", namespace, "istio.io/dataplane-mode=ambient", "--overwrite")
    try await waitUntilEnrolled(namespace)
  }

  func release(_ namespace: String) async throws {
    try await beginRelease(namespace)
    try await wait(for: namespace, toBe: "notEnrolled")
  }

  /// Takes the label away, and waits for nothing.
  func beginRelease(_ namespace: String) async throws {
    try await kubectl("label", "namespace", namespace, "istio.io/dataplane-mode-")
  }

  func waitUntilEnrolled(_ namespace: String) async throws {
    try await wait(for: namespace, toBe: "enrolled")
  }

  /// Waits until all its pods are in one of these states, and some are in the first.
  func wait(for namespace: String, toBe first: String, or others: String...) async throws {
    for node in Self.nodes {
      try await eventually("the pods of \(namespace) on \(node) are \(first)", within: .seconds(60))
      {
        let states = try await states(of: namespace, on: node)
        return states.contains(first) && Set(states).isSubset(of: [first] + others)
      }
    }
  }

  private func states(of namespace: String, on node: String) async throws -> [String] {
    try await status(on: node, "pods").array.filter { $0["namespace"].string == namespace }
      .compactMap { $0["state"].string }
  }

  // MARK: The application

  /// The client pod on a node.
  func client(on node: String) async throws -> String {
    try await pod("client", on: node)["metadata"]["name"].string ?? ""
  }

  func pod(_ app: String, on node: String) async throws -> JSON {
    try #require(try await pods(app, on: node).first, "no pod of \(app) on \(node)")
  }

  private func pods(_ app: String, on node: String) async throws -> [JSON] {
    let output = try await kubectl(
      "-n", "shop", "get", "pods", "-l", "app=\(app)", "--field-selector",
      "spec.nodeName=\(node),status.phase=Running", "-o", "json")
    let items = try JSON(parsing: output.standardOutput)["items"].array
    return items.filter { $0["metadata"]["deletionTimestamp"].string == nil }
  }

  /// Sees to it that a Deployment of two has a pod on each node: a rollout or a node that was away
  /// may have left both on one.
  func spread(_ app: String) async throws {
    for (node, other) in zip(Self.nodes, Self.nodes.reversed())
    where try await pods(app, on: node).isEmpty {
      let extra = try await pod(app, on: other)["metadata"]["name"].string ?? ""
      try await kubectl("-n", "shop", "delete", "pod", extra, "--timeout=100s")
      try await kubectl(
        "-n", "shop", "rollout", "status", "deployment/\(app)", "--timeout=100s")
    }
  }

  /// What curl says inside a pod: the answer, or the reason that there is none.
  func curl(_ url: String, in pod: String, of namespace: String = "shop") async throws -> String {
    let output = try await kubectl(
      "-n", namespace, "exec", pod, "--", "curl", "-sS", "-m", "5", url, expecting: nil)
    return output.status == 0 ? output.standardOutput : output.standardError
  }

  /// What a person would look at first.
  func describe() async {
    do {
      let pods = try await kubectl("get", "pods", "-A", "-o", "wide")
      print(pods.standardOutput)
      for node in Installation.nodes {
        let agent = try await agent(on: node)
        for container in ["node-agent", "ztunnel"] {
          let log = try await kubectl(
            "-n", "skein-system", "logs", agent, "-c", container, "--tail=80", expecting: nil)
          print("\(node) \(container):\n\(log.standardOutput)")
        }
      }
    } catch {
      print("nothing to describe: \(error)")
    }
  }

  func installPolicies() async throws {
    for (group, plural, kind) in [
      ("security", "peerauthentications", "PeerAuthentication"),
      ("security", "authorizationpolicies", "AuthorizationPolicy"),
      ("networking", "serviceentries", "ServiceEntry"),
    ] {
      try await apply(
        """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: \(plural).\(group).istio.io}
        spec:
          group: \(group).istio.io
          names: {kind: \(kind), listKind: \(kind)List, plural: \(plural), singular: \(kind.lowercased())}
          scope: Namespaced
          versions:
            - name: v1
              served: true
              storage: true
              schema:
                openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
        """)
      try await kubectl(
        "wait", "--for=condition=Established", "crd/\(plural).\(group).istio.io",
        "--timeout=30s")
    }
  }

  func startShop() async throws {
    try await apply(file: Self.object("shop"))
    for workload in ["deployment/web", "daemonset/client", "daemonset/echo"] {
      try await kubectl("-n", "shop", "rollout", "status", workload, "--timeout=90s")
    }
    try await kubectl("-n", "default", "wait", "--for=condition=Ready", "pod/outsider")
  }
}

/// Installs Skein and the shop for a suite, and takes both away after it.
struct InstallationTrait: SuiteTrait, TestScoping {
  @concurrent @Sendable func provideScope(
    for test: Test, testCase: Test.Case?,
    performing function: @concurrent @Sendable () async throws -> Void
  ) async throws {
    let installation = Installation()
    do {
      try await installation.installPolicies()
      try await installation.install()
      try await installation.startShop()
      try await function()
    } catch {
      await installation.describe()
      try await tearDown(installation)
      throw error
    }
    try await tearDown(installation)
  }

  private func tearDown(_ installation: Installation) async throws {
    try await installation.kubectl(
      "delete", "namespace/shop", "namespace/forms", "namespace/bookinfo", "--ignore-not-found",
      "--timeout=170s", within: .seconds(180))
    try await installation.kubectl(
      "-n", "default", "delete", "pod/outsider", "--ignore-not-found", "--timeout=170s",
      within: .seconds(180))
    try await installation.uninstall()
  }
}

extension Trait where Self == InstallationTrait {
  static var installation: Self { InstallationTrait() }
}
