import ControlAPI
import Foundation
import Linux
import Testing
import TestSupport

@testable import ControlPlane

/// The executable itself, as an operator runs it.
@Suite(.needsProgram, .serialized, .fewAtOnce) struct `The program` {
  /// One run, on a free port; nil standard input.
  private final class Run {
    let process = Process()
    private let output = Foundation.Pipe()

    init(_ arguments: [String]) throws {
      process.executableURL = URL(filePath: Program.path)
      process.arguments = arguments
      process.standardOutput = output
      process.standardError = output
      try process.run()
    }

    /// What it wrote, once it has ended.
    var text: String {
      get throws {
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: bytes, as: UTF8.self)
      }
    }
  }

  private func within(_ body: (String) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "/program-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: directory + "/manifests", withIntermediateDirectories: true)
    defer {
      do { try FileManager.default.removeItem(atPath: directory) } catch { print(error) }
    }
    try put(
      directory + "/manifests/mesh.yaml",
      Plane.manifest([Plane.Pod("web", node: "a", account: "web")]))
    try put(directory + "/tokens", "a token-of-node-a-0000\n")
    try put(directory + "/token", "token-of-node-a-0000")
    try await body(directory)
  }

  @Test func `serves, tells its state, and ends when it is asked to`() async throws {
    try await within { directory in
      let port = UInt16.random(in: 20_000...29_998)
      let run = try Run([
        "run", "--config", directory + "/manifests", "--ca-dir", directory + "/ca", "--listen",
        "127.0.0.1:\(port)", "--server-name", "localhost", "--token-file", directory + "/tokens",
        "--admin", "127.0.0.1:\(port + 1)", "--log-format", "json",
      ])
      defer { run.process.terminate() }
      let settings = ChannelSettings(
        address: ControlAddress(host: "localhost", port: port),
        roots: .file(directory + "/ca/ca.crt"), tokenFile: directory + "/token")
      var names: [String] = []
      for _ in 0..<100 where names.isEmpty {
        do {
          names = try await DiscoveryStream.open(settings) { stream throws(ControlError) in
            try await stream.send(Ask.everything())
            return try await stream.take().names
          }
        } catch {
          // Not up yet.
          try await Task.sleep(for: .milliseconds(100))
        }
      }
      #expect(names == ["Kubernetes//Pod/shop/web", "shop/web.shop.svc.cluster.local"])

      let status = try Run(["status", "--admin", "127.0.0.1:\(port + 1)", "-o", "json"])
      let text = try status.text
      let decoded = try JSONDecoder().decode(ControlStatus.self, from: Data(text.utf8))
      #expect(decoded.isHealthy)
      #expect(decoded.mesh.generation == 1)
      #expect(status.process.terminationStatus == 0)

      run.process.terminate()
      let log = try run.text
      #expect(run.process.terminationStatus == 0)
      #expect(log.contains("shutting down"))
      #expect(
        log.split(separator: "\n").allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
    }
  }

  struct Wrong: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var arguments: [String]
    var code: Int32
    var says: String
  }

  @Test(arguments: [
    Wrong(
      testDescription: "no name for its certificate",
      arguments: ["run", "--config", "/tmp", "--ca-dir", "/nowhere/ca"], code: 2,
      says: "give --server-name, or --tls-cert and --tls-key"),
    Wrong(
      testDescription: "an open status",
      arguments: [
        "run", "--config", "/tmp", "--ca-dir", "/nowhere/ca", "--server-name", "a", "--admin",
        "0.0.0.0:1",
      ], code: 2, says: "--admin is a loopback address"),
    Wrong(
      testDescription: "no manifests",
      arguments: [
        "run", "--config", "/nowhere", "--ca-dir", "/nowhere/ca", "--server-name", "a",
      ], code: 1, says: "--config /nowhere is no directory"),
    Wrong(
      testDescription: "a directory and a cluster",
      arguments: [
        "run", "--config", "/tmp", "--kubernetes", "--ca-dir", "/nowhere/ca", "--server-name", "a",
      ], code: 2, says: "give --config DIRECTORY, or --kubernetes"),
    Wrong(
      testDescription: "neither",
      arguments: ["run", "--ca-dir", "/nowhere/ca", "--server-name", "a"], code: 2,
      says: "give --config DIRECTORY, or --kubernetes"),
    Wrong(
      testDescription: "a cluster that nobody asked for",
      arguments: [
        "run", "--config", "/tmp", "--kubeconfig", "/nowhere", "--ca-dir", "/nowhere/ca",
        "--server-name", "a",
      ], code: 2, says: "--kubeconfig goes with --kubernetes"),
    Wrong(
      testDescription: "two authorities",
      arguments: [
        "run", "--kubernetes", "--ca-dir", "/nowhere/ca", "--ca-secret", "a/b", "--server-name",
        "a",
      ], code: 2, says: "give --ca-dir DIRECTORY, or --ca-secret NAMESPACE/NAME"),
    Wrong(
      testDescription: "a Secret without a cluster",
      arguments: ["run", "--config", "/tmp", "--ca-secret", "a/b", "--server-name", "a"], code: 2,
      says: "--ca-secret goes with --kubernetes"),
    Wrong(
      testDescription: "a Secret of no namespace",
      arguments: ["run", "--kubernetes", "--ca-secret", "ca", "--server-name", "a"], code: 2,
      says: "--ca-secret is NAMESPACE/NAME, not \"ca\""),
    Wrong(
      testDescription: "no way into the cluster",
      arguments: [
        "run", "--kubernetes", "--kubeconfig", "/nowhere", "--ca-dir", "/nowhere/ca",
        "--server-name", "a",
      ], code: 1, says: "/nowhere: cannot be read"),
    Wrong(
      testDescription: "nobody to ask", arguments: ["status", "--admin", "127.0.0.1:1"], code: 1,
      says: "no answer at 127.0.0.1:1"),
  ])
  func `says what is wrong with`(wrong: Wrong) throws {
    let run = try Run(wrong.arguments)
    let text = try run.text
    #expect(text.contains(wrong.says), "\(text)")
    #expect(run.process.terminationStatus == wrong.code)
  }

  @Test func `checks manifests as it would serve them`() async throws {
    try await within { directory in
      let good = try Run(["check", directory + "/manifests"])
      #expect(try good.text.contains("1 workloads, 1 services, 1 policies"))
      #expect(good.process.terminationStatus == 0)
      try put(directory + "/manifests/wrong.yaml", "apiVersion: v1\nkind: Pod\n")
      let bad = try Run(["check", directory + "/manifests"])
      #expect(try bad.text.contains("wrong.yaml"))
      #expect(bad.process.terminationStatus == 1)
    }
  }
}

enum Program {
  static let path = ProcessInfo.processInfo.environment["CONTROL_PLANE"] ?? ""

  static let isThere = FileManager.default.fileExists(atPath: path)
}

extension Trait where Self == ConditionTrait {
  /// Runs only where the environment says where the executable is.
  static var needsProgram: Self {
    .enabled(if: Program.isThere, "needs CONTROL_PLANE=<path of control-plane>")
  }
}
