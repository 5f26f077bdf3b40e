import Foundation
import NodeHarness
import Testing

extension `A node` {
  /// A peer with a valid certificate of the mesh asks for what it must not get.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.addPod("neighbour", on: "b")
      try await mesh.startShop()
    })
  struct `answers a strange request` {
    /// `POD` stands for the address of the pod that is asked.
    @Test(arguments: [
      ("POD:8080", 200), ("127.0.0.1:8080", 400), ("0.0.0.0:8080", 400), ("10.91.1.10:8080", 400),
      ("10.91.2.11:8080", 400), ("192.0.2.1:80", 400), ("[fd91:2::10]:8080", 400),
      ("server:8080", 503), ("", 400), (":8080", 400), ("POD", 400), ("POD:", 400), ("POD:0", 400),
      ("POD:65536", 400), ("POD:8080:1", 400), ("[::1", 400), ("user@POD:8080", 400),
      ("POD:+80", 400), ("POD:-1", 400), ("POD:08080", 400), ("10.091.2.10:8080", 400),
      ("POD:8080/", 400), ("POD :8080", 400), ("0x0a5b020a:8080", 503), ("POD:8080,POD:8080", 400),
      ("[fe80::1%eth0]:8080", 400), (String(repeating: "a", count: 5_000) + ":1", 400),
    ])
    func `for another place with 400, for an unknown name with 503, and goes on`(
      authority: String, status: Int
    ) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let target = authority.replacingOccurrences(of: "POD", with: server.ip4)
      let outcome = try await mesh.attack("connect", target)
      #expect(outcome["status"].int == status, "\(outcome)")
      #expect(outcome["then"].int == 200, "a good request after it: \(outcome)")
    }

    @Test(arguments: [15008, 15001, 15006])
    func `for a port of ztunnel's own with 503`(port: Int) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let outcome = try await mesh.attack("connect", "\(server.ip4):\(port)")
      #expect(outcome["status"].int == 503, "\(outcome)")
      #expect(outcome["then"].int == 200, "a good request after it: \(outcome)")
    }

    @Test(arguments: ["GET", "no authority"])
    func `that is no CONNECT with 400`(name: String) async throws {
      let outcome = try await Mesh.shared.attack("request", name)
      #expect(outcome["status"].int == 400, "\(outcome)")
      #expect(outcome["then"].int == 200, "a good request after it: \(outcome)")
    }

    /// RFC 9113, section 8.1.1: a malformed request is a stream error.
    @Test(arguments: [
      "no method", "two authorities", "CONNECT with a path", "extended CONNECT",
      "a field in capitals", "connection: close", "a line break in a value", "a late pseudo-field",
    ])
    func `that is malformed with PROTOCOL_ERROR`(name: String) async throws {
      let outcome = try await Mesh.shared.attack("request", name)
      #expect(outcome["resets"]["1"].string == "PROTOCOL_ERROR", "\(outcome)")
      #expect(outcome["then"].int == 200, "a good request after it: \(outcome)")
    }

    @Test func `and is the same process after all of them`() async throws {
      let mesh = try Mesh.shared
      #expect(try await mesh.status("b")["ztunnel"]["restarts"].int == 0)
      try await Unharmed(in: mesh).expect("strange requests", in: mesh)
    }
  }
}
