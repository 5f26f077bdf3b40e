import Foundation
import KubernetesHarness
import NodeHarness
import Testing
import TestSupport

/// What the built `skein` does.
private func skein(_ words: [String], expecting status: Int32) async throws -> Output {
  let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  let program = ProcessInfo.processInfo.environment["SKEIN"] ?? "/\(root)/.build/debug/skein"
  return try await NodeHarness.run([program] + words, expecting: status)
}

/// A cluster of these objects, by the path of their list, or their own.
private func beside(
  _ objects: [String: [String]], single: [String: String] = [:], forbidden: Set<String> = [],
  rights: Bool = true,
  _ body: (_ kubeconfig: String, _ directory: String) async throws -> Void
) async throws {
  let script: ScriptedServer.Script = { request in
    if request.path == "/version" { return [.ok("{\"gitVersion\":\"v1.31.2\"}")] }
    if request.path.hasSuffix("/selfsubjectaccessreviews") {
      return [.answer(201, "{\"status\":{\"allowed\":\(rights)}}")]
    }
    if forbidden.contains(request.path) { return [.answer(403, statusObject(403, "Forbidden"))] }
    if let found = objects[request.path] { return [.ok(list(7, found))] }
    if let one = single[request.path] { return [.ok(one)] }
    // What every cluster has.
    let isCore = request.path.split(separator: "/").count == 3 && request.path.hasPrefix("/api/v1")
    return isCore ? [.ok(list(7, []))] : [.answer(404, statusObject(404, "NotFound"))]
  }
  try await ScriptedServer.run(ScriptedServer.Options(), script) { server in
    try await withDirectory { directory in
      let kubeconfig = directory + "/config"
      try server.kubeconfig.write(toFile: kubeconfig, atomically: false, encoding: .utf8)
      try await body(kubeconfig, directory)
    }
  }
}

private let shop = """
  {"metadata":{"name":"shop","labels":{"istio.io/dataplane-mode":"ambient"}}}
  """
private let web = """
  {"metadata":{"name":"web","namespace":"shop","labels":{"app":"web"}},\
  "spec":{"containers":[{"name":"a","ports":[{"containerPort":8080}]}]},\
  "status":{"phase":"Running","podIPs":[{"ip":"10.0.0.7"}]}}
  """
private let service = """
  {"metadata":{"name":"web","namespace":"shop"},"spec":{"clusterIP":"10.96.0.1",\
  "selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}}
  """
private let cluster = [
  "/api/v1/namespaces": [shop], "/api/v1/pods": [web], "/api/v1/services": [service],
]

private let policy = """
  # Who may call.
  apiVersion: security.istio.io/v1
  kind: AuthorizationPolicy
  metadata: {name: callers, namespace: shop}
  spec:
    selector: {matchLabels: {app: wep}}
  """

@Suite(.fewAtOnce) struct `skein analyze` {
  @Test func `says nothing of a cluster with nothing wrong, and changes nothing`() async throws {
    try await beside(cluster) { kubeconfig, _ in
      let output = try await skein(["analyze", "-A", "--kubeconfig", kubeconfig], expecting: 0)
      #expect(output.standardOutput == "0 errors, 0 warnings, 0 info\n")
      #expect(output.standardError == "")
    }
  }

  @Test func `takes files for a change on top of the cluster`() async throws {
    try await beside(cluster) { kubeconfig, directory in
      let file = directory + "/policy.yaml"
      try policy.write(toFile: file, atomically: false, encoding: .utf8)
      let words = ["analyze", file, "--kubeconfig", kubeconfig, "--color", "never"]
      let output = try await skein(words + ["--fail-on", "warning"], expecting: 1)
      let lines = output.standardOutput.split(separator: "\n").map(String.init)
      #expect(
        lines.first == "SKN0101 warning  AuthorizationPolicy shop/callers  spec.selector  "
          + "\(file):6", "\(output)")
      #expect(
        lines.dropFirst().first == "  No pod has the labels it selects, so it applies to nothing.")
      #expect(lines.last == "0 errors, 1 warning, 0 info")
      _ = try await skein(words, expecting: 0)
      let other = try await skein(words + ["-n", "bank", "--fail-on", "info"], expecting: 0)
      #expect(other.standardOutput == "0 errors, 0 warnings, 0 info\n")
      let grave = try await skein(words + ["--severity", "error"], expecting: 0)
      #expect(grave.standardOutput == "0 errors, 0 warnings, 0 info\n")
    }
  }

  @Test func `looks at a directory alone, and says the same for programs`() async throws {
    try await withDirectory { directory in
      try "\(policy)\n---\n{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}}"
        .write(toFile: directory + "/all.yaml", atomically: false, encoding: .utf8)
      try "a: [".write(toFile: directory + "/bad.yaml", atomically: false, encoding: .utf8)
      let words = ["analyze", "--use-cluster=false", directory, "-o", "json"]
      let output = try await skein(words, expecting: 1)
      let read = try JSONSerialization.jsonObject(with: Data(output.standardOutput.utf8))
      let view = try #require(read as? [String: Any])
      let findings = try #require(view["findings"] as? [[String: Any]])
      #expect(findings.map { $0["code"] as? String } == ["SKN0001", "SKN0101"])
      #expect(findings.first?["file"] as? String == directory + "/bad.yaml")
      #expect(findings.last?["line"] as? Int == 6)
      #expect((view["counts"] as? [String: Int])?["error"] == 1)
    }
  }

  @Test func `says what it may not look at, and nothing of what that means`() async throws {
    let broken = service.replacing("app\":\"web", with: "app\":\"none")
    try await beside(
      ["/api/v1/namespaces": [shop], "/api/v1/services": [broken]], forbidden: ["/api/v1/pods"]
    ) { kubeconfig, _ in
      let output = try await skein(["analyze", "--kubeconfig", kubeconfig], expecting: 0)
      #expect(output.standardOutput == "0 errors, 0 warnings, 0 info\n")
      #expect(output.standardError.contains("pods were not read"))
    }
  }

  @Test func `ends with 2 when it cannot look`() async throws {
    try await withDirectory { directory in
      let gone = directory + "/gone.yaml"
      let output = try await skein(["analyze", "--use-cluster=false", gone], expecting: 2)
      #expect(output.standardError.contains(gone))
      let lost = try await skein(["analyze", "--kubeconfig", gone], expecting: 2)
      #expect(lost.standardError.contains(gone))
      _ = try await skein(["analyze", "--use-cluster=false"], expecting: 2)
      _ = try await skein(["analyze", "--severity", "grave"], expecting: 2)
    }
  }
}

@Suite(.fewAtOnce) struct `skein check` {
  private static let node = """
    {"metadata":{"name":"n1"},"status":{"nodeInfo":{"kernelVersion":"6.8.0",\
    "operatingSystem":"linux"}}}
    """

  @Test func `finds nothing in the way of a cluster as it should be`() async throws {
    let objects = cluster.merging(["/api/v1/nodes": [Self.node]]) { first, _ in first }
    try await beside(objects) { kubeconfig, _ in
      let words = ["check", "--kubeconfig", kubeconfig, "--color", "never"]
      let output = try await skein(words, expecting: 0)
      let rows = output.standardOutput.split(separator: "\n")
        .map { $0.split(separator: " ").joined(separator: " ") }
      #expect(rows.contains("version Kubernetes good v1.31.2"), "\(output)")
      #expect(rows.contains("node n1 good kernel 6.8.0"))
      #expect(rows.contains("rights you good may do all that an installation takes"))
    }
  }

  @Test func `names the setting to change, for people and programs`() async throws {
    let agent = #"{"metadata":{"name":"cilium","namespace":"kube-system"}}"#
    var objects = cluster.merging(["/api/v1/nodes": [Self.node]]) { first, _ in first }
    objects["/apis/apps/v1/daemonsets"] = [agent]
    let map = #"{"metadata":{"name":"cilium-config"},"data":{"cni-exclusive":"true"}}"#
    let place = "/api/v1/namespaces/kube-system/configmaps/cilium-config"
    try await beside(objects, single: [place: map], rights: false) { kubeconfig, _ in
      let output = try await skein(["check", "--kubeconfig", kubeconfig], expecting: 1)
      #expect(output.standardOutput.contains("may not create daemonsets in skein-system"))
      #expect(output.standardOutput.contains("-> Helm value cni.exclusive=false"))
      let words = ["check", "--kubeconfig", kubeconfig, "-o", "json"]
      let json = try await skein(words, expecting: 1)
      let read = try JSONSerialization.jsonObject(with: Data(json.standardOutput.utf8))
      #expect((read as? [String: Any])?["isSufficient"] as? Bool == false)
    }
  }

  @Test func `asks the node agents that run already what their kernels have`() async throws {
    let mesh = ScriptedMesh.healthy()
    mesh.put("/version", ["gitVersion": "v1.31.2"])
    mesh.put(
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", ["status": ["allowed": true]])
    mesh.answer(
      "agent-1", "check --system -o json",
      #"[{"name":"sk_lookup","isRequired":true,"isWorking":false,"otherwise":"none is enrolled"}]"#)
    let output = try await mesh.skein("check", "--color", "never", expecting: 1)
    let rows = output.standardOutput.split(separator: "\n")
      .map { $0.split(separator: " ").joined(separator: " ") }
    #expect(rows.contains("node n1 bad sk_lookup does not work: none is enrolled"), "\(output)")
    #expect(rows.contains("node n2 unknown does not say its kernel's release"))
  }

  @Test func `ends with 2 when there is no cluster`() async throws {
    _ = try await skein(["check", "--kubeconfig", "/nowhere"], expecting: 2)
  }
}
