import Foundation
import Linux
import NodeHarness
import Testing

/// The control group that stands for the kubelet's.
private let proberGroup = "skein-test-prober"

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
    /// Asks the pod from the node itself, as a member of a control group or of none.
    func answer(asMemberOf group: String?, isIPv6: Bool) async throws -> JSON {
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

    @Test(arguments: [false, true])
    func `lets the prober reach the application, from the node's own address`(isIPv6: Bool)
      async throws
    {
      let answer = try await answer(asMemberOf: .proberPath, isIPv6: isIPv6)
      let seen = try JSON(parsing: #require(answer["answer"].string, "\(answer)"))
      #expect(seen["peer"].string == (isIPv6 ? "fd91:1::1" : "10.91.1.1"))
    }

    @Test(arguments: [false, true])
    func `lets no other process of the node do so`(isIPv6: Bool) async throws {
      let answer = try await answer(asMemberOf: nil, isIPv6: isIPv6)
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
    }
  }
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
