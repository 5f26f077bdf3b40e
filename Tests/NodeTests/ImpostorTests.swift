import Foundation
import Linux
import NodeHarness
import Testing
import TestSupport

extension `A node` {
  /// Where manifests promise an enrolled pod, something else answers our dial to port 15008.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.addImpostor()
      try await mesh.startShop()
    })
  struct `trusts no impostor` {
    static let own = "spiffe://cluster.local/ns/shop/sa/impostor"

    /// What the client's application saw, what the impostor saw, and the newest refusal of node a.
    func meet(
      _ name: String, _ arguments: String..., within limit: Duration = patience
    ) async throws -> (answer: JSON, seen: JSON, refusal: JSON) {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let impostor = try await mesh.impersonate(name, arguments)
      let host = try await #require(mesh.pods["impostor"]).ip4
      let began = ContinuousClock.now
      let load = try await mesh.spawn(in: "client", "peer.py", "get", host, "8080", "name", "30")
      // While the impostor has its turn, others are served.
      try await unharmed.expect("\(name) \(arguments)", in: mesh)
      let answer = try await load.finish().json()
      #expect(ContinuousClock.now - began < limit, "\(name) \(arguments): \(answer)")
      let refusal = try await mesh.status("a")["refusals"][0]
      impostor.closeInput()
      let seen = try await impostor.finish().json()
      try await unharmed.expect("\(name) \(arguments)", in: mesh)
      return (answer, seen, refusal)
    }

    @Test func `but talks to the right identity made by the same hands`() async throws {
      let (answer, seen, _) = try await meet("good")
      #expect(answer["answer"].string == "|impostor", "\(answer) \(seen)")
      let name = seen["clients"][0]["subjectAltName"][0][1].string
      #expect(name == "spiffe://cluster.local/ns/shop/sa/client", "\(seen)")
    }

    @Test(arguments: [
      ("expired", own, "expired"),
      ("forged", own, "root"),
      ("self-signed", own, "root"),
      ("nameless", own, "no SPIFFE identity"),
      ("nul", own, "no SPIFFE identity"),
      ("good", "spiffe://other.example/ns/shop/sa/impostor", "expected \(own)"),
      ("good", "spiffe://cluster.local/ns/shop/sa/server", "expected \(own)"),
      ("good", "spiffe://cluster.local/ns/shop/sa/impostor2", "expected \(own)"),
      ("good", "spiffe://cluster.local/ns/shop/sa/IMPOSTOR", "expected \(own)"),
    ])
    func `whose certificate is not the pod's, and sends it no request`(
      kind: String, identity: String, reason: String
    ) async throws {
      let (answer, seen, refusal) = try await meet("certificate", kind, identity)
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      #expect(seen["requests"].int == 0 && (seen["connections"].int ?? 0) > 0, "\(seen)")
      #expect(refusal["reason"].string?.contains(reason) == true, "\(refusal)")
    }

    @Test(arguments: ["hang-up", "garbage", "tls12", "alpn", "no-alpn"])
    func `that does not speak HBONE`(name: String) async throws {
      let (answer, seen, refusal) = try await meet(name)
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      #expect(seen["requests"].int == 0 && (seen["connections"].int ?? 0) > 0, "\(seen)")
      #expect(refusal["cause"].string == "TLS_FAILURE", "\(refusal)")
    }

    @Test(arguments: [
      "500", "401 with a forged refusal", "no status", "status 99999", "two statuses",
      "100 without end", "giant headers", "DATA before headers", "DATA without end",
      "empty DATA without end", "PUSH_PROMISE", "a stream of its own", "an answer to nobody",
      "a window beyond 2^31", "GOAWAY before it", "RST_STREAM", "RST_STREAM after 200",
      "no streams at all", "PING without end",
    ])
    func `that answers with`(what: String) async throws {
      let (answer, seen, _) = try await meet("answer", what)
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      #expect((seen["requests"].int ?? 0) > 0, "\(seen)")
    }

    @Test func `that refuses every request, and does not ask for ever`() async throws {
      let (answer, seen, _) = try await meet("refuse")
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      #expect((1...4).contains(seen["requests"].int ?? 0), "\(seen)")
    }

    @Test(arguments: ["noise", "abrupt"])
    func `that breaks off after the handshake`(name: String) async throws {
      let (answer, seen, _) = try await meet(name)
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      #expect((seen["up"].int ?? 0) > 0, "\(seen)")
    }

    /// Each step of a dial has its own limit of ten seconds; nothing else waits.
    @Test(arguments: ["say-nothing", "mute", "no-answer"])
    func `that lets it wait, for more than ten seconds`(name: String) async throws {
      let (answer, seen, refusal) = try await meet(name)
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      #expect((seen["connections"].int ?? 0) > 0, "\(seen)")
      #expect(refusal["reason"].string?.contains("within 10") == true, "\(refusal)")
    }

    @Test func `that takes a connection and never reads`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let impostor = try await mesh.impersonate("deaf")
      let host = try await #require(mesh.pods["impostor"]).ip4
      var loads: [Running] = []
      for _ in 0..<4 {
        loads.append(
          try await mesh.spawn(in: "client", "peer.py", "both", host, "8080", String(256 << 20)))
      }
      try await Task.sleep(for: .seconds(3))
      let memory = try await mesh.residency("a")
      #expect(memory.resident < 32 << 20, "1 GiB is held back at the client: \(memory)")
      try await unharmed.expect("a deaf impostor", in: mesh)
      for load in loads { load.signal(.kill) }
      impostor.closeInput()
      _ = try await impostor.finish()
      try await unharmed.expect("a deaf impostor", in: mesh)
    }
  }
}
