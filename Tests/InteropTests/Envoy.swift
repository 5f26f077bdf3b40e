import Linux
import NodeHarness
import Testing
import TestSupport

/// Stock Envoy in a pod of the mesh, with a certificate of the mesh; see Programs/envoy.py.
struct Envoy: Sendable {
  let process: Running
  private let namespace: String

  /// The port at which an application of the pod reaches the destination of `originate`.
  static let originatePort = 9000

  /// Returns when Envoy serves.
  static func start(
    in pod: String = "waypoint", of mesh: Mesh, _ options: [String]
  ) async throws -> Envoy {
    let namespace = try #require(await mesh.pods[pod]?.netns)
    let arguments = [mesh.authority, try await mesh.identity(of: pod)] + options
    let envoy = Envoy(
      process: try await mesh.spawn(in: pod, "envoy.py", arguments), namespace: namespace)
    do {
      try await eventually("Envoy serves") {
        try await envoy.ask("GET", "ready", expecting: nil).contains("LIVE")
      }
    } catch {
      Issue.record("\(envoy.process.standardError)")
      throw error
    }
    return envoy
  }

  /// Runs Envoy for as long as `body` runs.
  static func serving(
    in pod: String = "waypoint", of mesh: Mesh, _ options: String...,
    body: (Envoy) async throws -> Void
  ) async throws {
    let envoy = try await start(in: pod, of: mesh, options)
    do {
      try await body(envoy)
    } catch {
      await envoy.kill()
      throw error
    }
    await envoy.kill()
  }

  /// Tunnels to `port` of a pod through ztunnel at its port 15008.
  static func originate(
    at local: Int = originatePort, to pod: String, port: Int = 8080, isIPv6: Bool = false,
    expecting identity: String? = nil, in mesh: Mesh
  ) async throws -> String {
    let address = try await mesh.address(of: pod, isIPv6: isIPv6)
    let host = isIPv6 ? "[\(address)]" : address
    let expected = try await mesh.identity(of: identity ?? pod)
    return "originate=\(local),\(host):\(port),\(expected)"
  }

  /// Whether an application learned that its tunnel failed: Envoy closes its connection, which
  /// resets it when something of the application's was unread.
  static func gave(nothing answer: JSON) -> Bool {
    answer["error"].string == "ECONNRESET" || answer["answer"].string == ""
  }

  func kill() async {
    process.signal(.kill)
    do {
      _ = try await process.finish()
    } catch {
      Issue.record("Envoy did not end: \(error)")
    }
  }

  // MARK: Administration

  @discardableResult
  func ask(_ method: String, _ path: String, expecting status: Int32? = 0) async throws -> String {
    try await run(
      "nsenter", "--net=/run/netns/\(namespace)", "curl", "-sf", "--max-time", "5", "-X", method,
      "http://127.0.0.1:9901/\(path)", expecting: status
    ).standardOutput
  }

  /// One counter or gauge by its whole name.
  func statistic(_ name: String) async throws -> Int {
    let text = try await ask("GET", "stats?usedonly&filter=^\(name)$")
    let value = text.split(separator: "\n").first?.split(separator: " ").last
    return value.flatMap { Int($0) } ?? 0
  }

  /// The access log's entries of one kind, `terminate` or `originate`; written a little late.
  func entries(_ kind: String) throws -> [JSON] {
    try process.standardOutput.split(separator: "\n")
      .map { try JSON(parsing: String($0)) }
      .filter { $0["kind"].string == kind }
  }

  /// Waits until the access log has an entry for which `condition` holds.
  func entry(_ kind: String, _ condition: (JSON) -> Bool) async throws -> JSON {
    var found: JSON?
    try await eventually("an entry of the access log") {
      found = try entries(kind).first(where: condition)
      return found != nil
    }
    return try #require(found)
  }
}
