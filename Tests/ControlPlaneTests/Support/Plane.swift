import CertificateAuthority
import ControlAPI
import Foundation
import Linux
import Manifests
import MeshModel
import Telemetry
import TestSupport
import XDS

@testable import ControlPlane

/// A control plane inside this process, on a free port, with a directory of its own.
final class Plane: Sendable {
  let directory: String
  let core: Core
  let port: UInt16

  static let tokens = ["a": "token-of-node-a-0000", "b": "token-of-node-b-0000"]

  struct Options {
    var issuer: RunSettings.Issuer?
    var lifetimes = LifetimeRule(standard: .seconds(3_600), most: .seconds(86_400))
    /// The port shows server.crt and server.key of the directory, not a certificate of its own.
    var hasServingFiles = false
    /// Client certificates are looked up in crl.pem of the directory.
    var hasRevocations = false
    var pods = [Pod("web", node: "a", account: "web"), Pod("db", node: "b", account: "db")]
    /// Gets the directory before the control plane starts.
    var prepare: (String) throws -> Void = { _ in }
  }

  private init(directory: String, core: Core, port: UInt16) {
    self.directory = directory
    self.core = core
    self.port = port
  }

  /// Runs `body` beside a control plane that serves its first generation already.
  static func run(
    _ options: Options = Options(), _ body: (Plane) async throws -> Void
  ) async throws {
    let directory = NSTemporaryDirectory() + "/control-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: directory + "/manifests", withIntermediateDirectories: true)
    defer {
      do { try FileManager.default.removeItem(atPath: directory) } catch { print(error) }
    }
    let rows = tokens.map { "\($0.key) \($0.value)\n" }.joined()
    try put(directory + "/tokens", rows)
    for (node, token) in tokens { try put("\(directory)/token-\(node)", token + "\n") }
    try put(directory + "/manifests/mesh.yaml", manifest(options.pods))
    try options.prepare(directory)
    let core = try await Core(settings(directory, options))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await CoreService(core: core).run() }
      guard let port = await core.server.port else { throw Failure.notServed }
      let plane = Plane(directory: directory, core: core, port: UInt16(port))
      try await waitFor { core.publisher.current != nil }
      try await body(plane)
      core.publisher.shutDown()
      core.server.beginShutdown()
      try await group.waitForAll()
    }
  }

  private static func settings(_ directory: String, _ options: Options) -> RunSettings {
    RunSettings(
      source: .directory(directory + "/manifests"), authority: .directory(directory + "/ca"),
      host: "127.0.0.1", port: 0,
      serving: options.hasServingFiles
        ? .files(certificate: directory + "/server.crt", key: directory + "/server.key")
        : .issued(names: ["localhost", "127.0.0.1"]),
      tokenFile: directory + "/tokens", issuer: options.issuer,
      revocationFile: options.hasRevocations ? directory + "/crl.pem" : nil,
      lifetimes: options.lifetimes,
      trustDomain: "cluster.local", clusterDomain: "cluster.local", admin: nil, metrics: nil,
      logFormat: .text)
  }

  enum Failure: Error {
    case notServed
  }

  /// Replaces the manifests and waits until they are served.
  func change(_ pods: [Pod]) async throws {
    let before = generation
    try File.replace(directory + "/manifests/mesh.yaml", with: Array(Self.manifest(pods).utf8))
    try await waitFor { generation > before }
  }

  var generation: UInt64 { core.publisher.current?.resources.generation ?? 0 }

  /// As the agent of a node reaches it.
  func settings(node: String? = "a") -> ChannelSettings {
    ChannelSettings(
      address: ControlAddress(host: "localhost", port: port),
      roots: .file(directory + "/ca/ca.crt"), tokenFile: node.map { "\(directory)/token-\($0)" })
  }

  /// The same, with a token that is not in the file of tokens.
  func settings(token: String) throws -> ChannelSettings {
    let path = "\(directory)/token-\(UUID().uuidString)"
    try put(path, token)
    var settings = settings(node: nil)
    settings.tokenFile = path
    return settings
  }

  // MARK: Manifests

  struct Pod: Hashable {
    var name: String
    var node: String
    var account: String
    var version = "1"

    init(_ name: String, node: String, account: String, version: String = "1") {
      self.name = name
      self.node = node
      self.account = account
      self.version = version
    }

    /// The key of its workload.
    var uid: String { "Kubernetes//Pod/shop/\(name)" }
  }

  static func manifest(_ pods: [Pod]) -> String {
    let namespace = """
      apiVersion: v1
      kind: Namespace
      metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
      ---
      apiVersion: v1
      kind: Service
      metadata: {name: web, namespace: shop}
      spec:
        selector: {app: web}
        clusterIP: 10.96.0.1
        ports: [{port: 80, targetPort: 8080}]
      ---
      apiVersion: security.istio.io/v1
      kind: AuthorizationPolicy
      metadata: {name: only-web, namespace: shop}
      spec: {selector: {matchLabels: {app: db}}, rules: [{from: [{source: {namespaces: [shop]}}]}]}

      """
    return pods.enumerated().reduce(into: namespace) { text, row in
      let (index, pod) = row
      text += """
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          name: \(pod.name)
          namespace: shop
          uid: uid-\(pod.name)
          labels: {app: \(pod.account), version: "\(pod.version)"}
        spec: {nodeName: \(pod.node), serviceAccountName: \(pod.account), containers: [{name: app}]}
        status:
          phase: Running
          podIP: 10.0.\(index / 250).\(index % 250 + 1)
          podIPs: [{ip: 10.0.\(index / 250).\(index % 250 + 1)}]
          conditions: [{type: Ready, status: "True"}]

        """
    }
  }
}

/// Makes or replaces a file.
func put(_ path: String, _ text: String) throws(LinuxError) {
  try File.replace(path, with: Array(text.utf8))
}

/// The same inside a stream's body, where only its own errors may be thrown.
func write(_ path: String, _ text: String) async {
  do {
    try put(path, text)
  } catch {
    preconditionFailure("\(path): \(error)")
  }
}
