import Linux
import MeshModel
import Testing
import TestSupport

@testable import ControlPlane

private let configuration = "/good/.well-known/openid-configuration"

/// Always due, and with no patience to speak of left to luck.
private func timing(fetch: Duration = .seconds(60), patience: Duration = .seconds(60))
  -> KeySource.Timing
{
  var timing = KeySource.Timing()
  (timing.issuerInterval, timing.issuerRetry) = (.zero, .zero)
  (timing.fetch, timing.patience) = (fetch, patience)
  return timing
}

@Suite(.fewAtOnce) struct `An issuer's keys over HTTPS` {
  @Test func `are found by its configuration`() async throws {
    try await IssuerServer.run(Issuer(keys: "one").keySet) { server in
      let found = try await server.fetch().keys(within: .seconds(60))
      #expect(KeySet(json: found)?.count == 1)
      #expect(server.asked(configuration) == 1)
      let moved = try await server.fetch("moved").keys(within: .seconds(60))
      #expect(moved == found)
    }
  }

  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var behaviour: String
    /// Part of what is said.
    var says: String
  }

  @Test(arguments: [
    Row(
      testDescription: "another issuer's configuration", behaviour: "other",
      says: "the configuration is of the issuer"),
    Row(testDescription: "keys in plaintext", behaviour: "plain", says: "expected an https URL"),
    Row(
      testDescription: "a redirect that leaves HTTPS", behaviour: "downgraded",
      says: "expected an https URL"),
    Row(
      testDescription: "redirects without end", behaviour: "circling",
      says: "more than 3 redirects"),
    Row(testDescription: "a body without end", behaviour: "endless", says: "cannot be read"),
    Row(testDescription: "half a body", behaviour: "broken", says: "cannot be read"),
    Row(testDescription: "nothing there", behaviour: "absent", says: "answered 404"),
  ])
  func `are not taken from`(row: Row) async throws {
    try await IssuerServer.run(Issuer(keys: "one").keySet) { server in
      do {
        _ = try await server.fetch(row.behaviour).keys(within: .seconds(60))
        Issue.record("taken")
      } catch {
        #expect("\(error)".contains(row.says), "\(error)")
      }
      #expect(server.asked("/good/keys") == 0)
    }
  }

  @Test func `are not taken from whom nobody vouches for`() async throws {
    try await IssuerServer.run(Issuer(keys: "one").keySet) { server in
      try await IssuerServer.run(Issuer(keys: "two").keySet) { other in
        var fetch = server.fetch()
        fetch.rootsFile = other.directory + "/ca/ca.crt"
        await #expect(throws: KeySourceError.self) { try await fetch.keys(within: .seconds(60)) }
        fetch.rootsFile = nil
        await #expect(throws: KeySourceError.self) { try await fetch.keys(within: .seconds(60)) }
        #expect(server.asked(configuration) == 0)
      }
    }
  }

  @Test func `a body that trickles is given up with all else`() async throws {
    try await IssuerServer.run(Issuer(keys: "one").keySet) { server in
      await #expect(throws: KeySourceError.tooSlow(.seconds(1))) {
        // At its pace it would take 50 s.
        try await server.fetch("slow").keys(within: .seconds(1))
      }
    }
  }
}

@Suite(.fewAtOnce) struct `While an issuer says nothing` {
  /// A source with the server's first keys, whose next question finds no answer.
  private func withSilentIssuer(
    _ body: (IssuerServer, KeySource, inout Issuer) async throws -> Void
  ) async throws {
    var issuer = Issuer(keys: "one")
    try await IssuerServer.run(issuer.keySet) { server in
      let source = KeySource(.issuer(server.fetch()), timing: timing())
      let first = try await source.current(at: MonotonicClock.now())
      #expect(first.count == 1)
      try server.answers(false)
      try await body(server, source, &issuer)
    }
  }

  @Test func `known keys are served at once, and it is asked once`() async throws {
    try await withSilentIssuer { server, source, _ in
      let start = MonotonicClock.now()
      for _ in 0..<50 { #expect(try await source.current(at: MonotonicClock.now()).count == 1) }
      // One that waited would have waited for a minute.
      #expect(MonotonicClock.now().since(start) < .seconds(50))
      try await waitFor { server.asked(configuration) == 2 }
      for _ in 0..<50 { _ = try await source.current(at: MonotonicClock.now()) }
      #expect(server.asked(configuration) == 2)
      try server.answers(true)
    }
  }

  @Test func `a token of a new key waits, and passes when it speaks`() async throws {
    try await withSilentIssuer { server, source, issuer in
      issuer.add("two")
      let token = try await issuer.token(.agent(of: "a"), key: "two")
      try server.publish(issuer.keySet)
      async let renewed = source.renewed(at: MonotonicClock.now())
      try await waitFor { server.asked(configuration) == 2 }
      try server.answers(true)
      let claims = try await renewed?.claims(in: token)
      #expect(claims?.kubernetes?.node?.name == "a")
      #expect(server.asked(configuration) == 2)
    }
  }

  @Test func `who waits gives up before the question does`() async throws {
    try await IssuerServer.run(Issuer(keys: "one").keySet) { server in
      try server.answers(false)
      let source = KeySource(
        .issuer(server.fetch()), timing: timing(patience: .milliseconds(200)))
      let start = MonotonicClock.now()
      await #expect(throws: AuthenticationFailure.noKeys(reason: "not read yet")) {
        try await source.current(at: MonotonicClock.now())
      }
      #expect(MonotonicClock.now().since(start) < .seconds(50))
      #expect(await source.renewed(at: MonotonicClock.now()) == nil)
      try server.answers(true)
      try await waitFor { await source.count == 1 }
    }
  }

  @Test func `the last good keys stay, and status says why`() async throws {
    try await IssuerServer.run(Issuer(keys: "one").keySet) { server in
      let source = KeySource(
        .issuer(server.fetch()), timing: timing(fetch: .milliseconds(300)))
      // A slow machine may need more than one try.
      try await waitFor {
        await source.refresh(at: MonotonicClock.now())
        return await source.count == 1
      }
      try server.answers(false)
      try await waitFor {
        await source.refresh(at: MonotonicClock.now())
        return await source.problem != nil
      }
      #expect(try await source.current(at: MonotonicClock.now()).count == 1)
      try server.answers(true)
      try await waitFor {
        await source.refresh(at: MonotonicClock.now())
        return await source.problem == nil
      }
    }
  }
}

@Suite(.fewAtOnce) struct `A control plane with an issuer over HTTPS` {
  @Test func `takes its tokens`() async throws {
    let issuer = Issuer(keys: "one")
    try await IssuerServer.run(issuer.keySet) { server in
      var options = Plane.Options()
      options.issuer = RunSettings.Issuer(
        url: server.url(), audience: "istio-ca",
        keys: .issuer(roots: server.directory + "/ca/ca.crt"),
        nodeAccounts: ["istio-system/ztunnel"])
      try await Plane.run(options) { plane in
        var claims = Issuer.Claims.agent(of: "a")
        claims.iss = server.url()
        let first = try plane.settings(token: await issuer.token(claims, key: "one"))
        #expect(await openStream(first) == nil)
        try await waitFor { await plane.core.status().authentication.issuerKeys == 1 }
        #expect(await plane.core.status().problems.isEmpty)
      }
    }
  }
}
