import ControlAPI
import FoundationEssentials
import Linux
import MeshModel
import Testing
import TestSupport
import X509

@testable import ControlPlane

private let web = "spiffe://cluster.local/ns/shop/sa/web"
private let db = "spiffe://cluster.local/ns/shop/sa/db"

@Suite(.fewAtOnce) struct `Certificates for a node's pods` {
  @Test func `a node gets those of its own pods, whatever the request names`() async throws {
    try await Plane.run { plane in
      let answer = try await CertificateClient(plane.settings())
        .createCertificate(
          signingRequest(named: db), lifetime: .seconds(1_800), impersonating: web)
      let leaf = try #require(try certificates(in: answer.chain[0]).first)
      let root = try #require(try certificates(in: answer.roots).first)
      #expect(try leaf.uris == [web])
      #expect(root.publicKey.isValidSignature(leaf.signature, for: leaf))
      let now = WallClock.now().secondsSinceEpoch
      #expect(abs(leaf.notValidAfter.timeIntervalSince1970 - now - 1_800) < 30)
      #expect(abs(leaf.notValidBefore.timeIntervalSince1970 - now + 120) < 30)
      #expect(plane.core.counters.values.certificates == [.issued: 1])
    }
  }

  @Test func `a node does not get those of another node's pods, nor learns why`() async throws {
    try await Plane.run { plane in
      for identity in [db, "spiffe://other.domain/ns/shop/sa/web", web + "x"] {
        let status = await status {
          _ = try await CertificateClient(plane.settings())
            .createCertificate(signingRequest(), lifetime: nil, impersonating: identity)
        }
        #expect(status == CertificateDesk.denial)
      }
      #expect(plane.core.counters.values.certificates == [.denied: 3])
    }
  }

  @Test func `a pod that moves takes its identity along`() async throws {
    try await Plane.run { plane in
      try await plane.change([
        Plane.Pod("web", node: "b", account: "web"), Plane.Pod("db", node: "b", account: "db"),
      ])
      func status(_ node: String) async -> CallStatus? {
        await ControlPlaneTests.status {
          _ = try await CertificateClient(plane.settings(node: node))
            .createCertificate(signingRequest(), lifetime: nil, impersonating: web)
        }
      }
      #expect(await status("a") == CertificateDesk.denial)
      #expect(await status("b") == nil)
    }
  }

  struct Life: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var asked: Duration?
    /// Seconds; nil: refused.
    var given: Double?
  }

  @Test(arguments: [
    Life(testDescription: "what is asked for", asked: .seconds(60), given: 60),
    Life(testDescription: "the standard when nothing is", asked: nil, given: 3_600),
    Life(testDescription: "the standard for less than nothing", asked: .seconds(-5), given: 3_600),
    Life(testDescription: "the most there is", asked: .seconds(86_400), given: 86_400),
    Life(testDescription: "never more", asked: .seconds(86_401), given: nil),
    Life(testDescription: "never next to nothing", asked: .seconds(1), given: nil),
  ])
  func `live as long as`(life: Life) async throws {
    try await Plane.run { plane in
      var seconds: Double?
      let status = await status {
        let answer = try await CertificateClient(plane.settings())
          .createCertificate(signingRequest(), lifetime: life.asked, impersonating: web)
        let leaf = try #require(try certificates(in: answer.chain[0]).first)
        seconds = leaf.notValidAfter.timeIntervalSince1970 - WallClock.now().secondsSinceEpoch
      }
      #expect(status?.code == (life.given == nil ? .invalidArgument : nil))
      if let given = life.given { #expect(abs((seconds ?? 0) - given) < 30) }
    }
  }

  struct Request: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var text: String
  }

  @Test(arguments: [
    Request(testDescription: "nothing", text: ""),
    Request(testDescription: "no PEM", text: "hello"),
    Request(
      testDescription: "another kind of PEM",
      text: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    Request(
      testDescription: "no request inside",
      text: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
    Request(testDescription: "far too much", text: String(repeating: "A", count: 1_000_000)),
  ])
  func `a request is one signed PKCS 10 request in PEM, not`(request: Request) async throws {
    try await Plane.run { plane in
      let status = await status {
        _ = try await CertificateClient(plane.settings())
          .createCertificate(request.text, lifetime: nil, impersonating: web)
      }
      #expect(status?.code == .invalidArgument)
    }
  }

  @Test func `a request larger than the limit is refused, and the next one served`() async throws {
    try await Plane.run { plane in
      let status = await status {
        _ = try await CertificateClient(plane.settings())
          .createCertificate(
            String(repeating: "A", count: ControlLimit.requestBytes + 1), lifetime: nil,
            impersonating: web)
      }
      #expect(status != nil)
      _ = try await CertificateClient(plane.settings())
        .createCertificate(signingRequest(), lifetime: nil, impersonating: web)
    }
  }
}
