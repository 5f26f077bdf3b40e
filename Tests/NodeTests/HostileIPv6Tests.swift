import Foundation
import Linux
import NodeHarness
import Testing

extension `A node` {
  /// The attacks of the other suites, one of each kind, at the pod's other address.
  @Suite(
    .serialized,
    .mesh { mesh in
      try await mesh.addShop()
      try await mesh.startShop()
    })
  struct `over IPv6` {
    @Test func `serves the same hands with a good certificate`() async throws {
      let mesh = try Mesh.shared
      let outcome = try await mesh.attack("good", isIPv6: true)
      #expect(outcome["status"].int == 200, "all attacks rest on this: \(outcome)")
      try await Unharmed(in: mesh).expect("a good member", in: mesh, isIPv6: true)
    }

    @Test(arguments: ["garbage", "HTTP/1.1", "HTTP/2", "half a record"])
    func `hangs up on what is not TLS`(bytes: String) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("bytes", bytes, isIPv6: true)
      #expect(outcome["ended"].string != "", "\(outcome)")
      try await unharmed.expect(bytes, in: mesh, isIPv6: true)
    }

    @Test(arguments: [
      ("none", "CERTIFICATE_REQUIRED", "no certificate"),
      ("expired", "CERTIFICATE_EXPIRED", "expired"), ("forged", "UNKNOWN_CA", "root"),
      ("nul", "CERTIFICATE", "no SPIFFE identity"),
    ])
    func `refuses a certificate that is not a member's, and says whose`(
      kind: String, alert: String, reason: String
    ) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("certificate", kind, isIPv6: true)
      #expect(outcome["ended"].string?.contains(alert) == true, "\(outcome)")
      let refusal = try await mesh.status("b")["refusals"][0]
      #expect(refusal["reason"].string?.contains(reason) == true, "\(refusal)")
      let (stranger, server) = try await (
        #require(mesh.pods["stranger"]).ip6, #require(mesh.pods["server"]).ip6
      )
      #expect(refusal["source"].string?.contains("[\(stranger)]:") == true, "\(refusal)")
      #expect(refusal["destination"].string == "[\(server)]:15008", "\(refusal)")
      try await unharmed.expect("\(kind) certificate", in: mesh, isIPv6: true)
    }

    @Test(arguments: [
      ("[POD]:8080", 200), ("[FD91:2:0:0::10]:8080", 200), ("[::1]:8080", 400),
      ("[::]:8080", 400), ("[fd91:2::11]:8080", 400), ("[fd91:1::10]:8080", 400),
      ("10.91.2.10:8080", 400), ("[::ffff:10.91.2.10]:8080", 400), ("POD:8080", 400),
      ("[POD]", 400), ("[POD]:", 400), ("[POD]8080", 400), ("[POD%eth0]:8080", 400),
      ("[[POD]]:8080", 400), ("[fd91:2::10::]:8080", 400), ("[POD]:15008", 503),
    ])
    func `answers a strange authority, and goes on`(authority: String, status: Int) async throws {
      let mesh = try Mesh.shared
      let server = try await #require(mesh.pods["server"])
      let target = authority.replacingOccurrences(of: "POD", with: server.ip6)
      let outcome = try await mesh.attack("connect", target, isIPv6: true)
      #expect(outcome["status"].int == status, "\(outcome)")
      #expect(outcome["then"].int == 200, "a good request after it: \(outcome)")
    }

    @Test(arguments: [
      ("flipped", ""), ("preface", ""), ("frame", "DATA on an idle stream"),
      ("frame", "a frame of 16 MiB"), ("flood", "CONTINUATION"), ("flood", "PING"),
      ("flood", "SETTINGS"), ("rapid-reset", ""), ("giant-headers", "4000000"),
    ])
    func `ends the connection of a member that breaks the rules`(
      name: String, argument: String
    ) async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome =
        argument.isEmpty
        ? try await mesh.attack(name, isIPv6: true)
        : try await mesh.attack(name, argument, isIPv6: true)
      #expect(outcome["up"].bool == true && outcome["ended"].string != "", "\(outcome)")
      #expect(try #require(outcome["seconds"].double) < 9, "\(outcome)")
      try await unharmed.expect("\(name) \(argument)", in: mesh, isIPv6: true)
    }

    @Test func `outlives connections that are torn`() async throws {
      let mesh = try Mesh.shared
      let unharmed = try await Unharmed(in: mesh)
      let outcome = try await mesh.attack("torn", "90", isIPv6: true)
      #expect(outcome["torn"].int == 90, "\(outcome)")
      try await unharmed.expect("90 resets", in: mesh, isIPv6: true)
    }
  }
}
