import Foundation
package import Linux
import Testing
import TestSupport

/// A control plane beside the nodes, at 10.90.0.1:15012 in node a's namespace.
///
/// It reads `manifests`, the whole mesh; the node agents under it read `pods`, which says no more
/// than which pods there are and where.
extension Mesh {
  package static let controlPlanePath =
    ProcessInfo.processInfo.environment["CONTROL_PLANE"] ?? ""
  package static let controlPlaneAddress = "10.90.0.1"

  package nonisolated var podDirectory: String { "\(directory)/pods" }

  package nonisolated func tokenFile(of node: String) -> String { "\(directory)/token-\(node)" }

  /// Writes tokens, and what the agents may know by themselves: pods and namespaces.
  package func prepareControlPlane() async throws {
    try await shell(
      """
      mkdir -p \(podDirectory)
      cp \(directory)/manifests/pod-*.yaml \(directory)/manifests/namespace-*.yaml \(podDirectory)
      printf '%s' token-of-node-a-0123456789 >\(tokenFile(of: "a"))
      printf '%s' token-of-node-b-0123456789 >\(tokenFile(of: "b"))
      echo \(prefix)-a token-of-node-a-0123456789 >\(directory)/tokens
      echo \(prefix)-b token-of-node-b-0123456789 >>\(directory)/tokens
      """)
  }

  package func startControlPlane() async throws {
    let plane = try spawnProgram(
      on: "a",
      [
        Self.controlPlanePath, "run", "--config", "\(directory)/manifests", "--ca-dir", authority,
        "--listen", "\(Self.controlPlaneAddress):15012", "--server-name",
        Self.controlPlaneAddress, "--token-file", "\(directory)/tokens", "--log-format", "json",
      ])
    controlPlane = plane
    try await eventually("the control plane listens") {
      if let outcome = try plane.outcome() {
        throw UnexpectedEnd(
          what: "the control plane: \(outcome) \(plane.standardOutput)\(plane.standardError)")
      }
      return try await run(
        "nsenter", "--net=/run/netns/\(prefix)-a", "bash", "-c",
        "exec 3<>/dev/tcp/\(Self.controlPlaneAddress)/15012", expecting: nil
      ).status == 0
    }
  }

  package func stopControlPlane() async throws {
    try await stop(try #require(controlPlane, "no control plane runs"))
    controlPlane = nil
  }

  /// What an agent under the control plane is started with.
  package nonisolated func underControl(_ node: String, _ more: String...) -> [String] {
    [
      "--config", podDirectory, "--xds-address", "\(Self.controlPlaneAddress):15012",
      "--root-cert", "\(authority)/ca.crt", "--token-file", tokenFile(of: node),
    ] + more
  }

  package func startAgentsUnderControl() async throws {
    for node in ["a", "b"] { try await startAgent(node, source: underControl(node)) }
  }

  package func controlPlaneStatus(_ node: String) async throws -> JSON {
    try await status(node, "control-plane")
  }

  package func waitUntilInStep(_ nodes: String..., within limit: Duration = patience)
    async throws
  {
    for node in nodes {
      try await eventually("node \(node) is in step", within: limit) {
        try await self.controlPlaneStatus(node)["isStale"].bool == false
      }
    }
  }

  package func stop(_ program: Running, _ signal: Signal = .kill) async throws {
    program.signal(signal)
    _ = try await program.finish()
  }
}

struct UnexpectedEnd: Error, CustomStringConvertible {
  var what: String
  var description: String { "ended: \(what)" }
}
