import Foundation
import Linux
import NodeHarness
import Testing

/// The control group that stands for the kubelet's.
private let proberGroup = "skein-test-prober"

/// Those of a prober known by its process, one after the other.
private let firstGroup = "skein-test-first-prober"
private let nextGroup = "skein-test-next-prober"

extension `A node` {
  @Suite(
    .serialized,
    .controlGroup(proberGroup),
    .mesh(arguments: ["--probe-cgroup", .proberPath]) { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.addPod("server", on: "a")
      try await mesh.apply("strict", Manifest.peerAuthentication("STRICT"))
      try await mesh.startAgent("a")
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("server")
    })
  struct `under STRICT` {
    @Test(arguments: [false, true])
    func `lets the prober reach the application, from the node's own address`(isIPv6: Bool)
      async throws
    {
      let answer = try await nodeAnswer(asMemberOf: .proberPath, isIPv6: isIPv6)
      let seen = try JSON(parsing: #require(answer["answer"].string, "\(answer)"))
      #expect(seen["peer"].string == (isIPv6 ? "fd91:1::1" : "10.91.1.1"))
    }

    @Test(arguments: [false, true])
    func `lets no other process of the node do so`(isIPv6: Bool) async throws {
      let answer = try await nodeAnswer(asMemberOf: nil, isIPv6: isIPv6)
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
    }
  }
}

extension `A node` {
  @Suite(
    .serialized,
    .controlGroup(firstGroup), .controlGroup(nextGroup),
    .mesh(arguments: ["--probe-process", "skein-prober"]) { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.addPod("server", on: "a")
      try await mesh.apply("strict", Manifest.peerAuthentication("STRICT"))
      try await mesh.startAgent("a")
      try await mesh.serve(in: "server")
    })
  struct `with a prober known by its process` {
    private func path(of group: String) throws -> String {
      try ControlGroup.root().path + "/" + group
    }

    @Test func `finds it in its cgroup, says when it is gone, and follows it to the next`()
      async throws
    {
      let mesh = try Mesh.shared
      for group in try [path(of: firstGroup), path(of: nextGroup)] {
        try await eventually("the node says that there is none") {
          try await mesh.status("a", "node")["problems"].array.contains {
            $0.string?.contains("no process skein-prober") == true
          }
        }
        let prober = try await startProber(in: group)
        try await eventually("the prober is found") {
          try await mesh.status("a", "redirect")["probeCgroup"].string == group
        }
        try await mesh.waitUntilEnrolled("server")
        let probe = try await nodeAnswer(asMemberOf: group)
        #expect(probe["answer"].string?.contains("10.91.1.1") == true, "\(probe)")
        let other = try await nodeAnswer(asMemberOf: nil)
        #expect(other["error"].string == "ECONNRESET", "\(other)")
        prober.signal(.kill)
        _ = try await prober.finish()
      }
    }

    @Test func `takes no pod's process for it, though the pod is on the node's network`()
      async throws
    {
      let kubelets = try ControlGroup.root().make("kubepods")
      let pod = try kubelets.make("pod0f0f0f0f-1111-4222-8333-444444444444")
      let impostor = try await startProber(in: pod.path)
      try await impostor.waitFor("ready")
      // Two looks and more.
      try await Task.sleep(for: .seconds(2))
      let mesh = try Mesh.shared
      #expect(try await mesh.status("a", "redirect")["probeCgroup"].string != pod.path)
      #expect(
        try await mesh.status("a", "node")["problems"].array.contains {
          $0.string?.contains("no process skein-prober") == true
        })
      impostor.signal(.kill)
      _ = try await impostor.finish()
      for group in [pod, kubelets] {
        try await eventually("\(group.path) is free") { try group.remove() != .busy }
      }
    }

    /// A process of the prober's name, on the node's network.
    private func startProber(in group: String) async throws -> Running {
      try await Mesh.shared.spawnProgram(
        on: "a",
        [
          "bash", "-c", "echo $$ >\(group)/cgroup.procs; exec python3 -c \"$0\"",
          """
          import signal
          open('/proc/self/comm', 'w').write('skein-prober')
          print('ready', flush=True)
          signal.pause()
          """,
        ])
    }
  }
}

/// Asks the pod from the node itself, as a member of a control group or of none.
private func nodeAnswer(asMemberOf group: String?, isIPv6: Bool = false) async throws -> JSON {
  let mesh = try Mesh.shared
  let server = try await #require(mesh.pods["server"])
  let node = try await #require(mesh.nodes["a"])
  let join = group.map { "echo $$ > \($0)/cgroup.procs;" } ?? ""
  return try await run(
    "nsenter", "--net=/run/netns/\(node.namespace)", "bash", "-c",
    """
    \(join) exec python3 \(Mesh.programs)/peer.py get \
    \(isIPv6 ? server.ip6 : server.ip4) 8080 whoami 3
    """
  ).json()
}

extension String {
  fileprivate static var proberPath: String {
    do {
      return try ControlGroup.root().path + "/" + proberGroup
    } catch {
      preconditionFailure("no control groups: \(error)")
    }
  }
}
