import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

/// Whole nodes beside programs that others wrote, on the other side of the wire.
///
/// `scripts/peers.sh` says where those from PyPI are; openssl, nghttp and h2load are Debian's.
@Suite(.needsRoot, .needsPeers) struct `Beside other programs` {}

enum Peers {
  private static let environment = ProcessInfo.processInfo.environment

  static let areThere =
    ["ENVOY_BIN", "PEERS"].allSatisfy { name in
      FileManager.default.fileExists(atPath: environment[name] ?? "")
    }
}

extension Trait where Self == ConditionTrait {
  /// Runs only where scripts/peers.sh has installed the peers and said so in the environment.
  static var needsPeers: Self { .enabled(if: Peers.areThere, "needs what scripts/peers.sh prints") }
}

extension Mesh {
  /// `client` on a, `server` on b, and beside it `waypoint`, an enrolled pod of a node nobody runs:
  /// it is reached by HBONE and must answer on port 15008 itself.
  func addWaypointShop() async throws {
    try await addShop()
    try await addImpostor("waypoint")
    try await startShop()
    try await serve(in: "waypoint")
  }

  /// The address of a pod in one of the two families, as it stands before a colon and a port.
  func address(of pod: String, isIPv6: Bool = false) throws -> String {
    let pod = try #require(pods[pod])
    return isIPv6 ? pod.ip6 : pod.ip4
  }

  func identity(of pod: String) throws -> String {
    let pod = try #require(pods[pod])
    return "spiffe://cluster.local/ns/\(pod.namespace)/sa/\(pod.serviceAccount)"
  }

  /// Sends `size` bytes on each of `count` connections of the client's at once, which come back.
  ///
  /// The client half-closes first: when the application behind Envoy does, Envoy resets the stream
  /// at once and drops what is still on its way (INTERNAL_ERROR).
  func echo(_ size: Int, times count: Int = 1, at address: String) async throws -> JSON {
    try await spawn(
      in: "client", "endings.py", "echo", address, "8080", String(size), String(count), "echo"
    ).finish().json()
  }

  /// Serves in `server` until the end of `body`, and returns how its connections ended.
  func endings(
    in pod: String, port: Int, of body: () async throws -> Void
  ) async throws -> [String] {
    let server = try spawn(in: pod, "endings.py", "serve", String(port))
    try await server.waitFor("ready")
    try await body()
    try await server.waitFor("ended")
    server.signal(.kill)
    _ = try await server.finish()
    return try server.standardOutput.split(separator: "\n").dropFirst().map {
      try #require(try JSON(parsing: String($0))["ended"].string)
    }
  }
}
