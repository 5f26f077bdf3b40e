import Foundation
import KubernetesClient
import Linux
import MeshCompiler
import NodeHarness
import Testing

/// The built `skein`, as its user runs it.
private func skein(
  _ words: String..., within limit: Duration = .seconds(240), expecting status: Int32? = 0
) async throws -> Output {
  let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  let program = ProcessInfo.processInfo.environment["SKEIN"] ?? "\(root)/.build/debug/skein"
  return try await run([program] + words, within: limit, expecting: status)
}

extension `A cluster` {
  @Suite(.serialized) struct `without Skein` {
    let installation = Installation()

    /// One after the other what a user does, from nothing to nothing.
    @Test func `is given a mesh by skein, used with it, and has nothing of it afterwards`()
      async throws
    {
      let before = try await skein("status", expecting: 1)
      #expect(before.standardOutput.contains("skein install"), "\(before)")
      do {
        try await install()
        try await useMesh()
      } catch {
        await installation.describe()
        _ = try await skein("uninstall", "--yes", expecting: nil)
        try await removeApplication()
        throw error
      }
      try await removeApplication()
      try await uninstall()
    }

    @Test func `is asked by who a program of the kubeconfig says we are`() async throws {
      let directory = NSTemporaryDirectory() + "/kubeconfig-\(UUID().uuidString)"
      try Directory.makeAll(directory)
      defer { remove(directory) }
      let known = try ClusterConfiguration.kubeconfig(ClusterFixture.kubeconfig)
      guard case .certificate(let chain, let key) = known.credentials else {
        Issue.record("the cluster's administrator has a client certificate")
        return
      }
      let answer: ManifestValue = [
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "status": [
          "clientCertificateData": .text(String(decoding: chain, as: UTF8.self)),
          "clientKeyData": .text(String(decoding: key, as: UTF8.self)),
        ],
      ]
      try File.replace("\(directory)/answer", with: answer.json)
      try File.replace("\(directory)/roots", with: known.authority)
      let text = Self.kubeconfig(known.server, in: directory)
      try File.replace("\(directory)/config", with: Array(text.utf8))
      let status = try await skein("status", "--kubeconfig", "\(directory)/config", expecting: 1)
      #expect(status.standardOutput.contains("skein install"), "\(status)")
      try File.remove("\(directory)/answer")
      let refused = try await skein("status", "--kubeconfig", "\(directory)/config", expecting: 1)
      #expect(refused.standardError.contains("program cat: it exited with 1"), "\(refused)")
    }

    /// One whose user is who `cat` says.
    private static func kubeconfig(_ server: String, in directory: String) -> String {
      """
      current-context: here
      contexts:
      - {name: here, context: {cluster: here, user: person}}
      clusters:
      - {name: here, cluster: {server: "\(server)", certificate-authority: roots}}
      users:
      - name: person
        user:
          exec:
            apiVersion: client.authentication.k8s.io/v1
            command: cat
            args: ["\(directory)/answer"]
      """
    }

    private func remove(_ directory: String) {
      do {
        try FileManager.default.removeItem(atPath: directory)
      } catch {
        Issue.record("\(error)")
      }
    }

    @Test func `has its mesh in a namespace of another name`() async throws {
      let place = "mesh-elsewhere"
      let installed = try await skein(
        "install", "--namespace", place, "--image", Installation.image, "--profile", "minimal")
      #expect(installed.standardOutput.hasPrefix("mesh in \(place): healthy"), "\(installed)")
      let status = try await skein("status", "-n", place, "-o", "json")
      #expect(try JSON(parsing: status.standardOutput)["nodes"].array.count == 2)
      let removed = try await skein("uninstall", "--yes", "-n", place)
      #expect(removed.standardOutput.contains("nothing is left"), "\(removed)")
    }

    private func install() async throws {
      // An old server: what it does not know is passed over, and said.
      let output = try await skein("install", "--image", Installation.image)
      #expect(output.standardOutput.hasPrefix("mesh in skein-system: healthy"), "\(output)")
      #expect(output.standardError.contains("older than Kubernetes 1.21"), "\(output)")
      // From one profile to the next, and back to the one without a name.
      for profile in ["minimal", "demo", "default"] {
        let next = try await skein("install", "--profile", profile, "-o", "json")
        #expect(try JSON(parsing: next.standardOutput)["isHealthy"].bool == true, "\(profile)")
        let replicas = try await installation.kubectl(
          "-n", "skein-system", "get", "deployment/control-plane", "-o",
          "jsonpath={.status.readyReplicas}")
        #expect(replicas.standardOutput == (profile == "default" ? "2" : "1"), "\(profile)")
      }
    }

    private func useMesh() async throws {
      try await installation.apply(Self.application)
      try await installation.kubectl(
        "-n", "tried", "rollout", "status", "daemonset/client", "--timeout=90s")
      let enrolled = try await skein("enroll", "tried", "-o", "json")
      let progress = try JSON(parsing: enrolled.standardOutput)[0]
      #expect(progress["done"].int == 2 && progress["uncovered"].array.count == 1, "\(enrolled)")
      let status = try JSON(parsing: try await skein("status", "-o", "json").standardOutput)
      #expect(status["nodes"].array.allSatisfy { $0["enrolled"].int == 1 }, "\(status)")
      #expect(status["replicas"].array.count { $0["isLeader"].bool == true } == 1)
      let streams = try await skein("proxy-status")
      #expect(streams.standardOutput.split(separator: "\n").count == 3, "\(streams)")
      let pods = try await skein("agent", "status", "n1", "pods")
      #expect(pods.standardOutput.contains("tried"))
      let nodes = try await skein("agent", "status", "-o", "json")
      #expect(try JSON(parsing: nodes.standardOutput)["n2"]["node"]["name"].string == "n2")
      let list = try await installation.kubectl(
        "-n", "tried", "get", "pods", "-l", "app=client", "-o", "json")
      let items = try JSON(parsing: list.standardOutput)["items"].array
      let from = try #require(items.first?["metadata"]["name"].string)
      let to = try #require(items.last?["status"]["podIP"].string)
      let explained = try await skein("explain", "--from", "tried/\(from)", "--to", "\(to):80")
      #expect(
        explained.standardOutput.contains("cluster.local/ns/tried/sa/default"), "\(explained)")
      let released = try await skein("release", "tried", "-o", "json")
      #expect(try JSON(parsing: released.standardOutput)[0]["waiting"].array.isEmpty)
    }

    private func uninstall() async throws {
      let output = try await skein("uninstall", "--yes")
      #expect(output.standardOutput.contains("nothing is left"), "\(output)")
      let after = try await skein("uninstall", "--yes")
      #expect(after.standardOutput.contains("nothing is installed"))
      let roots = try await installation.kubectl(
        "get", "configmaps", "-A", "--field-selector", "metadata.name=skein-ca-root-cert",
        "-o", "name")
      #expect(roots.standardOutput.isEmpty)
    }

    private func removeApplication() async throws {
      try await installation.kubectl(
        "delete", "namespace/tried", "--ignore-not-found", "--timeout=170s", within: .seconds(180))
    }

    private static let application = """
      apiVersion: v1
      kind: Namespace
      metadata: {name: tried}
      ---
      apiVersion: apps/v1
      kind: DaemonSet
      metadata: {name: client, namespace: tried}
      spec:
        selector: {matchLabels: {app: client}}
        template:
          metadata: {labels: {app: client}}
          spec:
            terminationGracePeriodSeconds: 1
            containers: [{name: client, image: localhost/app:1, command: [/bin/sleep, inf]}]
      ---
      apiVersion: v1
      kind: Pod
      metadata: {name: host, namespace: tried}
      spec:
        hostNetwork: true
        nodeName: n1
        terminationGracePeriodSeconds: 1
        containers: [{name: host, image: localhost/app:1, command: [/bin/sleep, inf]}]
      """
  }
}
