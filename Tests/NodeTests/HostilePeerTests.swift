import Foundation
import NodeHarness
import Testing
import TestSupport

extension `A node` {
  /// A pod outside the mesh dials an enrolled pod's tunnel port, without a certificate of the mesh.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.addPod("late", on: "a")
      try await mesh.startShop()
      try await mesh.waitUntilEnrolled("late")
    })
  struct `lets no stranger in` {
    @Test func `but a peer made by the same hands with a good certificate`() async throws {
      let mesh = try Mesh.shared
      let outcome = try await mesh.attack("good")
      #expect(outcome["status"].int == 200, "all attacks rest on this: \(outcome)")
    }

    @Test(arguments: ["garbage", "HTTP/1.1", "HTTP/2", "half a record"])
    func `that does not speak TLS`(bytes: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("bytes", bytes)
      #expect(outcome["ended"].string != "", "\(outcome)")
      try await unharmed.expect(bytes, in: mesh)
    }

    @Test(arguments: [
      (
        "none", "spiffe://cluster.local/ns/shop/sa/client", "CERTIFICATE_REQUIRED", "no certificate"
      ),
      ("expired", "spiffe://cluster.local/ns/shop/sa/client", "CERTIFICATE_EXPIRED", "expired"),
      ("good", "spiffe://other.example/ns/shop/sa/client", "CERTIFICATE", "trust domain"),
      ("forged", "spiffe://cluster.local/ns/shop/sa/client", "UNKNOWN_CA", "root"),
      ("self-signed", "spiffe://cluster.local/ns/shop/sa/client", "UNKNOWN_CA", "root"),
      ("nameless", "", "CERTIFICATE", "no SPIFFE identity"),
      ("nul", "spiffe://cluster.local/ns/shop/sa/client", "CERTIFICATE", "no SPIFFE identity"),
      ("server-only", "spiffe://cluster.local/ns/shop/sa/client", "CERTIFICATE", "key usage"),
      ("good", "https://cluster.local/ns/shop/sa/client", "CERTIFICATE", "no SPIFFE identity"),
    ])
    func `whose certificate is not a member's, and says which way`(
      kind: String, identity: String, alert: String, reason: String
    ) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("certificate", kind, identity)
      let ended = try #require(outcome["ended"].string)
      #expect(ended.hasPrefix("alert") && ended.contains(alert), "\(outcome)")
      let refusal = try await mesh.status("b")["refusals"][0]
      #expect(refusal["reason"].string?.contains(reason) == true, "\(refusal)")
      let stranger = try await #require(mesh.pods["stranger"]).ip4
      #expect(refusal["source"].string?.contains(stranger) == true, "\(refusal)")
      try await unharmed.expect("\(kind) certificate", in: mesh)
    }

    @Test func `that speaks only TLS 1.2`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("tls12")
      #expect(outcome["up"].bool == false, "\(outcome)")
      #expect(outcome["ended"].string?.contains("VERSION") == true, "\(outcome)")
      try await unharmed.expect("TLS 1.2", in: mesh)
    }

    @Test(arguments: ["http/1.1", "", "h2c,spdy/3"])
    func `whose certificate is good but who does not offer h2`(names: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("alpn", names)
      #expect(outcome["ended"].string?.hasPrefix("alert") == true, "\(outcome)")
      try await unharmed.expect("ALPN \(names)", in: mesh)
    }

    @Test func `that never finishes its handshake, and hangs up on it in ten seconds`() async throws
    {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      var slow: [Running] = []
      for kind in ["nothing", "half", "trickle"] {
        slow.append(try await mesh.beginAttack("unfinished", kind))
      }
      try await unharmed.expect("unfinished handshakes", in: mesh)
      for attack in slow {
        let outcome = try await attack.finish().json()
        #expect(outcome["ended"].string != "", "\(outcome)")
        #expect((9..<20).contains(outcome["seconds"].double ?? 0), "\(outcome)")
      }
      try await unharmed.expect("unfinished handshakes", in: mesh)
    }

    @Test func `for thousands of half-open handshakes, of which only a few are kept`() async throws
    {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let attack = try await mesh.beginAttack("half-open", "4000")
      try await attack.waitFor("opened")
      try await unharmed.expect("4000 half-open handshakes", in: mesh)
      let server = try await #require(mesh.pods["server"])
      let late = try await mesh.client(in: "late", "get", server.ip4, "8080", "name", "5")
      #expect(
        late["answer"].string?.hasSuffix("|server") == true,
        "a pod that needs a handshake of its own meanwhile: \(late)")
      attack.closeInput()
      let outcome = try await attack.finish().json()
      let kept = 256 * max(ProcessInfo.processInfo.activeProcessorCount, 2)
      #expect(try #require(outcome["alive"].int) <= kept, "\(outcome)")
      try await unharmed.expect("4000 half-open handshakes", in: mesh)
    }

    @Test func `that tears its connections`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("torn", "90")
      #expect(outcome["torn"].int == 90, "\(outcome)")
      try await unharmed.expect("90 resets", in: mesh)
      let stranger = try await #require(mesh.pods["stranger"]).ip4
      try await eventually("no connection of the stranger is left") {
        try await mesh.status("b")["connections"].array.allSatisfy {
          $0["source"].string?.contains(stranger) != true
        }
      }
    }
  }
}
