import Foundation
import Linux
import NodeHarness
import Testing

extension `A node` {
  @Suite(
    .serialized,
    .mesh(arguments: ["--metrics-address", "127.0.0.1:15020"]) { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.addPod("client", on: "a")
      try await mesh.addPod("first", on: "b", labels: ["role": "pool"])
      try await mesh.addPod("second", on: "b", labels: ["role": "pool"])
      try await mesh.addPod("third", on: "a", labels: ["role": "pool"])
      try await mesh.addPod("opted-out", on: "a", labels: ["istio.io/dataplane-mode": "none"])
      try await mesh.apply(
        "service-pool",
        Manifest.service("pool", selector: "{role: pool}", virtualIP: "10.96.0.20"))
      try await mesh.startAgent("a")
      try await mesh.startAgent("b")
      for pod in ["first", "second", "third"] { try await mesh.serve(in: pod) }
      try await mesh.waitUntilEnrolled("client", "first", "second", "third")
    })
  struct `serves` {
    /// Who answered each of `count` connections to the service.
    func answers(_ count: Int) async throws -> [String] {
      let mesh = try Mesh.shared
      var names: [String] = []
      for _ in 0..<count {
        let answer = try await mesh.client(in: "client", "get", "10.96.0.20", "80", "name")
        names.append(
          try #require(answer["answer"].string?.split(separator: "|").last.map(String.init)))
      }
      return names
    }

    @Test func `a service's endpoints in turn, on this node and the other`() async throws {
      let names = try await answers(12)
      for pod in ["first", "second", "third"] {
        #expect(names.count { $0 == pod } >= 2, "\(names)")
      }
    }

    @Test func `the next endpoint when one does not answer`() async throws {
      let mesh = try Mesh.shared
      let second = try await #require(mesh.pods["second"])
      try await mesh.stopServing(in: "second")
      let names = try await answers(6)
      #expect(!names.contains("second") && names.count == 6, "\(names), without \(second.ip4)")
      try await mesh.serve(in: "second")
    }

    @Test func `nothing to a pod that opted out`() async throws {
      let mesh = try Mesh.shared
      let pods = try await mesh.status("a", "pods").array
      #expect(
        !pods.contains { $0["name"].string == "opted-out" && $0["state"].string == "enrolled" })
    }

    @Test func `a port that no service has with a refusal that says so`() async throws {
      let mesh = try Mesh.shared
      let answer = try await mesh.client(in: "client", "get", "10.96.0.20", "81", "name")
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      let refusal = try await mesh.status("a", "refusals")[0]
      #expect(refusal["destination"].string == "10.96.0.20:81", "\(refusal)")
      #expect(refusal["reason"].string?.contains("81") == true, "\(refusal)")
    }

    @Test func `metrics with Istio's names and labels`() async throws {
      let mesh = try Mesh.shared
      _ = try await answers(3)
      let node = try await #require(mesh.nodes["a"])
      let text = try await run(
        "nsenter", "--net=/run/netns/\(node.namespace)", "curl", "-sf",
        "http://127.0.0.1:15020/metrics"
      ).standardOutput
      let opened = try #require(
        text.split(separator: "\n").first {
          $0.hasPrefix("istio_tcp_connections_opened_total{") && $0.contains("reporter=\"source\"")
            && $0.contains("destination_service_name=\"pool\"")
            && $0.contains("connection_security_policy=\"mutual_tls\"")
        }, "\(text)")
      for label in [
        "source_workload=\"client\"", "source_workload_namespace=\"shop\"",
        "source_principal=\"spiffe://cluster.local/ns/shop/sa/client\"",
        "destination_service_namespace=\"shop\"", "request_protocol=\"tcp\"",
        "response_flags=\"-\"",
      ] {
        #expect(opened.contains(label), "\(label) in \(opened)")
      }
      #expect(text.contains("# TYPE istio_tcp_connections_opened_total counter"))
      #expect(text.contains("skein_"))
    }

    @Test func `a log line for each connection, as JSON`() async throws {
      let mesh = try Mesh.shared
      _ = try await answers(1)
      let agent = try await mesh.agent("a")
      try await eventually("the connection is logged") {
        agent.standardOutput.split(separator: "\n").contains { line in
          line.contains("\"connection complete\"") && line.contains("\"outbound\"")
            && line.contains("spiffe://cluster.local/ns/shop/sa/client")
        }
      }
      for line in agent.standardOutput.split(separator: "\n") {
        _ = try JSON(parsing: String(line), context: "a log line is not JSON")
      }
    }

    @Test func `a status whose exit code is its health`() async throws {
      let mesh = try Mesh.shared
      let healthy = try await mesh.agentCommand("a", "status")
      #expect(healthy.status == 0, "\(healthy.standardOutput)")
      #expect(healthy.standardOutput.contains("client"))
      #expect(!healthy.standardOutput.contains("\u{1B}["), "colours are for terminals")
      let wrong = try await mesh.agentCommand("a", "status", "nonsense")
      #expect(wrong.status == 2)
      let absent = try await run(
        Mesh.agentPath, "status", "--state-dir", "/nowhere", expecting: 1)
      #expect(absent.standardError.contains("--state-dir"))
    }

    @Test func `the example manifests without a complaint`() async throws {
      let examples = Mesh.tests.replacing("/Tests", with: "/manifests/embedded")
      let check = try await run(Mesh.agentPath, "check", examples)
      #expect(!(check.standardOutput + check.standardError).contains("warning"), "\(check)")
    }

    @Test func `a table of what the kernel has`() async throws {
      let output = try await run(Mesh.agentPath, "check", "--system")
      for feature in ["tcx", "sk_lookup", "bpffs", "cgroup2"] {
        #expect(output.standardOutput.contains(feature))
      }
      let json = try await run(Mesh.agentPath, "check", "--system", "-o", "json")
      #expect(json.standardOutput.contains("\"name\" : \"sk_lookup\""), "\(json)")
    }
  }
}
