import FoundationEssentials
import MeshModel
import SwiftASN1
import Testing
import X509

@testable import CertificateAuthority

@Suite struct `The authority lives in a directory` {
  let directory = Directory()

  private func open() throws -> CertificateAuthority {
    try CertificateAuthority(directory: directory.path, trustDomain: "cluster.local", now: .now)
  }

  private func error(_ body: () throws -> Void) -> AuthorityError? {
    do {
      try body()
      return nil
    } catch {
      return error as? AuthorityError
    }
  }

  @Test func `the first opening makes a key only its owner can read, and a ten-year root`() throws {
    let authority = try open()
    #expect(try directory.names == ["ca.crt", "ca.key"])
    #expect(try directory.mode("ca.key") == 0o600)
    #expect(authority.roots.count == 1)
    let root = try Certificate(derEncoded: authority.roots[0])
    #expect(root.isSelfSigned)
    #expect(root.mayIssue)
    let years = root.notValidAfter.timeIntervalSince(root.notValidBefore) / 86_400 / 365.25
    #expect(years > 9.99 && years < 10.01)
  }

  @Test func `the next opening finds the same`() throws {
    let first = try open()
    let second = try open()
    #expect(first.roots == second.roots)
  }

  @Test func `many that open at once share one key and one root`() async throws {
    let path = directory.path
    let roots = try await withThrowingTaskGroup(of: [[UInt8]].self) { group in
      for _ in 0..<16 {
        group.addTask {
          try CertificateAuthority(directory: path, trustDomain: "cluster.local", now: .now).roots
        }
      }
      return try await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(roots.count == 1)
    #expect(try directory.names == ["ca.crt", "ca.key"])
  }

  @Test func `a start that stopped between key and root is mended by the next`() throws {
    let before = try open()
    try directory.remove("ca.crt")
    let after = try open()
    #expect(after.roots != before.roots)
    #expect(after.roots.count == 1)
  }

  @Test(arguments: [0o644, 0o640, 0o602, 0o777])
  func `a key that others can reach is refused, with the remedy`(mode: Int) throws {
    _ = try open()
    let key = "\(directory.path)/ca.key"
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: key)
    let found = error { _ = try open() }
    #expect(found == .keyTooOpen(path: key, mode: mode))
    #expect(found?.description.hasSuffix("chmod 600 \(key)") == true)
  }

  @Test func `a certificate without its key is not overwritten`() throws {
    _ = try open()
    try directory.remove("ca.key")
    let path = directory.path
    #expect(
      error { _ = try open() }
        == .certificateWithoutKey(certificate: "\(path)/ca.crt", key: "\(path)/ca.key"))
    #expect(try directory.names == ["ca.crt"])
  }

  @Test func `a file in the directory's place is named`() throws {
    try Data("x".utf8).write(to: URL(filePath: directory.path))
    guard case .directoryUnusable(let path, _)? = error({ _ = try open() }) else {
      Issue.record("expected the directory to be refused")
      return
    }
    #expect(path == directory.path)
  }

  struct BadFile: CustomTestStringConvertible, Sendable {
    var says: String
    var name: String
    var text: String
    var mentions: String
    var testDescription: String { says }
  }

  @Test(arguments: [
    BadFile(
      says: "an empty certificate", name: "ca.crt", text: "", mentions: "ca.crt: expected PEM"),
    BadFile(
      says: "a certificate of noise", name: "ca.crt",
      text: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      mentions: "ca.crt: expected PEM certificates"),
    BadFile(
      says: "a key of noise", name: "ca.key", text: "hello", mentions: "ca.key: expected one PEM"),
    BadFile(
      says: "a root of noise", name: "roots/old.crt", text: "hello",
      mentions: "roots/old.crt: expected PEM certificates"),
    BadFile(
      says: "a root beyond measure", name: "roots/old.crt",
      text: String(repeating: "x", count: 300_000), mentions: "300000 bytes, expected at most"),
  ])
  func `a bad file is named with what is expected, and the last good stays`(row: BadFile) throws {
    var authority = try open()
    let roots = authority.roots
    try directory.write(row.text, to: row.name)
    let found = error { _ = try authority.reloadIfChanged(now: .now) }
    #expect(found?.description.contains(row.mentions) == true, "\(String(describing: found))")
    #expect(authority.roots == roots)
  }

  @Test func `a certificate of another key is refused`() throws {
    _ = try open()
    try directory.write(try Root("other").certificatePEM, to: "ca.crt")
    let path = directory.path
    #expect(
      error { _ = try open() }
        == .notOneKeyPair(certificate: "\(path)/ca.crt", key: "\(path)/ca.key"))
  }

  private func put(_ root: Root, chain: [Root] = []) throws {
    try directory.write(root.keyPEM, to: "ca.key")
    let all = try ([root] + chain).map { try $0.certificatePEM }
    try directory.write(all.joined(separator: "\n"), to: "ca.crt")
  }

  @Test func `a certificate that may not sign is refused`() throws {
    try put(try Root("leaf", isAuthority: false))
    #expect(error { _ = try open() } == .notAuthority(path: "\(directory.path)/ca.crt"))
  }

  @Test func `an expired root is refused`() throws {
    let end = Date(timeIntervalSince1970: 1_000_000)
    try put(try Root("old", from: end - 60, to: end))
    #expect(
      error { _ = try open() }
        == .expired(
          path: "\(directory.path)/ca.crt", notAfter: WallTime(secondsSinceEpoch: 1_000_000)))
  }

  @Test func `an intermediate signs when its root is beside it, above it or in roots`() throws {
    let root = try Root("root")
    let intermediate = try Root("intermediate", under: root)
    try put(intermediate)
    let path = directory.path
    #expect(
      error { _ = try open() } == .noRoot(certificate: "\(path)/ca.crt", roots: "\(path)/roots"))
    try directory.write(root.certificatePEM, to: "roots/root.crt")
    #expect(try open().roots == [root.der])
    try directory.remove("roots/root.crt")
    try put(intermediate, chain: [root])
    #expect(try open().roots == [root.der])
  }

  @Test func `only roots belong into roots`() throws {
    let root = try Root("root")
    try put(root)
    try directory.write(try Root("middle", under: root).certificatePEM, to: "roots/middle.crt")
    #expect(error { _ = try open() } == .notRoot(path: "\(directory.path)/roots/middle.crt"))
  }

  @Test func `a root change goes by way of trusting both`() throws {
    let old = try Root("old")
    let new = try Root("new")
    try put(old)
    var authority = try open()
    #expect(try !authority.reloadIfChanged(now: .now))

    try directory.write(new.certificatePEM, to: "roots/new.crt")
    #expect(try authority.reloadIfChanged(now: .now))
    #expect(try authority.roots == [old.der, new.der])

    try directory.write(old.certificatePEM, to: "roots/old.crt")
    try directory.write(new.certificatePEM, to: "ca.crt")
    #expect(throws: AuthorityError.self) { try authority.reloadIfChanged(now: .now) }
    #expect(try authority.roots == [old.der, new.der])
    try directory.write(new.keyPEM, to: "ca.key")
    #expect(try authority.reloadIfChanged(now: .now))
    #expect(try Set(authority.roots) == [old.der, new.der])

    try directory.remove("roots/old.crt")
    #expect(try authority.reloadIfChanged(now: .now))
    #expect(try authority.roots == [new.der])
  }

  @Test func `other files in roots are passed over`() throws {
    _ = try open()
    try directory.write("notes", to: "roots/README")
    #expect(try open().roots.count == 1)
  }
}
