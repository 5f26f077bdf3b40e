import Foundation
import KubernetesClient
import Linux
import MeshCompiler
import NodeHarness
import Testing

/// A namespace of its own in the cluster that `make e2e` made, and a control plane that reads it.
final class ClusterFixture: Sendable {
  static let kubeconfig = ProcessInfo.processInfo.environment["KUBECONFIG"] ?? ""
  static let scripts = ProcessInfo.processInfo.environment["K8S_SCRIPTS"] ?? ""
  static let program = ProcessInfo.processInfo.environment["CONTROL_PLANE"] ?? ""
  static let isAvailable = !kubeconfig.isEmpty && !scripts.isEmpty && !program.isEmpty

  let client: KubernetesClient
  let namespace: String
  let directory: String
  let port: Int
  let admin: Int
  let plane: Running

  private init(
    client: KubernetesClient, namespace: String, directory: String, port: Int, plane: Running
  ) {
    self.client = client
    self.namespace = namespace
    self.directory = directory
    self.port = port
    admin = port + 1
    self.plane = plane
  }

  static func run(_ body: (ClusterFixture) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "/cluster-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let client = try KubernetesClient(.kubeconfig(kubeconfig))
    let namespace = "e2e-\(UInt32.random(in: 0..<UInt32.max))"
    let port = Int.random(in: 20_000..<30_000)
    let plane = try Running([
      program, "run", "--kubernetes", "--kubeconfig", kubeconfig, "--ca-dir", "\(directory)/ca",
      "--listen", "127.0.0.1:\(port)", "--server-name", "127.0.0.1", "--admin",
      "127.0.0.1:\(port + 1)", "--node-account", "\(namespace)/agent", "--log-format", "json",
    ])
    let fixture = ClusterFixture(
      client: client, namespace: namespace, directory: directory, port: port, plane: plane)
    do {
      try await fixture.prepare()
      try await body(fixture)
    } catch {
      Issue.record("\(plane.standardOutput.suffix(4_000))\(plane.standardError.suffix(2_000))")
      await fixture.end()
      throw error
    }
    await fixture.end()
  }

  private func prepare() async throws {
    try await client.create(
      Kind.namespaces,
      [
        "metadata": [
          "name": .text(namespace), "labels": ["istio.io/dataplane-mode": "ambient"],
        ]
      ])
    for account in ["agent", "web"] {
      try await client.create(
        Kind.accounts, namespace: namespace, ["metadata": ["name": .text(account)]])
    }
    try await eventually("the control plane is in sync", within: .seconds(60)) {
      let output = try await self.statusOutput()
      guard !output.standardOutput.isEmpty else { return false }
      let rows = try JSON(parsing: output.standardOutput)["cluster"].array
      return !rows.isEmpty && rows.allSatisfy { $0["isSynced"].bool == true }
    }
  }

  private func end() async {
    plane.signal(.terminate)
    do {
      _ = try await plane.finish()
      try await client.delete(Kind.namespaces, name: namespace)
      try FileManager.default.removeItem(atPath: directory)
    } catch {
      Issue.record("not cleaned up: \(error)")
    }
    await client.shutDown()
  }

  /// What `control-plane status -o json` says.
  func status() async throws -> JSON {
    let output = try await statusOutput()
    return try JSON(parsing: output.standardOutput, context: output.standardError)
  }

  private func statusOutput() async throws -> Output {
    try await NodeHarness.run(
      Self.program, "status", "--admin", "127.0.0.1:\(admin)", "-o", "json", expecting: nil)
  }

  // MARK: Objects

  enum Kind {
    static let namespaces = Resource(plural: "namespaces", kind: "Namespace")
    static let accounts = Resource(plural: "serviceaccounts", kind: "ServiceAccount")
    static let pods = Resource(plural: "pods", kind: "Pod")
    static let nodes = Resource(plural: "nodes", kind: "Node")
    static let definitions = Resource(
      group: "apiextensions.k8s.io", plural: "customresourcedefinitions",
      kind: "CustomResourceDefinition")
    static let policies = Resource(
      group: "security.istio.io", plural: "authorizationpolicies", kind: "AuthorizationPolicy")
  }

  /// A pod with an address, as if a kubelet had told of it.
  @discardableResult
  func makePod(_ name: String, node: String, ip: String, account: String = "web") async throws
    -> String
  {
    let pod = try await client.create(
      Kind.pods, namespace: namespace,
      [
        "metadata": ["name": .text(name), "labels": ["app": .text(account)]],
        "spec": [
          "nodeName": .text(node), "serviceAccountName": .text(account),
          "containers": .list([["name": "app", "image": "localhost/app:1"]]),
        ],
      ])
    try await client.patch(
      Kind.pods, namespace: namespace, name: name, part: "status",
      [
        "status": [
          "phase": "Running", "podIP": .text(ip), "podIPs": .list([["ip": .text(ip)]]),
          "conditions": .list([["type": "Ready", "status": "True"]]),
        ]
      ])
    return pod["metadata"]?["uid"]?.text ?? ""
  }

  /// A token of an account, bound to a pod, as a projected volume holds it.
  func token(account: String, pod: String, uid: String, audience: String = "istio-ca") async throws
    -> String
  {
    let answer = try await client.create(
      Resource(
        group: "authentication.k8s.io", plural: "serviceaccounts", kind: "TokenRequest"),
      path: "/api/v1/namespaces/\(namespace)/serviceaccounts/\(account)/token",
      [
        "spec": [
          "audiences": .list([.text(audience)]), "expirationSeconds": .whole(600),
          "boundObjectRef": [
            "kind": "Pod", "apiVersion": "v1", "name": .text(pod), "uid": .text(uid),
          ],
        ]
      ])
    return try #require(answer["status"]?["token"]?.text)
  }
}
