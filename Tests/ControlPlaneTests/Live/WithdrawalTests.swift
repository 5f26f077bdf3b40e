import ControlAPI
import Foundation
import Linux
import MeshModel
import Testing
import TestSupport

@testable import ControlPlane

private let node = "spiffe://cluster.local/node/a"

@Suite(.fewAtOnce) struct `A proof that is taken back` {
  @Test func `ends the stream of its token, and no other`() async throws {
    try await Plane.run { plane in
      async let a = holdStream(plane.settings(node: "a"))
      async let b = holdStream(plane.settings(node: "b"))
      try await waitFor { plane.core.register.count == 2 }
      try put(plane.directory + "/tokens", "b \(Plane.tokens["b"] ?? "")\n")
      #expect(await a == CertificateDesk.denial)
      #expect(plane.core.register.all.map(\.node) == ["b"])
      #expect(plane.core.counters.values.streamsEnded == ["withdrawn": 1])
      // Somebody else's from now on.
      try put(plane.directory + "/tokens", "a \(Plane.tokens["b"] ?? "")\n")
      #expect(await b == CertificateDesk.denial)
    }
  }

  @Test func `ends the stream of a token whose key is withdrawn`() async throws {
    var issuer = Issuer(keys: "one", "two")
    let path = NSTemporaryDirectory() + "/keys-\(UUID().uuidString).json"
    try put(path, issuer.keySet)
    var options = Plane.Options()
    options.issuer = RunSettings.Issuer(
      url: Issuer.url, audience: "istio-ca", keys: .file(path),
      nodeAccounts: ["istio-system/ztunnel"])
    let (one, two) = (
      try await issuer.token(.agent(of: "a"), key: "one"),
      try await issuer.token(.agent(of: "b"), key: "two")
    )
    issuer.remove("one")
    let later = issuer.keySet
    try await Plane.run(options) { plane in
      let (first, second) = (try plane.settings(token: one), try plane.settings(token: two))
      async let a = holdStream(first)
      async let b = holdStream(second)
      try await waitFor { plane.core.register.count == 2 }
      try put(path, later)
      #expect(await a == CertificateDesk.denial)
      #expect(plane.core.register.all.map(\.node) == ["b"])
      plane.core.publisher.shutDown()
      #expect(await b?.code == .unavailable)
    }
    try FileManager.default.removeItem(atPath: path)
  }

  @Test func `ends the stream of a revoked certificate, which proves nothing any more`()
    async throws
  {
    var options = Plane.Options()
    options.hasRevocations = true
    options.prepare = { try put($0 + "/crl.pem", "") }
    try await Plane.run(options) { plane in
      let revoked = try plane.settings(certificateFor: node)
      let other = try plane.settings(certificateFor: node)
      async let stream = holdStream(revoked)
      try await waitFor { plane.core.register.count == 1 }
      try plane.revoke([revoked.certificateFile])
      #expect(await stream == CertificateDesk.denial)
      #expect(await openStream(revoked) == CertificateDesk.denial)
      #expect(await ask(revoked) == CertificateDesk.denial)
      #expect(await openStream(other) == nil)
      #expect(await ask(other) == nil)
      #expect(await plane.core.status().authentication.revocations?.entries == 1)
      // A file that says nothing leaves the last good list in force.
      try put(plane.directory + "/crl.pem", "nonsense")
      try await waitFor { plane.core.revocations?.problem != nil }
      #expect(await openStream(revoked) == CertificateDesk.denial)
      #expect(await openStream(other) == nil)
      #expect(await plane.core.status().authentication.revocations?.state == "last good")
      #expect(await plane.core.status().problems.contains { $0.contains("the last good lists") })
      try put(plane.directory + "/crl.pem", "")
      try await waitFor { await openStream(revoked) == nil }
    }
  }

  @Test func `counts for all that a revoked authority signed`() async throws {
    var options = Plane.Options()
    options.hasRevocations = true
    options.prepare = { try put($0 + "/crl.pem", "") }
    try await Plane.run(options) { plane in
      let middle = try plane.intermediate()
      let agent = try plane.settings(certificateFor: node, by: middle)
      #expect(await openStream(agent) == nil)
      try plane.revoke([middle + ".crt"])
      try await waitFor { await openStream(agent) == CertificateDesk.denial }
    }
  }

  @Test func `lets no certificate in while it is not known which are taken back`() async throws {
    var options = Plane.Options()
    options.hasRevocations = true
    try await Plane.run(options) { plane in
      let agent = try plane.settings(certificateFor: node)
      #expect(await openStream(agent) == CertificateDesk.denial)
      #expect(await openStream(plane.settings()) == nil, "a token has no part in it")
      #expect(await plane.core.status().problems.contains { $0.contains("no client certificate") })
      try put(plane.directory + "/crl.pem", "\n")
      try await waitFor { await openStream(agent) == nil }
    }
  }

  @Test func `was a root, and its certificates are no proof any more`() async throws {
    try await Plane.run { plane in
      let agent = try plane.settings(certificateFor: node)
      async let stream = holdStream(agent)
      try await waitFor { plane.core.register.count == 1 }
      // Another authority takes the place of the one that signed it.
      let files = FileManager.default
      try await Plane.run { other in
        for name in ["ca.key", "ca.crt"] {
          try put("\(plane.directory)/ca/\(name)", File.readText("\(other.directory)/ca/\(name)"))
        }
      }
      try files.setAttributes(
        [.posixPermissions: 0o600], ofItemAtPath: plane.directory + "/ca/ca.key")
      #expect(await stream == CertificateDesk.denial)
    }
  }

  @Test func `is another matter than what the API server said of a token`() async throws {
    try await Plane.run { plane in
      func proof(_ proof: Caller.Proof) -> StreamProof {
        StreamProof(
          caller: Caller(role: .node("a"), proof: proof),
          peer: Peer(address: "ipv4:10.0.0.1:1", bearerToken: "no token of the file's"),
          authentication: plane.core.authentication, shownAt: WallClock.now(), trustChanges: 0,
          jitter: 0)
      }
      var reviewed = proof(.tokenReview)
      try await reviewed.check(trustChanges: 1, now: WallClock.now())
      var ours = proof(.staticToken)
      await #expect(throws: StreamProof.End.withdrawn(.unknownToken)) {
        try await ours.check(trustChanges: 1, now: WallClock.now())
      }
    }
  }

  @Test(arguments: [0.0, 1.0])
  func `ends by itself within its grace, and the client is told to come again`(
    jitter: Double
  ) async throws {
    try await Plane.run { plane in
      let now = WallClock.now()
      func later(_ seconds: Double) -> WallTime {
        WallTime(secondsSinceEpoch: now.secondsSinceEpoch + seconds)
      }
      var proof = StreamProof(
        caller: Caller(role: .node("a"), proof: .staticToken, validUntil: later(60)),
        peer: Peer(address: "ipv4:10.0.0.1:1", bearerToken: Plane.tokens["a"]),
        authentication: plane.core.authentication, shownAt: now, trustChanges: 0, jitter: jitter)
      try await proof.check(trustChanges: 1, now: later(59))
      if jitter > 0 { try await proof.check(trustChanges: 1, now: later(359)) }
      do throws(StreamProof.End) {
        try await proof.check(trustChanges: 1, now: later(361))
        Issue.record("it stays")
      } catch {
        #expect(error.status.code == .unavailable)
      }
    }
  }
}
