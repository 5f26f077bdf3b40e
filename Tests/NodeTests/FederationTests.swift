import Foundation
import NodeHarness
import Testing
import TestSupport

extension Mesh {
  func authority(of node: String) -> String { "\(directory)/ca-\(node)" }

  func bundle(for node: String) -> String { "\(directory)/bundles/\(node).pem" }

  /// Puts the roots of `other` where the node looks for them.
  func exchangeBundle(for node: String, from other: String) async throws {
    let path = bundle(for: node)
    try await shell(
      """
      mkdir -p \(directory)/bundles; cp \(authority(of: other))/ca.crt \(path).tmp
      mv \(path).tmp \(path)
      """)
  }

  /// Each node in a trust domain of its own, with an authority of its own.
  func startFederated(_ node: String, knowing other: String) async throws {
    try await startAgent(
      node,
      source: [
        "--config", "\(directory)/manifests", "--ca-dir", authority(of: node), "--trust-domain",
        "\(node).example", "--trust-bundle", "\(other).example=\(bundle(for: node))",
      ])
  }

  /// The same pod, in the trust domain of its node.
  func federate(_ name: String, _ trustDomain: String) throws {
    var pod = try #require(pods[name])
    pod.trustDomain = trustDomain
    try apply("pod-\(name)", pod.manifest)
  }
}

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.federate("client", "a.example")
      try await mesh.federate("server", "b.example")
      try await mesh.startFederated("a", knowing: "b")
      try await mesh.startFederated("b", knowing: "a")
      try await mesh.serve(in: "server")
      try await mesh.waitUntilEnrolled("client", "server")
    })
  struct `of one trust domain meets one of another` {
    private func waitForBundle(_ node: String, _ roots: Int) async throws {
      let mesh = try Mesh.shared
      try await eventually("\(node) has \(roots) roots of the other domain") {
        let trust = try await mesh.status(node, "trust")
        return trust["bundles"][0]["roots"].int == roots && trust["isEnforced"].bool == true
      }
    }

    @Test func `once each knows the other's bundle, until one is taken away`() async throws {
      let mesh = try Mesh.shared
      #expect(try await !mesh.answer().isServed, "nobody knows anybody yet")
      let problems = try await mesh.status("b")["node"]["problems"].array.compactMap(\.string)
      #expect(problems.contains { $0.contains("bundle of a.example") }, "\(problems)")

      try await mesh.exchangeBundle(for: "a", from: "b")
      try await waitForBundle("a", 1)
      #expect(try await !mesh.answer().isServed, "b does not know a yet")
      try await mesh.exchangeBundle(for: "b", from: "a")
      try await waitForBundle("b", 1)
      #expect(try await mesh.answer().isServed)

      let server = try await #require(mesh.pods["server"]).ip4
      let held = try await mesh.spawn(
        in: "client", "peer.py", "hold", server, "8080", "20", "0.05")
      try await held.waitFor("open")
      let tunnel = try await mesh.status("b", "tunnels").array.first {
        $0["direction"].string == "inbound"
      }
      #expect(tunnel?["peerIdentity"].string == "spiffe://a.example/ns/shop/sa/client")
      let began = ContinuousClock.now
      try await mesh.shell("rm \(mesh.bundle(for: "b"))")
      let result = try await held.finish().json()
      #expect(result["ended"].string != "", "\(result)")
      #expect(ContinuousClock.now - began < .seconds(8))
      #expect(try await !mesh.answer().isServed)

      try await mesh.exchangeBundle(for: "b", from: "a")
      try await waitForBundle("b", 1)
      #expect(try await mesh.answer().isServed)
      try await expectPolicyNamesTheDomain()
      try await expectNoForeignRootSpeaksForUs()
    }

    private func expectPolicyNamesTheDomain() async throws {
      let mesh = try Mesh.shared
      for (domain, isServed) in [("b.example", false), ("a.example", true)] {
        try await mesh.apply(
          "policy",
          Manifest.authorization(
            "only", action: "ALLOW", selector: "server",
            rules: "[{from: [{source: {principals: [\"\(domain)/ns/shop/sa/client\"]}}]}]"))
        try await eventually("the policy for \(domain)") {
          try await mesh.answer().isServed == isServed
        }
      }
      try await mesh.delete("policy")
    }

    /// A certificate of our own domain, signed by the other domain's authority.
    private func expectNoForeignRootSpeaksForUs() async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"]).ip4
      for (authority, identity) in [
        ("a", "spiffe://b.example/ns/shop/sa/client"),
        ("b", "spiffe://a.example/ns/shop/sa/client"),
      ] {
        let stranger = try await mesh.spawn(
          in: "stranger", "hostile.py", "certificate", mesh.authority(of: authority), server,
          "good", identity)
        let refused = try await stranger.finish().json()
        #expect(
          refused["ended"].string?.contains("UNKNOWN_CA") == true, "\(authority): \(refused)")
      }
    }
  }
}
