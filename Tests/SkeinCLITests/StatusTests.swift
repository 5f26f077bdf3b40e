import NodeHarness
import Testing
import TestSupport

@testable import SkeinCLI

private var ready: [String: Any] { ["conditions": [["type": "Ready", "status": "True"]]] }

extension ScriptedMesh {
  /// Two nodes, two replicas, everything in order.
  static func healthy() -> ScriptedMesh {
    let mesh = ScriptedMesh()
    mesh.put(
      "/apis/apps/v1/namespaces/skein-system/deployments/control-plane",
      [
        "spec": ["replicas": 2]
      ])
    mesh.put(
      "/apis/coordination.k8s.io/v1/namespaces/skein-system/leases/skein-control-plane",
      [
        "spec": ["holderIdentity": "plane-2_5f"]
      ])
    for number in 1...2 {
      mesh.put("/api/v1/nodes/n\(number)", ["status": ready])
      mesh.putPod("plane-\(number)", of: "control-plane", on: "n\(number)")
      mesh.putPod("agent-\(number)", of: "node-agent", on: "n\(number)")
      mesh.answer("agent-\(number)", "status", nodeReport())
    }
    mesh.answer("plane-1", "status -o json", planeReport(generation: 7, streams: ["n1": 7]))
    mesh.answer("plane-2", "status -o json", planeReport(generation: 9, streams: ["n2": 8]))
    return mesh
  }

  func putPod(
    _ name: String, of part: String, on node: String, status: [String: Any] = ready
  ) {
    put(
      "/api/v1/namespaces/skein-system/pods/\(name)",
      [
        "metadata": ["labels": ["app.kubernetes.io/name": part]],
        "spec": ["nodeName": node], "status": status,
      ])
  }
}

func nodeReport(problems: [String] = [], pods: [(String, String, String)] = []) -> String {
  let rows = pods.map { namespace, name, state in
    #"{"namespace":"\#(namespace)","name":"\#(name)","state":"\#(state)"}"#
  }
  let texts = problems.map { "\"\($0)\"" }.joined(separator: ",")
  return #"{"node":{"version":"0.1.0","isHealthy":\#(problems.isEmpty),"problems":[\#(texts)]},"#
    + #""ztunnel":{"state":"running","isConnected":true},"#
    + #""model":{"generation":3,"enforcedGeneration":3},"pods":[\#(rows.joined(separator: ","))]}"#
}

func planeReport(
  generation: Int, streams: [String: Int], refused: Int = 0, problems: [String] = []
) -> String {
  let rows = streams.sorted { $0.key < $1.key }.map { node, acknowledged in
    let kind = #"{"generation":\#(acknowledged),"refused":\#(refused)}"#
    return #"{"node":"\#(node)","peer":"10.0.0.1:5","since":"2026-01-01T00:00:00.000Z","#
      + #""addresses":\#(kind),"policies":{"generation":\#(acknowledged),"refused":0}}"#
  }
  let texts = problems.map { "\"\($0)\"" }.joined(separator: ",")
  return #"{"version":"0.1.0","problems":[\#(texts)],"streamCount":\#(rows.count),"#
    + #""mesh":{"generation":\#(generation),"workloads":4,"services":2,"policies":1},"#
    + #""streams":[\#(rows.joined(separator: ","))]}"#
}

@Suite(.serialized, .fewAtOnce) struct `The state of a mesh` {
  @Test func `is told at a glance while it is healthy`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.answer(
      "agent-1", "status",
      nodeReport(pods: [("shop", "web", "enrolled"), ("a", "b", "notEnrolled")]))
    let text = try await mesh.skein("status").standardOutput
    #expect(text.hasPrefix("mesh in skein-system: healthy, 4 workloads, 2 services, 1 policies\n"))
    let rows = text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(rows.contains("plane-2 n2 ready leads 0.1.0 9 1"))
    #expect(rows.contains("n1 ready 0.1.0 running 7 0 1 0"))
    #expect(rows.contains("n2 ready 0.1.0 running 8 1 0 0"), "\(text)")
    #expect(!text.contains("\u{1B}"), "no colours into a file")
    let json = try await mesh.skein("status", "-o", "json").standardOutput
    let status = try JSON(parsing: json)
    #expect(status["isHealthy"].bool == true && status["nodes"][1]["lag"].int == 1)
    #expect(
      try await mesh.skein("status", "--color", "always").standardOutput.contains("\u{1B}[32m"))
  }

  struct Row: Sendable {
    var what: String
    var says: String
    var change: @Sendable (ScriptedMesh) -> Void
  }

  @Test(arguments: [
    Row(what: "no mesh", says: "skein install") { mesh in
      for number in 1...2 {
        mesh.remove("/api/v1/namespaces/skein-system/pods/plane-\(number)")
        mesh.remove("/api/v1/namespaces/skein-system/pods/agent-\(number)")
      }
      mesh.remove("/apis/apps/v1/namespaces/skein-system/deployments/control-plane")
    },
    Row(what: "a replica short", says: "1 of 2 replicas are ready (ImagePullBackOff)") { mesh in
      mesh.putPod(
        "plane-1", of: "control-plane", on: "n1",
        status: [
          "containerStatuses": [["state": ["waiting": ["reason": "ImagePullBackOff"]]]]
        ])
    },
    Row(what: "no leader", says: "no replica leads") { mesh in
      mesh.remove(
        "/apis/coordination.k8s.io/v1/namespaces/skein-system/leases/skein-control-plane")
    },
    Row(what: "a replica's problem", says: "plane-2: the root expires") { mesh in
      mesh.answer(
        "plane-2", "status -o json",
        planeReport(generation: 9, streams: ["n2": 9], problems: ["the root expires"]))
    },
    Row(what: "a node without an agent", says: "n2: no node agent runs there") { mesh in
      mesh.remove("/api/v1/namespaces/skein-system/pods/agent-2")
    },
    Row(what: "a mute agent", says: "n1: the node agent does not answer: agent-1 ended with 1") {
      mesh in
      mesh.answer("agent-1", "status", code: 1, "")
    },
    Row(what: "an agent of another version", says: "cannot be read") { mesh in
      mesh.answer("agent-1", "status", "{}")
    },
    Row(what: "a node's problem", says: "n2: pod shop/web is failed") { mesh in
      mesh.answer("agent-2", "status", code: 1, nodeReport(problems: ["pod shop/web is failed"]))
    },
    Row(what: "a node without a stream", says: "n2: it has no stream") { mesh in
      mesh.answer("plane-2", "status -o json", planeReport(generation: 9, streams: [:]))
    },
    Row(
      what: "a node that is away", says: "n1: no node agent runs there, and the node is not ready"
    ) { mesh in
      mesh.put("/api/v1/nodes/n1")
      mesh.remove("/api/v1/namespaces/skein-system/pods/agent-1")
    },
  ])
  func `says what is wrong and what to do next, with exit code 1`(row: Row) async throws {
    let mesh = ScriptedMesh.healthy()
    row.change(mesh)
    let output = try await mesh.skein("status", expecting: 1)
    #expect(output.standardOutput.contains(row.says), "\(row.what): \(output)")
    #expect(output.standardOutput.contains("unhealthy"))
  }

  @Test func `lists what each node has taken, and names those without a stream`() async throws {
    let mesh = ScriptedMesh.healthy()
    let text = try await mesh.skein("proxy-status").standardOutput
    let rows = text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
    #expect(rows.contains("n2 plane-2 8 9 1 0 2026-01-01T00:00:00.000Z"), "\(text)")
    mesh.answer(
      "plane-2", "status -o json", planeReport(generation: 9, streams: ["n1": 9], refused: 2))
    let output = try await mesh.skein("proxy-status", "-o", "json", expecting: 1)
    let problems = try JSON(parsing: output.standardOutput)["problems"].array
      .compactMap(\.string)
    #expect(problems.contains { $0.hasPrefix("n1 refused 2 responses") })
    #expect(problems.contains { $0.hasPrefix("n2 has no stream") })
  }

  @Test func `comes from each node's agent as it is`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.answer("agent-1", "status pods -o table", "POD\nweb\n")
    mesh.answer("agent-2", "status pods -o table", code: 1, "POD\ndb\n")
    let all = try await mesh.skein("agent", "status", "pods", expecting: 1)
    #expect(all.standardOutput == "==> n1\nPOD\nweb\n\n==> n2\nPOD\ndb\n")
    let one = try await mesh.skein("agent", "status", "n1", "pods")
    #expect(one.standardOutput == "POD\nweb\n")
    let json = try await mesh.skein("agent", "status", "-o", "json")
    #expect(try JSON(parsing: json.standardOutput)["n2"]["node"]["isHealthy"].bool == true)
    let nobody = try await mesh.skein("agent", "status", "n3", "pods", expecting: 1)
    #expect(nobody.standardError.contains("no node agent runs on n3; they run on n1, n2"))
  }

  @Test func `names a node whose agent does not answer`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.answer("agent-2", "status", code: 2, "")
    let output = try await mesh.skein("agent", "status", expecting: 1)
    #expect(output.standardOutput.contains("==> n1"))
    #expect(!output.standardOutput.contains("==> n2"))
    #expect(output.standardError.contains("n2 does not answer"))
  }

  @Test func `can be asked for one connection, at the node of its pod`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.put("/api/v1/namespaces/shop/pods/web", ["spec": ["nodeName": "n2"]])
    mesh.put("/api/v1/namespaces/shop/pods/new")
    mesh.answer(
      "agent-2", "explain --from shop/web --to 10.0.0.7:80 -o table", code: 1, "denied by x\n")
    let output = try await mesh.skein(
      "explain", "--from", "shop/web", "--to", "10.0.0.7:80", expecting: 1)
    #expect(output.standardOutput == "denied by x\n")
    let absent = try await mesh.skein(
      "explain", "--from", "shop/other", "--to", "10.0.0.7:80", expecting: 1)
    #expect(absent.standardError.contains("there is no pod shop/other"))
    let early = try await mesh.skein(
      "explain", "--from", "shop/new", "--to", "10.0.0.7:80", expecting: 1)
    #expect(early.standardError.contains("has no node yet"))
    _ = try await mesh.skein("explain", "--from", "web", "--to", "10.0.0.7:80", expecting: 2)
  }
}
