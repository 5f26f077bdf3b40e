import Foundation
import Glibc
import Linux
import NodeHarness
import Testing
import TestSupport

/// The program that a runtime calls.
let plugin = ProcessInfo.processInfo.environment["SKEIN_CNI"] ?? ""

/// Formatted as nobody but its author would.
let plainNetwork = """
  { "cniVersion": "1.0.0",
    "name": "pods", "plugins": [
      {"type": "bridge"} ]
  }

  """

extension Mesh {
  nonisolated var networks: String { "\(directory)/net.d" }
  nonisolated var pluginFolder: String { "\(directory)/bin" }

  /// Starts the node agent of node a with a runtime's directories.
  fileprivate func startCalledAgent(_ more: String...) async throws {
    try await shell("mkdir -p \(networks) \(pluginFolder)")
    try await startAgent(
      "a",
      source: [
        "--config", "\(directory)/manifests", "--ca-dir", "\(directory)/ca",
        "--cni-conf-dir", networks, "--cni-bin-dir", pluginFolder, "--cni-plugin", plugin,
      ] + more)
  }

  func writeNetwork(_ text: String = plainNetwork) throws {
    try text.write(toFile: "\(networks)/10-pods.conflist", atomically: true, encoding: .utf8)
  }

  fileprivate nonisolated var networkText: String {
    get throws { try File.readText("\(networks)/10-pods.conflist") }
  }

  /// Calls the plugin as a runtime does, by what the network says of it.
  func call(
    _ command: String, _ pod: PodFixture, container: String? = nil
  ) throws -> Running {
    let state = nodes["a"]?.stateDirectory ?? ""
    let configuration =
      #"{"cniVersion":"1.0.0","name":"pods","type":"skein-cni","agentSocket":"\#(state)/cni.sock","#
      + #""enrolledFile":"\#(state)/cni-enrolled.json","prevResult":{"cniVersion":"1.0.0","#
      + #""ips":[{"address":"\#(pod.ip4)/24"},{"address":"\#(pod.ip6)/64"}]}}"#
    let running = try Running([
      "env", "CNI_COMMAND=\(command)", "CNI_CONTAINERID=\(container ?? pod.name)",
      "CNI_NETNS=/run/netns/\(pod.netns)", "CNI_IFNAME=eth0",
      "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=\(pod.namespace);K8S_POD_NAME=\(pod.name)",
      "bash", "-c", "exec \"$1\" <<<\"$2\"", "bash", plugin, configuration,
    ])
    return running
  }

  fileprivate func stateOfPod(_ name: String) async throws -> String? {
    try await status("a", "pods").array.first { $0["name"].string == name }?["state"].string
  }
}

extension `A node` {
  @Suite(
    .serialized, .enabled(if: !plugin.isEmpty, "SKEIN_CNI is not set: make test builds it"),
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.applyNamespace("else", isEnrolled: false)
      try await mesh.addPod("server", on: "b")
      try await mesh.shell("mkdir -p \(mesh.networks)")
      try await mesh.writeNetwork()
      try await mesh.startCalledAgent()
      try await mesh.startAgent("b")
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("server")
      try await mesh.waitUntilChained()
    })
  struct `asked by a container runtime` {
    /// What came of one exchange with the server, and whether it was readable between the nodes.
    func exchange(from pod: String) async throws -> (answer: JSON, isReadable: Bool) {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let secret = "secret-\(UInt32.random(in: 0...UInt32.max))"
      let sniffer = try await mesh.spawn(in: "a", "sniff.py", "under0", "60", secret)
      try await sniffer.waitFor("ready")
      let answer = try await mesh.client(in: pod, "get", server.ip4, "8080", "echo \(secret)", "5")
      sniffer.signal(.terminate)
      return (answer, try await sniffer.finish().json()["found"][secret].int != 0)
    }

    @Test func `has a pod captured before its first container starts, and released by DEL`()
      async throws
    {
      let mesh = try Mesh.shared
      let pod = try await mesh.addPod("fresh", on: "a", isAnnotated: false)
      for _ in 0..<2 {
        let added = try await mesh.call("ADD", pod).finish()
        #expect(added.status == 0 && added.standardOutput.contains(pod.ip4), "\(added)")
      }
      let state = try await mesh.stateOfPod("fresh")
      #expect(["proving", "enrolled"].contains(state), "\(String(describing: state))")
      let (answer, isReadable) = try await exchange(from: "fresh")
      #expect(answer["error"].string == nil && !isReadable, "\(answer)")
      #expect(try await mesh.call("CHECK", pod).finish().status == 0)
      try await mesh.waitUntilEnrolled("fresh")

      let other = try await mesh.call("DEL", pod, container: "an earlier one").finish()
      #expect(other.status == 0)
      #expect(try await mesh.stateOfPod("fresh") == "enrolled")
      for _ in 0..<3 {
        #expect(try await mesh.call("DEL", pod).finish().status == 0)
      }
      try await eventually("it is released") { try await mesh.stateOfPod("fresh") == "failed" }
      #expect(try await exchange(from: "fresh").isReadable)
    }

    @Test func `never lets out in plaintext a pod whose addresses the mesh does not know yet`()
      async throws
    {
      let mesh = try Mesh.shared
      var pod = try await mesh.addPod("early", on: "a", isAnnotated: false)
      pod.hasStatus = false
      try await mesh.apply("pod-early", pod.manifest)
      try await eventually("the mesh does not know it") {
        let pods = try await mesh.status("a", "pods").array
        return pods.contains { $0["name"].string == "early" && $0["addresses"].array.isEmpty }
      }
      let count = try await mesh.status("a", "model")["workloads"].int
      let added = try await mesh.call("ADD", pod).finish()
      #expect(added.status == 0, "\(added)")
      let (answer, isReadable) = try await exchange(from: "early")
      #expect(answer["error"].string != nil && !isReadable, "\(answer)")

      let server = try await #require(mesh.pods["server"])
      try await eventually("a connection is held until the mesh knows the pod, and goes on") {
        pod.hasStatus = false
        try await mesh.apply("pod-early", pod.manifest)
        try await eventually("the mesh does not know it") {
          try await mesh.status("a", "model")["workloads"].int == count
        }
        let held = try await mesh.spawn(
          in: "early", "peer.py", "get", server.ip4, "8080", "echo held", "5")
        try await Task.sleep(for: .milliseconds(300))
        pod.hasStatus = true
        try await mesh.apply("pod-early", pod.manifest)
        return try await held.finish().json()["error"].string == nil
      }
      #expect(try await !exchange(from: "early").isReadable)
    }

    @Test func `waits for a pod it has not heard of, and lets pods of others start`() async throws {
      let mesh = try Mesh.shared
      let pod = try await mesh.addPod("late", on: "a", isAnnotated: false)
      try await mesh.delete("pod-late")
      try await eventually("it is forgotten") { try await mesh.stateOfPod("late") == nil }
      let adding = try await mesh.call("ADD", pod)
      var other = pod
      (other.name, other.namespace) = ("nobody", "else")
      #expect(try await mesh.call("ADD", other).finish().status == 0)
      #expect(try adding.outcome() == nil, "\(adding.standardOutput)")
      try await mesh.apply("pod-late", pod.manifest)
      let added = try await adding.finish()
      #expect(added.status == 0, "\(added)")
      #expect(try await !exchange(from: "late").isReadable)

      var out = pod
      out.labels = ["istio.io/dataplane-mode": "none"]
      try await mesh.apply("pod-late", out.manifest)
      try await eventually("it has opted out") {
        try await mesh.stateOfPod("late") == "notEnrolled"
      }
      #expect(try await mesh.call("ADD", pod).finish().status == 0)
      #expect(try await mesh.stateOfPod("late") == "notEnrolled")
    }

    @Test func `refuses a pod that its manifest puts elsewhere`() async throws {
      let mesh = try Mesh.shared
      let pod = try await mesh.addPod("torn", on: "a", isAnnotated: true)
      var wrong = pod
      wrong.netns = try await #require(mesh.nodes["b"]).namespace
      let refused = try await mesh.call("ADD", wrong).finish()
      #expect(refused.status == 1 && refused.standardOutput.contains(#""code":100"#), "\(refused)")
      #expect(refused.standardOutput.contains("another namespace"), "\(refused)")
      #expect(try await mesh.call("ADD", pod).finish().status == 0)
    }

    @Test
    func `holds back pods of enrolled namespaces while it is away, and knows the others again`()
      async throws
    {
      let mesh = try Mesh.shared
      let pod = try await mesh.addPod("kept", on: "a", isAnnotated: false)
      #expect(try await mesh.call("ADD", pod).finish().status == 0)
      let agent = try await #require(mesh.status("a")["node"]["processID"].int)
      kill(Int32(agent), SIGKILL)
      _ = try await mesh.agent("a").finish()
      var new = pod
      new.name = "new"
      let held = try await mesh.call("ADD", new).finish()
      #expect(held.status == 1 && held.standardOutput.contains(#""code":11"#), "\(held)")
      new.namespace = "else"
      #expect(try await mesh.call("ADD", new).finish().status == 0)
      #expect(try await mesh.call("DEL", new).finish().status == 0)
      #expect(try mesh.networkText.contains("skein-cni"), "a crash leaves the plugin in place")

      try await mesh.startCalledAgent()
      try await mesh.waitUntilEnrolled("kept")
      #expect(try await !exchange(from: "kept").isReadable)
    }

    @Test func `leaves its plugin, its list and the pods when told to keep them`() async throws {
      let mesh = try Mesh.shared
      let pod = try await mesh.addPod("stayed", on: "a", isAnnotated: false)
      try await mesh.stop(try await mesh.agent("a"))
      try await mesh.startCalledAgent("--at-exit", "keep")
      try await mesh.waitUntilChained()
      #expect(try await mesh.call("ADD", pod).finish().status == 0)
      let agent = try await mesh.agent("a")
      agent.signal(.terminate)
      #expect(try await agent.finish().status == 0)
      #expect(try mesh.networkText.contains("skein-cni"))
      #expect(try Directory.entries(mesh.pluginFolder) == ["skein-cni"])
      #expect(try await !exchange(from: "stayed").isReadable)
      var new = pod
      new.name = "new"
      let held = try await mesh.call("ADD", new).finish()
      #expect(held.status == 1 && held.standardOutput.contains(#""code":11"#), "\(held)")

      try await mesh.startCalledAgent()
      try await mesh.waitUntilEnrolled("stayed")
      #expect(try await !exchange(from: "stayed").isReadable)
    }

    @Test func `keeps its plugin in the network, and leaves the network as it was`() async throws {
      let mesh = try Mesh.shared
      let programs = { try Directory.entries(mesh.pluginFolder) }
      try await mesh.waitUntilChained()
      #expect(try programs() == ["skein-cni"])
      try await mesh.writeNetwork(plainNetwork.replacing("pods", with: "others"))
      try await eventually("it is mended") {
        let text = try mesh.networkText
        return text.contains("others") && text.contains("skein-cni")
      }
      try await mesh.writeNetwork()
      try await mesh.waitUntilChained()
      let agent = try await mesh.agent("a")
      agent.signal(.terminate)
      #expect(try await agent.finish().status == 0)
      #expect(try mesh.networkText == plainNetwork)
      #expect(try Directory.entries(mesh.networks) == ["10-pods.conflist"])
      #expect(try programs().isEmpty)

      try await mesh.startCalledAgent()
      try await mesh.waitUntilChained()
      let process = try await #require(mesh.status("a")["node"]["processID"].int)
      kill(Int32(process), SIGKILL)
      _ = try await mesh.agent("a").finish()
      let node = try await #require(mesh.nodes["a"])
      let uninstalled = try await mesh.agentCommand("a", "uninstall", "--node", node.name)
      #expect(uninstalled.status == 0, "\(uninstalled)")
      #expect(try mesh.networkText == plainNetwork)
      #expect(try Directory.entries(mesh.networks) == ["10-pods.conflist"])
      #expect(try programs().isEmpty)
      #expect(try !Directory.entries(node.stateDirectory).contains { $0.hasPrefix("cni") })
      try await mesh.startCalledAgent()
      try await mesh.waitUntilChained()
    }
  }
}

extension Mesh {
  func waitUntilChained() async throws {
    try await eventually("the plugin is in the network") {
      let cni = try await self.status("a", "cni")
      return try cni["state"].string == "chained" && self.networkText.contains("skein-cni")
    }
  }
}
