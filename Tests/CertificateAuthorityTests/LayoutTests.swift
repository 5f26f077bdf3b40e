import Crypto
import FoundationEssentials
import Linux
import MeshModel
import SwiftASN1
import Testing
import X509

@testable import CertificateAuthority

private let cart = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "cart")

@Suite struct `The authority reads what others put there` {
  let directory = Directory()
  let root: Root
  let intermediate: Root

  init() throws {
    root = try Root("root")
    intermediate = try Root("intermediate", under: root)
  }

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

  /// As Istio's `cacerts`: the chain file repeats the issuing certificate and holds the root too.
  private func putIstio() throws {
    try directory.write(intermediate.keyPEM, to: "ca-key.pem")
    try directory.write(intermediate.certificatePEM, to: "ca-cert.pem", mode: 0o644)
    try directory.write(
      intermediate.certificatePEM + "\n" + root.certificatePEM, to: "cert-chain.pem", mode: 0o644)
    try directory.write(root.certificatePEM, to: "root-cert.pem", mode: 0o644)
  }

  /// A leaf and what is sent with it.
  private func issue(_ authority: CertificateAuthority) throws -> [[UInt8]] {
    let request = try CertificateSigningRequest(
      version: .v1, subject: DistinguishedName(),
      privateKey: Certificate.PrivateKey(P256.Signing.PrivateKey()),
      attributes: CertificateSigningRequest.Attributes())
    var serializer = DER.Serializer()
    try serializer.serialize(request)
    return try authority.sign(serializer.serializedBytes, for: cart, now: .now).chain
  }

  @Test func `Istio's cacerts: the intermediate is sent once, the root file is trusted`() throws {
    try putIstio()
    let authority = try open()
    #expect(try authority.roots == [root.der])
    #expect(try issue(authority).dropFirst() == [intermediate.der])
  }

  @Test func `Istio's cacerts without a chain file`() throws {
    try putIstio()
    try directory.remove("cert-chain.pem")
    #expect(try issue(open()).dropFirst() == [intermediate.der])
  }

  @Test func `only root-cert.pem is trusted there, not a root of the chain`() throws {
    try putIstio()
    try directory.write(try Root("other").certificatePEM, to: "root-cert.pem")
    let path = directory.path
    #expect(
      error { _ = try open() }
        == .noRoot(certificate: "\(path)/ca-cert.pem", roots: "\(path)/root-cert.pem"))
  }

  @Test func `nothing is made among Istio's files`() throws {
    try putIstio()
    try directory.remove("ca-key.pem")
    #expect(error { _ = try open() } != nil)
    #expect(try directory.names == ["ca-cert.pem", "cert-chain.pem", "root-cert.pem"])
  }

  @Test func `both layouts at once are refused`() throws {
    _ = try open()
    try putIstio()
    #expect(error { _ = try open() } == .twoLayouts(directory: directory.path))
  }

  @Test func `more intermediates than peers accept are refused`() throws {
    var chain = [root]
    for number in 1...5 { chain.append(try Root("middle \(number)", under: chain[number - 1])) }
    try directory.write(chain[5].keyPEM, to: "ca-key.pem")
    try directory.write(chain[5].certificatePEM, to: "ca-cert.pem")
    let above = try chain[1...4].reversed().map { try $0.certificatePEM }
    try directory.write(above.joined(separator: "\n"), to: "cert-chain.pem")
    try directory.write(root.certificatePEM, to: "root-cert.pem")
    #expect(
      error { _ = try open() }
        == .chainTooLong(path: "\(directory.path)/cert-chain.pem", count: 5))
  }

  // MARK: Mounted secrets

  /// As the kubelet mounts a secret: every file a link through `..data`, which is swapped whole.
  private func mount(_ version: String, mode: Int) throws {
    let files = FileManager.default
    for name in ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"] {
      let text = try directory.text(name)
      try directory.write(text, to: "..\(version)/\(name)", mode: mode)
      try directory.remove(name)
      try files.createSymbolicLink(
        atPath: "\(directory.path)/\(name)", withDestinationPath: "..data/\(name)")
    }
    try files.createSymbolicLink(
      atPath: "\(directory.path)/..data", withDestinationPath: "..\(version)")
  }

  @Test(arguments: [0o400, 0o440, 0o600])
  func `a mounted secret is a link, read for what it leads to`(mode: Int) throws {
    try putIstio()
    try mount("2026_11_21", mode: mode)
    #expect(try issue(open()).dropFirst() == [intermediate.der])
  }

  @Test(arguments: [0o444, 0o644, 0o460])
  func `a mounted key others can reach is refused, with the remedy`(mode: Int) throws {
    try putIstio()
    try mount("2026_11_21", mode: mode)
    let found = error { _ = try open() }
    #expect(found == .volumeKeyTooOpen(path: "\(directory.path)/ca-key.pem", mode: mode))
    #expect(found?.description.contains("defaultMode: 0400") == true)
  }

  @Test func `a link to a key outside a volume must be as closed as a file`() throws {
    _ = try open()
    let key = try directory.text("ca.key")
    try directory.write(key, to: "elsewhere/key", mode: 0o640)
    try directory.remove("ca.key")
    try FileManager.default.createSymbolicLink(
      atPath: "\(directory.path)/ca.key", withDestinationPath: "elsewhere/key")
    #expect(
      error { _ = try open() } == .keyTooOpen(path: "\(directory.path)/ca.key", mode: 0o640))
    try directory.write(key, to: "elsewhere/key")
    #expect(error { _ = try open() } == nil)
  }

  // MARK: Keys

  struct KeyForm: CustomTestStringConvertible, Sendable {
    var says: String
    var make: String
    var isAccepted = true
    var testDescription: String { says }
  }

  /// The exit code.
  private func run(_ words: String) throws -> Int32? {
    let process = try ChildProcess(
      path: "/usr/bin/openssl", arguments: words.split(separator: " ").map(String.init),
      environment: []
    ).spawn()
    guard case .exited(let code) = try process.wait() else { return nil }
    return code
  }

  @Test(arguments: [
    KeyForm(
      says: "P-256, PKCS #8",
      make: "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY"),
    KeyForm(
      says: "P-256, SEC 1 after its parameters",
      make: "ecparam -name prime256v1 -genkey -out KEY"),
    KeyForm(
      says: "P-384, SEC 1", make: "ecparam -name secp384r1 -genkey -noout -out KEY"),
    KeyForm(says: "RSA, PKCS #8", make: "genrsa -out KEY 2048"),
    KeyForm(says: "RSA, PKCS #1", make: "genrsa -traditional -out KEY 2048"),
    KeyForm(says: "RSA of 4096 bits", make: "genrsa -out KEY 4096"),
    KeyForm(
      says: "RSA of 1024 bits", make: "genrsa -out KEY 1024", isAccepted: false),
    KeyForm(
      says: "P-521", make: "ecparam -name secp521r1 -genkey -noout -out KEY",
      isAccepted: false),
    KeyForm(
      says: "Ed25519", make: "genpkey -algorithm ED25519 -out KEY", isAccepted: false),
    KeyForm(
      says: "an encrypted key",
      make: "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes128 -pass pass:x "
        + "-out KEY", isAccepted: false),
  ])
  func `a key as openssl writes it`(row: KeyForm) throws {
    try directory.write("", to: "ca.key")
    let key = "\(directory.path)/ca.key"
    #expect(try run(row.make.replacing("KEY", with: key)) == 0)
    let made = try run(
      "req -x509 -key \(key) -passin pass:x -subj /CN=root -days 2 -out \(directory.path)/ca.crt "
        + "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign")
    #expect(made == 0)
    guard row.isAccepted else {
      guard case .notKey? = error({ _ = try open() }) else {
        Issue.record("expected the key to be refused")
        return
      }
      return
    }
    let authority = try open()
    let leaf = try Certificate(derEncoded: issue(authority)[0])
    #expect(try leaf.isSigned(by: Certificate(derEncoded: authority.roots[0])))
  }
}
