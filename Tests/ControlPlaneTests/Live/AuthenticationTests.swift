import ControlAPI
import Foundation
import Linux
import Testing
import TestSupport

@testable import ControlPlane

private let web = "spiffe://cluster.local/ns/shop/sa/web"

@Suite(.fewAtOnce) struct `Whoever calls must prove who it is` {
  @Test func `a token of the file is a node, any other is nobody`() async throws {
    try await Plane.run { plane in
      #expect(await openStream(plane.settings()) == nil)
      #expect(await openStream(plane.settings(), node: "a") == nil)
      #expect(await openStream(plane.settings(node: nil)) == CertificateDesk.denial)
      let wrong = try plane.settings(token: "token-of-node-x-0000")
      #expect(await openStream(wrong) == CertificateDesk.denial)
      #expect(await ask(wrong) == CertificateDesk.denial)
      #expect(await ask(plane.settings(node: nil)) == CertificateDesk.denial)
      let failures = plane.core.counters.values.authenticationFailures
      #expect(failures == ["unknown_token": 2, "no_credentials": 2])
    }
  }

  @Test func `a node may not call itself by another's name`() async throws {
    try await Plane.run { plane in
      #expect(await openStream(plane.settings(), node: "b")?.code == .permissionDenied)
    }
  }

  @Test func `tokens change with their file, and a wrong file changes nothing`() async throws {
    try await Plane.run { plane in
      let path = plane.directory + "/tokens"
      try put(path, "a new-token-of-a-0000\n")
      let newer = try plane.settings(token: "new-token-of-a-0000")
      try await waitFor { await openStream(newer) == nil }
      #expect(await openStream(plane.settings()) == CertificateDesk.denial)
      try put(path, "a\n")
      try await waitFor { plane.core.tokens?.problem != nil }
      #expect(await openStream(newer) == nil)
    }
  }

  @Test func `a client certificate of the mesh is proof enough`() async throws {
    try await Plane.run { plane in
      let agent = try plane.settings(certificateFor: "spiffe://cluster.local/node/a")
      #expect(await openStream(agent) == nil)
      #expect(await ask(agent) == nil)
      #expect(await ask(agent, for: "spiffe://cluster.local/ns/shop/sa/db") != nil)
      // A workload's could be renewed for ever, also after it was revoked.
      let workload = try plane.settings(certificateFor: web)
      #expect(await openStream(workload) == CertificateDesk.denial)
      #expect(await ask(workload, for: nil) != nil)
      let stranger = try plane.settings(certificateFor: "spiffe://else.where/node/a")
      #expect(await openStream(stranger) == CertificateDesk.denial)
    }
  }
}

@Suite(.fewAtOnce) struct `An issuer's tokens are proof while its keys are` {
  private func run(
    _ issuer: Issuer, _ body: (Plane) async throws -> Void
  ) async throws {
    var options = Plane.Options()
    let keySet = issuer.keySet
    let path = NSTemporaryDirectory() + "/keys-\(UUID().uuidString).json"
    options.prepare = { _ in try put(path, keySet) }
    options.issuer = RunSettings.Issuer(
      url: Issuer.url, audience: "istio-ca", keys: .file(path),
      nodeAccounts: ["istio-system/ztunnel"])
    try await Plane.run(options, body)
    try FileManager.default.removeItem(atPath: path)
  }

  @Test func `a node agent's token speaks for its node and no other`() async throws {
    let issuer = Issuer(keys: "one")
    try await run(issuer) { plane in
      let agent = try plane.settings(
        token: await issuer.token(.agent(of: "a"), key: "one"))
      #expect(await openStream(agent) == nil)
      #expect(await openStream(agent, node: "b")?.code == .permissionDenied)
      #expect(await ask(agent) == nil)
      #expect(await ask(agent, for: "spiffe://cluster.local/ns/shop/sa/db") != nil)
    }
  }

  @Test func `an application's token speaks for itself only`() async throws {
    let issuer = Issuer(keys: "one")
    try await run(issuer) { plane in
      var claims = Issuer.Claims()
      claims.sub = "system:serviceaccount:shop:web"
      let application = try plane.settings(token: await issuer.token(claims, key: "one"))
      #expect(await openStream(application)?.code == .permissionDenied)
      #expect(await ask(application, for: nil) == nil)
      #expect(await ask(application, for: "spiffe://cluster.local/ns/shop/sa/db") != nil)
    }
  }

  @Test func `a token that is old, for others, of others or changed proves nothing`() async throws {
    let issuer = Issuer(keys: "one")
    try await run(issuer) { plane in
      func refusal(_ change: (inout Issuer.Claims) -> Void) async throws -> CallStatus? {
        var claims = Issuer.Claims.agent(of: "a")
        change(&claims)
        return await openStream(
          try plane.settings(token: await issuer.token(claims, key: "one")))
      }
      var refusals: [CallStatus?] = []
      refusals.append(try await refusal { $0.exp -= 3_600 })
      refusals.append(try await refusal { $0.nbf = $0.exp })
      refusals.append(try await refusal { $0.aud = ["else"] })
      refusals.append(try await refusal { $0.iss = "https://else.where" })
      #expect(refusals == Array(repeating: CertificateDesk.denial, count: 4))
      let stranger = Issuer(keys: "one")
      let forged = try await stranger.token(.agent(of: "a"), key: "one")
      #expect(await openStream(try plane.settings(token: forged)) == CertificateDesk.denial)
      #expect(
        plane.core.counters.values.authenticationFailures == [
          "expired": 1, "not_yet_valid": 1, "wrong_audience": 1, "wrong_issuer": 1,
          "bad_signature": 1,
        ])
    }
  }

  @Test func `keys change with their file, and a wrong file changes nothing`() async throws {
    var issuer = Issuer(keys: "one")
    let path = NSTemporaryDirectory() + "/keys-\(UUID().uuidString).json"
    try put(path, issuer.keySet)
    let old = try await issuer.token(.agent(of: "a"), key: "one")
    issuer.remove("one")
    issuer.add("two")
    let new = try await issuer.token(.agent(of: "a"), key: "two")
    let later = issuer.keySet
    var options = Plane.Options()
    options.issuer = RunSettings.Issuer(
      url: Issuer.url, audience: "istio-ca", keys: .file(path),
      nodeAccounts: ["istio-system/ztunnel"])
    try await Plane.run(options) { plane in
      let (old, new) = (try plane.settings(token: old), try plane.settings(token: new))
      #expect(await openStream(old) == nil)
      #expect(await openStream(new) == CertificateDesk.denial)
      try put(path, later)
      try await waitFor { await openStream(new) == nil }
      #expect(await openStream(old) == CertificateDesk.denial)
      try put(path, "{\"keys\":[]}")
      try await waitFor {
        let status = await openStream(new)
        return await plane.core.keys?.problem != nil && status == nil
      }
    }
    try FileManager.default.removeItem(atPath: path)
  }
}
