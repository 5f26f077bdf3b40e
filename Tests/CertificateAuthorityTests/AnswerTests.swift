import Crypto
import FoundationEssentials
import Identity
import MeshModel
import SwiftASN1
import Testing
import X509

@testable import CertificateAuthority

private let cart = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "cart")
private let pay = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "pay")

/// What a leaf is made of; the defaults are good.
private struct Leaf {
  var key: Certificate.PublicKey
  var names = [cart.description]
  var from = Date(timeIntervalSinceNow: -60)
  var to = Date(timeIntervalSinceNow: 3_600)
  var usages: [ExtendedKeyUsage.Usage] = [.serverAuth, .clientAuth]
  var isAuthority = false

  func signed(by root: Root) throws -> Certificate {
    try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(bytes: [7, 8]), publicKey: key,
      notValidBefore: from, notValidAfter: to, issuer: root.certificate.subject,
      subject: DistinguishedName(),
      extensions: try Certificate.Extensions {
        Critical(
          isAuthority
            ? BasicConstraints.isCertificateAuthority(maxPathLength: nil)
            : BasicConstraints.notCertificateAuthority)
        try ExtendedKeyUsage(usages)
        Critical(SubjectAlternativeNames(names.map { .uniformResourceIdentifier($0) }))
      }, issuerPrivateKey: root.key)
  }
}

@Suite struct `The answer of an authority elsewhere` {
  private let root: Root
  private let key = P256.Signing.PrivateKey()
  private let request: [UInt8]

  init() throws {
    root = try Root("root")
    let request = try CertificateSigningRequest(
      version: .v1, subject: DistinguishedName(), privateKey: Certificate.PrivateKey(key),
      attributes: .init())
    var serializer = DER.Serializer()
    try serializer.serialize(request)
    self.request = serializer.serializedBytes
  }

  private var good: Leaf { Leaf(key: Certificate.PublicKey(key.publicKey)) }

  private func pem(_ certificate: Certificate) throws -> String {
    try certificate.serializeAsPEM().pemString
  }

  @discardableResult
  private func take(
    _ chain: [Certificate], roots: [Certificate]? = nil
  ) throws -> IssuedChain {
    try IssuedChain(
      answer: try chain.map(pem), roots: try (roots ?? [root.certificate]).map(pem).joined(),
      to: request, for: cart, now: .now)
  }

  private func refusal(_ leaf: Leaf) throws -> AnswerError? {
    let certificate = try leaf.signed(by: root)
    return #expect(throws: AnswerError.self) { try take([certificate]) }
  }

  @Test func `is taken with its intermediates and without its root`() throws {
    let middle = try Root("middle", under: root)
    let good = good
    let leaf = try good.signed(by: middle)
    let other = try Root("other")
    let issued = try take(
      [leaf, middle.certificate, root.certificate], roots: [root.certificate, other.certificate])
    #expect(issued.chain == [try leaf.der(), try middle.certificate.der()])
    #expect(issued.roots == [try root.certificate.der(), try other.certificate.der()])
    #expect(issued.facts.identity == cart && issued.facts.serialNumber == "708")
    // A certificate's times are whole seconds.
    #expect(abs(issued.facts.notAfter.secondsSinceEpoch - good.to.timeIntervalSince1970) <= 1)
  }

  @Test func `is refused for another identity, for two, for none`() throws {
    for names in [[pay.description], [cart.description, pay.description], []] {
      var leaf = good
      leaf.names = names
      #expect(try refusal(leaf) == .otherIdentity(found: names))
    }
  }

  @Test func `is refused for another key`() throws {
    var leaf = good
    leaf.key = Certificate.PublicKey(P256.Signing.PrivateKey().publicKey)
    #expect(try refusal(leaf) == .otherKey)
  }

  @Test func `is refused when it expired or is not valid yet`() throws {
    var old = good
    (old.from, old.to) = (Date(timeIntervalSinceNow: -600), Date(timeIntervalSinceNow: -300))
    guard case .expired(0, _)? = try refusal(old) else {
      Issue.record("an expired leaf")
      return
    }
    var early = good
    early.from = Date(timeIntervalSinceNow: 300)
    guard case .notYetValid(0, _)? = try refusal(early) else {
      Issue.record("an early leaf")
      return
    }
    let middle = try Root(
      "middle", under: root, from: Date(timeIntervalSinceNow: -600),
      to: Date(timeIntervalSinceNow: -300))
    let leaf = try good.signed(by: middle)
    let error = #expect(throws: AnswerError.self) { try take([leaf, middle.certificate]) }
    guard case .expired(1, _)? = error else {
      Issue.record("an expired intermediate")
      return
    }
  }

  @Test func `is refused when no chain leads to the roots beside it`() throws {
    let leaf = try good.signed(by: root)
    let other = try Root("other")
    #expect(throws: AnswerError.noWayToRoot(roots: 1)) {
      try take([leaf], roots: [other.certificate])
    }
    // A root of the same name with another key.
    let twin = try Root("root")
    #expect(throws: AnswerError.noWayToRoot(roots: 1)) {
      try take([leaf], roots: [twin.certificate])
    }
    // Signed by something that may not sign.
    let impostor = try Root("impostor", under: root, isAuthority: false)
    let forged = try good.signed(by: impostor)
    #expect(throws: AnswerError.noWayToRoot(roots: 1)) {
      try take([forged, impostor.certificate])
    }
  }

  @Test func `is refused when the leaf may sign, or serve one end only`() throws {
    var authority = good
    authority.isAuthority = true
    #expect(try refusal(authority) == .wrongUsage)
    var client = good
    client.usages = [.clientAuth]
    #expect(try refusal(client) == .wrongUsage)
  }

  @Test func `is refused when it is empty, or no certificate at all`() throws {
    let leaf = try pem(good.signed(by: root))
    let trusted = try pem(root.certificate)
    func answer(_ chain: [String], _ roots: String) throws -> IssuedChain {
      try IssuedChain(answer: chain, roots: roots, to: request, for: cart, now: .now)
    }
    #expect(throws: AnswerError.empty) { try answer([], trusted) }
    #expect(throws: AnswerError.empty) { try answer([""], trusted) }
    #expect(throws: AnswerError.noRoot) { try answer([leaf], "roots") }
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    #expect(throws: AnswerError.notCertificate(position: 0)) { try answer([garbage], trusted) }
    #expect(throws: AnswerError.notCertificate(position: 1)) {
      try answer([leaf, garbage], trusted)
    }
    #expect(throws: AnswerError.noRoot) { try answer([leaf], garbage) }
    #expect(throws: AnswerError.tooManyCertificates(count: 17)) {
      try answer([String](repeating: leaf, count: 100), trusted)
    }
    #expect(throws: AnswerError.notTheRequest) {
      try IssuedChain(answer: [leaf], roots: trusted, to: [1], for: cart, now: .now)
    }
  }

  @Test func `is refused when a key of its chain is weak`() throws {
    // Made by: openssl req -x509 -newkey rsa:1024 -nodes -days 36500 -subj /CN=weak -sha256
    let leaf = try pem(good.signed(by: root))
    let trusted = try pem(root.certificate)
    func take(beside other: String) throws -> IssuedChain {
      try IssuedChain(
        answer: [leaf, other], roots: trusted, to: request, for: cart, now: .now)
    }
    #expect(throws: AnswerError.notCertificate(position: 1)) {
      try take(beside: WeakAuthority.certificate)
    }
    #expect(try take(beside: WeakAuthority.strongCertificate).chain.count == 1)
  }

  @Test func `says what is wrong in words`() {
    #expect(
      AnswerError.otherIdentity(found: [pay.description]).description
        == "the certificate is for \(pay)")
    #expect(AnswerError.noWayToRoot(roots: 2).description.contains("one of the 2 roots"))
  }

  @Test func `follows a request in PEM`() throws {
    let text = pemText(ofRequest: request)
    #expect(text.hasPrefix("-----BEGIN CERTIFICATE REQUEST-----\n"))
    #expect(try PEMDocument(pemString: text).derBytes == request)
  }
}
