import Foundation
import Glibc
import TestSupport
package import Testing

/// Memory of one process, in bytes, as the kernel counts it.
package struct Residency: Sendable, CustomStringConvertible {
  package var resident: Int
  /// Without pages of files: what the process itself asked for.
  package var anonymous: Int

  package init(of process: Int32) throws {
    let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    func bytes(_ key: String) throws -> Int {
      let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(key + ":") })
      let number = line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first
      // The kernel's kB are KiB.
      return try #require(number.flatMap { Int($0) }) * 1_024
    }
    resident = try bytes("VmRSS")
    anonymous = try bytes("RssAnon")
  }

  package var description: String {
    "\(resident / 1_024) KiB resident, \(anonymous / 1_024) KiB of them anonymous"
  }
}

extension Mesh {
  package nonisolated var authority: String { "\(directory)/ca" }

  package func residency(_ node: String) async throws -> Residency {
    try Residency(of: await ztunnelProcessID(node))
  }

  /// Runs hostile.py from a pod that is not in the mesh against an enrolled one.
  package func attack(
    _ name: String, from pod: String = "stranger", on victim: String = "server",
    _ arguments: String..., isIPv6: Bool = false, within limit: Duration = patience
  ) async throws -> JSON {
    let target = try #require(pods[victim])
    let host = isIPv6 ? "[\(target.ip6)]" : target.ip4
    return try await spawn(in: pod, "hostile.py", [name, authority, host] + arguments)
      .finish(within: limit).json()
  }

  /// The same, for attacks that go on until their input ends.
  package func beginAttack(
    _ name: String, from pod: String = "stranger", on victim: String = "server",
    _ arguments: String...
  ) throws -> Running {
    let host = try #require(pods[victim]).ip4
    return try spawn(in: pod, "hostile.py", [name, authority, host] + arguments)
  }

  /// Puts a pod into the manifests as one of a node that nobody runs: it can only be reached by
  /// HBONE, and answers on 15008 itself.
  package func addImpostor(_ name: String = "impostor") async throws {
    var pod = try await addPod(name, on: "b")
    pod.node = "nowhere"
    try apply("pod-\(name)", pod.manifest)
  }

  /// Lets impostor.py answer in the pod until its input ends.
  package func impersonate(
    _ name: String, in pod: String = "impostor", _ arguments: [String] = []
  ) async throws -> Running {
    let running = try spawn(in: pod, "impostor.py", [name, authority] + arguments)
    try await running.waitFor("ready")
    return running
  }

  /// `client` on a, `server` on b, and a `stranger` beside the client who is not in the mesh.
  package func addShop() async throws {
    try applyNamespace("shop", isEnrolled: true)
    try await addPod("client", on: "a")
    try await addPod("server", on: "b")
    try await addPod("stranger", on: "a", namespace: "outside")
  }

  package func startShop() async throws {
    try await startAgent("a")
    try await startAgent("b")
    try await serve(in: "server")
    try await waitUntilEnrolled("client", "server")
  }
}

/// That one ztunnel lives on, works and stays small whatever happens to it.
package struct Unharmed: Sendable {
  package let processes: [String: Int32]

  /// Enough for the tunnels, buffers and handshakes a limit allows at once, 57 MiB of which were
  /// seen on a slow machine; far below what a single attack asks for.
  package static let residentLimit = 128 << 20

  package init(in mesh: Mesh) async throws {
    processes = [
      "a": try await mesh.ztunnelProcessID("a"), "b": try await mesh.ztunnelProcessID("b"),
    ]
  }

  /// The same processes as before, small, and a well-behaved connection passes at once: it does not
  /// wait for any of the limits of ten seconds.
  package func expect(
    _ after: String, in mesh: Mesh, isIPv6: Bool = false,
    _ location: SourceLocation = #_sourceLocation
  ) async throws {
    let server = try await #require(mesh.pods["server"])
    let began = ContinuousClock.now
    let address = isIPv6 ? server.ip6 : server.ip4
    let answer = try await mesh.client(in: "client", "get", address, "8080", "name", "3")
    #expect(
      answer["answer"].string?.hasSuffix("|server") == true, "after \(after): \(answer)",
      sourceLocation: location)
    #expect(ContinuousClock.now - began < .seconds(8), "after \(after)", sourceLocation: location)
    for (node, process) in processes {
      #expect(
        kill(process, 0) == 0, "ztunnel of \(node) died of \(after)", sourceLocation: location)
      let memory = try Residency(of: process)
      #expect(
        memory.resident < Self.residentLimit, "node \(node) after \(after): \(memory)",
        sourceLocation: location)
    }
  }
}
