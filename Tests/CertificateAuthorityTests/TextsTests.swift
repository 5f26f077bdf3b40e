import MeshModel
import Testing

@testable import CertificateAuthority

@Suite struct `The authority in texts of somebody else` {
  private let place = "Secret skein-system/skein-ca"

  private func made() throws -> AuthorityTexts {
    try .made(place: place, trustDomain: "cluster.local", now: .now)
  }

  private func open(_ texts: AuthorityTexts) throws -> CertificateAuthority {
    try CertificateAuthority(texts, trustDomain: "cluster.local", now: .now)
  }

  private func error(_ body: () throws -> Void) -> AuthorityError? {
    do {
      try body()
      return nil
    } catch {
      return error as? AuthorityError
    }
  }

  @Test func `is made with a root that trusts itself, another each time`() throws {
    let (first, second) = (try made(), try made())
    #expect(try open(first).roots.count == 1)
    #expect(try open(first).roots != open(second).roots)
    #expect("\(first)" == place && String(reflecting: first) == place)
  }

  @Test func `an intermediate is trusted through the root beside it`() throws {
    let root = try Root("root")
    let intermediate = try Root("intermediate", under: root)
    var texts = AuthorityTexts(
      place: place, certificate: try intermediate.certificatePEM, key: try intermediate.keyPEM)
    #expect(
      error { _ = try open(texts) }
        == .noRoot(certificate: "\(place), tls.crt", roots: "\(place), ca.crt"))
    texts.roots = try root.certificatePEM
    #expect(try open(texts).roots == [root.der])
  }

  @Test func `is replaced whole, and stays when the next one is wrong`() throws {
    let (first, second) = (try made(), try made())
    var authority = try open(first)
    let isNew = try authority.replace(with: first, now: .now)
    #expect(!isNew)
    var mixed = second
    mixed.key = first.key
    #expect(
      error { _ = try authority.replace(with: mixed, now: .now) }
        == .notOneKeyPair(certificate: "\(place), tls.crt", key: "\(place), tls.key"))
    #expect(try authority.roots == open(first).roots)
    let isOther = try authority.replace(with: second, now: .now)
    #expect(try isOther && authority.roots == open(second).roots)
    mixed.roots = String(repeating: "-", count: AuthorityLimit.bytesPerFile + 1)
    #expect(
      error { _ = try authority.replace(with: mixed, now: .now) }
        == .tooLarge(path: "\(place), ca.crt", bytes: AuthorityLimit.bytesPerFile + 1))
  }
}
