import Foundation
import Linux
import NodeHarness
import Testing

/// What tlslite-ng does while it shakes hands and after; see Programs/records.py.
private let legal = [
  "plain", "records of 1 bytes", "records of 16 bytes", "padded records", "a retry", "only P-256",
  "KeyUpdate now and then",
]

/// Wrong from either side.
private let illegal = [
  "CertificateVerify with a flipped bit", "no CertificateVerify", "CertificateVerify twice",
  "no Certificate", "Certificate twice", "a Certificate of 4 MiB", "Finished with a flipped bit",
  "data before Finished", "ChangeCipherSpec without end", "warnings without end",
  "empty handshake records", "a record of 20 000 bytes", "only TLS_CHACHA20_POLY1305_SHA256",
  "only secp521r1", "KeyUpdate without end", "KeyUpdate of a kind nobody knows",
  "empty records without end", "a renegotiation by ClientHello",
  "a renegotiation by HelloRequest", "a certificate nobody asked for",
  "a request for another certificate", "tickets without end", "a heartbeat",
  "a sealed record of 17 000 bytes", "a record without seal", "a record too short for a seal",
  "warnings under seal without end", "half a record, and FIN",
]

extension `Beside other programs` {
  /// tlslite-ng, a TLS of pure Python, dials an enrolled pod's port 15008.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `a node answers tlslite-ng` {
    func dial(_ name: String) async throws -> JSON {
      let mesh = try Mesh.shared
      let server = try await mesh.address(of: "server")
      return try await mesh.spawn(
        in: "stranger", "records.py", "dial", name, mesh.authority, server
      ).finish().json()
    }

    @Test(arguments: legal)
    func `when it keeps the rules`(name: String) async throws {
      let outcome = try await dial(name)
      #expect(outcome["status"].int == 200, "\(outcome)")
    }

    @Test(arguments: illegal + ["no Finished", "ClientHello twice", "a compressed Certificate"])
    func `with the end of its connection when it breaks them`(name: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await dial(name)
      #expect(outcome["status"].int == nil, "\(outcome)")
      #expect(outcome["ended"].string != "", "\(outcome)")
      #expect(try #require(outcome["seconds"].double) < 9, "\(outcome)")
      let refusal = try await mesh.status("b", "refusals")[0]
      if outcome["up"].bool == false {
        #expect(refusal["cause"].string == "TLS_FAILURE", "\(refusal)")
      }
      try await unharmed.expect(name, in: mesh)
    }
  }

  /// Where manifests promise an enrolled pod, tlslite-ng answers with that pod's identity.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.addImpostor("waypoint")
      try await mesh.startShop()
    })
  struct `a node dials tlslite-ng` {
    /// What an application of ours got, what the peer saw, and how long it took.
    func meet(_ name: String) async throws -> (answer: JSON, seen: JSON, took: Duration) {
      let mesh = try Mesh.shared
      let peer = try await mesh.spawn(in: "waypoint", "records.py", "answer", name, mesh.authority)
      try await peer.waitFor("ready")
      let began = ContinuousClock.now
      let address = try await mesh.address(of: "waypoint")
      let answer = try await mesh.client(in: "client", "get", address, "8080", "name", "30")
      let took = ContinuousClock.now - began
      peer.closeInput()
      return (answer, try await peer.finish().json(), took)
    }

    @Test(arguments: legal)
    func `and is served when it keeps the rules`(name: String) async throws {
      let (answer, seen, _) = try await meet(name)
      #expect(answer["answer"].string == "|tlslite", "\(answer) \(seen)")
    }

    @Test(arguments: illegal + ["ServerHello twice"])
    func `and gives up when it breaks them`(name: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let (answer, seen, took) = try await meet(name)
      #expect(answer["error"].string == "ECONNRESET", "\(answer) \(seen)")
      #expect(took < .seconds(9), "\(took)")
      try await unharmed.expect(name, in: mesh)
    }

    @Test func `and waits ten seconds when it does not finish`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let (answer, _, took) = try await meet("no Finished")
      #expect(answer["error"].string == "ECONNRESET", "\(answer)")
      #expect((.seconds(9)..<(.seconds(14))).contains(took), "\(took)")
      try await unharmed.expect("a handshake without Finished", in: mesh)
    }
  }
}
