import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

extension `A node` {
  /// The control plane that node b knew gives way to one that does what none should.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.prepareControlPlane()
      try await mesh.startControlPlane()
      try await mesh.startAgentsUnderControl()
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `keeps the last good mesh under a control plane` {
    struct Row: CustomTestStringConvertible, Sendable {
      var kind: String
      /// What the status says in the end; nil when it is in step.
      var error: String?
      var testDescription: String { kind }
    }

    static let rows = [
      Row(kind: "empty", error: nil), Row(kind: "removing", error: nil),
      Row(kind: "ending", error: "finished the stream"), Row(kind: "garbage", error: ""),
      Row(kind: "exhausted", error: "resourceExhausted"),
      Row(kind: "oversized", error: ""), Row(kind: "mixed", error: nil),
      Row(kind: "endless", error: nil),
    ]

    private func begin(_ kind: String) async throws -> Running {
      let mesh = try Mesh.shared
      let plane = try await mesh.spawn(
        in: "a", "control.py", kind, Mesh.controlPlaneAddress, "15012", mesh.authority)
      try await plane.waitFor("ready")
      return plane
    }

    private func waitUntilAsked(_ plane: Running) async throws {
      try await eventually("it was talked to", within: .seconds(30)) {
        let outcome = try plane.outcome()
        #expect(outcome == nil, "\(plane.standardOutput)\(plane.standardError)")
        return plane.standardOutput.contains("request")
      }
    }

    private func expectPath(_ location: SourceLocation = #_sourceLocation) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let answer = try await mesh.client(in: "client", "get", server, "8080", "name", "5")
      #expect(
        answer["answer"].string?.hasSuffix("|server") == true, "\(answer)",
        sourceLocation: location)
    }

    @Test(arguments: rows) func `that is not what it should be`(row: Row) async throws {
      let mesh = try Mesh.shared
      try await mesh.waitUntilInStep("a", "b")
      let tunnels = [try await mesh.ztunnelProcessID("a"), try await mesh.ztunnelProcessID("b")]
      try await mesh.stopControlPlane()
      let plane = try await begin(row.kind)
      try await waitUntilAsked(plane)
      let before = plane.standardOutput.split(separator: "\n").count { $0.contains("connection") }
      try await Task.sleep(for: .seconds(5))
      if row.error == nil {
        // The other node may have asked first, and this one still rest.
        try await eventually("it took what was good", within: .seconds(40)) {
          let status = try await mesh.controlPlaneStatus("b")
          return status["isStale"].bool == false
        }
      }
      if let error = row.error, !error.isEmpty {
        // This node may have met it only after the rest that the last one's end began.
        try await eventually("it says that \(error)") {
          let status = try await mesh.controlPlaneStatus("b")
          return status["lastError"].string?.contains(error) == true
        }
      }
      let status = try await mesh.controlPlaneStatus("b")
      if let error = row.error {
        #expect(status["isStale"].bool == true, "\(status)")
        #expect(status["lastError"].string?.contains(error) ?? false || error.isEmpty, "\(status)")
        #expect(status["lastError"].string != nil, "\(status)")
      } else {
        #expect(status["isStale"].bool == false, "\(status)")
      }
      let after = plane.standardOutput.split(separator: "\n").count { $0.contains("connection") }
      #expect(after - before <= 16, "\(after - before) connections of two nodes in five seconds")
      try await expectPath()
      let model = try await mesh.status("b", "model")
      #expect(try #require(model["workloads"].int) >= 3, "\(model)")
      #expect(
        tunnels == [try await mesh.ztunnelProcessID("a"), try await mesh.ztunnelProcessID("b")])
      if row.kind == "exhausted" {
        // It is not made worse by asking for everything.
        let claims = try plane.standardOutput.split(separator: "\n").filter {
          $0.contains("Address") && $0.contains("claims") && $0.hasSuffix("}")
        }.compactMap { try JSON(parsing: String($0))["claims"].int }
        #expect(!claims.isEmpty && !claims.contains(0), "\(claims)")
      }
      if row.kind == "mixed" {
        #expect(status["rejectedCount"].int == 7, "\(status)")
        #expect(plane.standardOutput.contains("refused"))
        let names = Set(status["rejected"].array.compactMap { $0["name"].string })
        #expect(names.contains("Kubernetes//Pod/hostile/twice"), "\(names)")
        #expect(model["workloads"].int == 4, "the good one among them")
      }
      try await mesh.stop(plane)
      try await mesh.startControlPlane()
      try await mesh.waitUntilInStep("a", "b", within: .seconds(40))
      // What was already on its way to us comes first.
      try await eventually("what it said is gone", within: .seconds(90)) {
        let model = try await mesh.status("b", "model")
        let plane = try await mesh.controlPlaneStatus("b")
        return model["workloads"].int == 3 && plane["rejectedCount"].int == 0
      }
    }

    @Test func `that tells fifty thousand workloads, and claims them when it comes back`()
      async throws
    {
      let mesh = try Mesh.shared
      try await mesh.waitUntilInStep("a", "b")
      try await mesh.stopControlPlane()
      for isKnown in [false, true] {
        let plane = try await begin("many")
        // The node that lost the last one may not have noticed yet: what it asks is what tells.
        try await eventually("it was asked, with claims: \(isKnown)") {
          let requests = plane.standardOutput.split(separator: "\n").filter {
            $0.contains("claims") && $0.hasSuffix("}")
          }
          let claims = try requests.compactMap { try JSON(parsing: String($0))["claims"].int }
          return isKnown ? claims.contains { $0 >= 20_000 } : !claims.isEmpty
        }
        try await mesh.waitUntilInStep("b")
        try await eventually("they are enforced") {
          let model = try await mesh.status("b", "model")
          return try #require(model["workloads"].int) >= 50_000
            && model["generation"].int == model["enforcedGeneration"].int
            && model["rejection"].string == nil
        }
        try await expectPath()
        try await mesh.stop(plane)
      }
      try await mesh.startControlPlane()
      try await mesh.waitUntilInStep("a", "b")
      try await eventually("they are gone again") {
        let model = try await mesh.status("b", "model")
        return model["workloads"].int == 3
          && model["generation"].int == model["enforcedGeneration"].int
      }
    }

    @Test func `that never answers`() async throws {
      let mesh = try Mesh.shared
      try await mesh.waitUntilInStep("a", "b")
      try await mesh.stopControlPlane()
      let plane = try await begin("silent")
      try await waitUntilAsked(plane)
      try await Task.sleep(for: .seconds(2))
      #expect(try await mesh.controlPlaneStatus("b")["isStale"].bool == true)
      try await expectPath()
      try await mesh.stop(plane)
      try await mesh.startControlPlane()
      try await mesh.waitUntilInStep("a", "b", within: .seconds(40))
    }
  }

  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.prepareControlPlane()
      try await Script(in: mesh).write(policies: [:])
      for node in ["a", "b"] {
        try await mesh.startAgent(
          node, source: mesh.underControl(node, "--ca-dir", mesh.authority))
      }
      try await eventually("there is an authority") {
        FileManager.default.fileExists(atPath: "\(mesh.authority)/ca.crt")
      }
      let plane = try await mesh.spawn(
        in: "a", "control.py", "scripted", Mesh.controlPlaneAddress, "15012", mesh.authority,
        "\(mesh.directory)/script.json")
      try await plane.waitFor("ready")
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `denies what lists a policy that has not arrived` {
    @Test func `and allows it when the policy comes, and denies again when it goes`() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      let script = try await Script(in: mesh)
      func expect(_ isAllowed: Bool) async throws {
        try await eventually("allowed: \(isAllowed)") {
          let answer = try await mesh.client(in: "client", "get", server, "8080", "name", "3")
          return (answer["answer"].string?.hasSuffix("|server") == true) == isAllowed
        }
      }
      try await expect(true)
      try script.write(lists: ["shop/allow"], policies: [:])
      try await expect(false)
      let refusal = try await mesh.status("b", "refusals")[0]
      #expect(refusal["reason"].string?.contains("shop/allow") == true, "\(refusal)")
      try script.write(lists: ["shop/allow"], policies: ["shop/allow": "client"])
      try await expect(true)
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "20", "0.05")
      try await held.waitFor("open")
      try script.write(lists: ["shop/allow"], policies: [:])
      #expect(try await held.finish().json()["ended"].string != "")
      try await expect(false)
      try script.write(policies: [:])
      try await expect(true)
    }
  }
}

/// What a scripted control plane says: the pods of the mesh, and policies by name.
struct Script {
  private let path: String
  private let pods: [PodFixture]

  init(in mesh: Mesh) async throws {
    path = "\(mesh.directory)/script.json"
    pods = await mesh.pods.values.filter { $0.namespace == "shop" }
  }

  /// - lists: the policies that the server lists.
  /// - policies: those there are, each allowing one service account.
  func write(lists: [String] = [], policies: [String: String]) throws {
    let workloads = pods.map { pod in
      """
      {"name": "\(pod.name)", "namespace": "\(pod.namespace)", "addresses": ["\(pod.ip4)", \
      "\(pod.ip6)"], "node": "\(pod.node)", "account": "\(pod.serviceAccount)", "policies": \
      [\(pod.name == "server" ? lists.map { "\"\($0)\"" }.joined(separator: ",") : "")]}
      """
    }
    let allowed = policies.map { "{\"name\": \"\($0.key)\", \"account\": \"\($0.value)\"}" }
    let text = """
      {"workloads": [\(workloads.joined(separator: ","))], \
      "policies": [\(allowed.joined(separator: ","))]}
      """
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }
}
