import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

extension `A node` {
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.applyNamespace("shop", isEnrolled: true)
      try await mesh.addPod("cart", on: "a")
      try await mesh.addPod("visitor", on: "a")
      try await mesh.addPod("pay", on: "b")
      try await mesh.addPod("stranger", on: "a", namespace: "outside")
      try await mesh.startAgent("a")
      try await mesh.startAgent("b")
      try await mesh.serve(in: "pay")
      try await mesh.waitUntilEnrolled("cart", "visitor", "pay")
    })
  struct `authorises` {
    /// Asks until the answer is `allowed`; a policy is in force within a second.
    func expect(_ client: String, isAllowed: Bool) async throws {
      let mesh = try Mesh.shared
      let pay = try await #require(mesh.pods["pay"])
      try await eventually("\(client) is \(isAllowed ? "allowed" : "refused")") {
        let answer = try await mesh.client(in: client, "get", pay.ip4, "8080", "name", "3")
        return (answer["answer"].string?.hasSuffix("|pay") == true) == isAllowed
      }
    }

    @Test func `plaintext from outside the mesh only until STRICT is asked for`() async throws {
      let mesh = try Mesh.shared
      try await expect("stranger", isAllowed: true)
      try await mesh.apply("strict", Manifest.peerAuthentication("STRICT"))
      try await expect("stranger", isAllowed: false)
      try await expect("cart", isAllowed: true)
      try await mesh.delete("strict")
      try await expect("stranger", isAllowed: true)
    }

    @Test func `by identity, and explains a refusal under one id on both nodes`() async throws {
      let mesh = try Mesh.shared
      try await mesh.apply(
        "pay",
        Manifest.authorization(
          "pay", action: "ALLOW", selector: "pay",
          rules: "[{from: [{source: {principals: [cluster.local/ns/shop/sa/cart]}}]}]"))
      try await expect("visitor", isAllowed: false)
      try await expect("cart", isAllowed: true)

      let there = try await mesh.status("b", "refusals")[0]
      #expect(there["sourceIdentity"].string == "spiffe://cluster.local/ns/shop/sa/visitor")
      #expect(there["destinationIdentity"].string == "spiffe://cluster.local/ns/shop/sa/pay")
      #expect(there["nearest"]["policy"].string == "shop/pay")
      #expect(there["nearest"]["field"].string == "principals")
      #expect(there["nearest"]["actual"].string == "cluster.local/ns/shop/sa/visitor")
      let id = try #require(there["id"].string)
      try await eventually("node a knows refusal \(id)") {
        try await mesh.status("a", "refusals").array.contains {
          $0["id"].string == id && $0["reason"].string?.contains("shop/pay") == true
        }
      }
      try await mesh.delete("pay")
      try await expect("visitor", isAllowed: true)
    }

    @Test func `a live connection again at a change, and only that one`()
      async throws
    {
      let mesh = try Mesh.shared
      let pay = try await #require(mesh.pods["pay"])
      let cut = try await mesh.spawn(in: "visitor", "peer.py", "hold", pay.ip4, "8080", "6", "0.02")
      let kept = try await mesh.spawn(in: "cart", "peer.py", "hold", pay.ip4, "8080", "4", "0.02")
      try await cut.waitFor("open")
      try await kept.waitFor("open")
      let start = ContinuousClock.now
      try await mesh.apply(
        "visitor",
        Manifest.authorization(
          "no-visitor", action: "DENY", selector: "pay",
          rules: "[{from: [{source: {principals: [cluster.local/ns/shop/sa/visitor]}}]}]"))
      let ended = try await cut.finish().json()
      #expect(ContinuousClock.now - start < .seconds(5), "before its own end")
      #expect(ended["ended"].string == "ECONNRESET", "\(ended)")
      #expect(try await kept.finish().json()["ended"].string == "")
      try await mesh.delete("visitor")
      try await expect("visitor", isAllowed: true)
    }

    @Test func `nothing by a dry run`() async throws {
      let mesh = try Mesh.shared
      let policy = Manifest.authorization(
        "trial", action: "DENY", selector: "pay", rules: "[{}]")
      try await mesh.apply(
        "trial",
        policy.replacing(
          "name: trial,", with: "name: trial, annotations: {\"istio.io/dry-run\": \"true\"},"))
      try await eventually("the policy is known") {
        try await mesh.status("b", "model")["policies"].int == 1
      }
      try await expect("visitor", isAllowed: true)
      try await mesh.delete("trial")
    }

    @Test func `what explain said it would`() async throws {
      let mesh = try Mesh.shared
      let pay = try await #require(mesh.pods["pay"])
      try await mesh.apply(
        "port",
        Manifest.authorization(
          "port", action: "DENY", selector: "pay",
          rules: "[{to: [{operation: {ports: [\"8080\"]}}]}]"))
      try await expect("cart", isAllowed: false)
      let explained = try await mesh.agentCommand(
        "a", "explain", "--from", "shop/cart", "--to", "\(pay.ip4):8080")
      #expect(explained.standardOutput.contains("shop/port"), "\(explained)")
      #expect(explained.status == 1)
      let open = try await mesh.agentCommand(
        "a", "explain", "--from", "shop/cart", "--to", "\(pay.ip4):8081")
      #expect(open.status == 0, "\(open)")
      try await mesh.delete("port")
      try await expect("cart", isAllowed: true)
    }

    @Test func `by the last good manifests while the new ones are wrong`() async throws {
      let mesh = try Mesh.shared
      try await mesh.apply("strict", Manifest.peerAuthentication("STRICT"))
      try await expect("stranger", isAllowed: false)
      try await mesh.apply("strict", Manifest.peerAuthentication("STRICKT"))
      try await eventually("status names the mistake") {
        let model = try await mesh.status("a", "model")
        return model["isStale"].bool == true
          && model["diagnostics"].array.contains {
            $0["file"].string?.hasSuffix("strict.yaml") == true
              && $0["field"].string == "spec.mtls.mode" && $0["severity"].string == "error"
          }
      }
      try await expect("stranger", isAllowed: false)
      let check = try await run(
        Mesh.agentPath, "check", "\(mesh.directory)/manifests", expecting: 1)
      #expect((check.standardOutput + check.standardError).contains("spec.mtls.mode"))
      try await mesh.delete("strict")
      try await expect("stranger", isAllowed: true)
    }
  }
}
