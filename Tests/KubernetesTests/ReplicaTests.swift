import Foundation
import KubernetesClient
import Linux
import MeshCompiler
import NodeHarness
import Testing

/// A control plane that shares its authority with others.
private struct Replica {
  let program: Running
  let admin: String

  init(_ cluster: ClusterFixture, port: Int) throws {
    admin = "127.0.0.1:\(port + 1)"
    program = try Running([
      ClusterFixture.program, "run", "--kubernetes", "--kubeconfig", ClusterFixture.kubeconfig,
      "--ca-secret", "\(cluster.namespace)/skein-ca", "--listen", "127.0.0.1:\(port)",
      "--server-name", "127.0.0.1", "--admin", admin,
    ])
  }

  func isLeading() async throws -> Bool {
    let output = try await NodeHarness.run(
      ClusterFixture.program, "status", "--admin", admin, "-o", "json", expecting: nil)
    guard !output.standardOutput.isEmpty else { return false }
    return try JSON(parsing: output.standardOutput)["rootConfigMaps"]["isLeading"].bool == true
  }

  func end() async throws {
    program.signal(.terminate)
    _ = try await program.finish()
  }
}

extension ClusterFixture {
  fileprivate func root() async throws -> String? {
    let found = try await client.object(
      .configMaps, namespace: namespace, name: "skein-ca-root-cert")
    return found?["data"]?["root-cert.pem"]?.text
  }
}

extension `A control plane of a cluster` {
  @Test func `of two replicas has one root, which the one that lives writes`() async throws {
    try await ClusterFixture.run { cluster in
      let port = Int.random(in: 31_000..<32_000)
      let one = try Replica(cluster, port: port)
      let two = try Replica(cluster, port: port + 2)
      do {
        try await check(cluster, one, two)
      } catch {
        try await one.end()
        try await two.end()
        throw error
      }
      try await one.end()
      try await two.end()
    }
  }

  private func check(_ cluster: ClusterFixture, _ one: Replica, _ two: Replica) async throws {
    try await eventually("the root is written", within: .seconds(60)) {
      try await cluster.root() != nil
    }
    let secret = try await cluster.client.object(
      .secrets, namespace: cluster.namespace, name: "skein-ca")
    let roots = Data(base64Encoded: secret?["data"]?["ca.crt"]?.text ?? "")
    let written = try await cluster.root()
    #expect(roots.map { String(decoding: $0, as: UTF8.self) } == written)
    try await eventually("one leads", within: .seconds(60)) {
      let (isOne, isTwo) = (try await one.isLeading(), try await two.isLeading())
      return isOne != isTwo
    }
    let (leader, other) = try await one.isLeading() ? (one, two) : (two, one)
    leader.program.signal(.kill)
    _ = try await leader.program.finish()
    try await cluster.client.delete(
      .configMaps, namespace: cluster.namespace, name: "skein-ca-root-cert")
    try await eventually("the other one writes it", within: .seconds(60)) {
      try await cluster.root() == written
    }
    try await eventually("the other one leads") { try await other.isLeading() }
  }
}
