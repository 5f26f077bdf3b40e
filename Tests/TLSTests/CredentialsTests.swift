import FoundationEssentials
import Identity
import MeshModel
import SwiftASN1
import Testing
import X509

@testable import TLS

@Suite struct `Credentials are put together from what fits` {
  let authority: TestAuthority
  let key: PrivateKey
  let leaf: [UInt8]

  init() throws {
    authority = try TestAuthority(named: "root")
    key = try PrivateKey()
    leaf = try authority.leaf(for: publicKey(of: key), .init(Name.alice))
  }

  private func error(chain: [[UInt8]], roots: [[UInt8]]) -> CredentialsError? {
    do throws(CredentialsError) {
      _ = try Credentials(key: key, chain: chain, roots: roots)
      return nil
    } catch {
      return error
    }
  }

  @Test func `their facts are the leaf's`() throws {
    let credentials = try Credentials(key: key, chain: [leaf], roots: [authority.der])
    let parsed = try Certificate(derEncoded: leaf)
    let serial = parsed.serialNumber.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    #expect(credentials.identity == id(Name.alice))
    #expect(credentials.facts.serialNumber == String(serial.joined().drop { $0 == "0" }))
    #expect(
      credentials.facts.notAfter.secondsSinceEpoch == parsed.notValidAfter.timeIntervalSince1970)
    #expect(
      credentials.facts.notBefore.secondsSinceEpoch == parsed.notValidBefore.timeIntervalSince1970)
    #expect(credentials.rootCount == 1)
  }

  @Test func `what does not fit is named`() throws {
    let root = try authority.der
    let others = try authority.leaf(for: publicKey(of: try PrivateKey()), .init(Name.alice))
    #expect(error(chain: [], roots: [root]) == .emptyChain)
    #expect(error(chain: [leaf], roots: []) == .noRoots)
    #expect(error(chain: [[1, 2, 3]], roots: [root]) == .unreadableCertificate(index: 0))
    #expect(error(chain: [leaf + [0]], roots: [root]) == .unreadableCertificate(index: 0))
    #expect(error(chain: [leaf, []], roots: [root]) == .unreadableCertificate(index: 1))
    #expect(error(chain: [leaf], roots: [root, [9]]) == .unreadableRoot(index: 1))
    #expect(error(chain: [others], roots: [root]) == .keyMismatch(id(Name.alice)))
    #expect(
      error(chain: [leaf] + [[UInt8]](repeating: root, count: 9), roots: [root])
        == .chainTooLong(10))
    #expect(error(chain: [leaf], roots: [[UInt8]](repeating: root, count: 65)) == .tooManyRoots(65))
  }

  @Test func `the same root twice is one root`() throws {
    let root = try authority.der
    #expect(error(chain: [leaf], roots: [root, root]) == nil)
  }

  @Test func `a request holds one critical URI, no subject and proves its key`() throws {
    let bytes = try key.signingRequest(for: id(Name.alice))
    let request = try CertificateSigningRequest(derEncoded: bytes)
    #expect(request.subject.isEmpty)
    #expect(request.publicKey.isValidSignature(request.signature, for: request))
    #expect(request.signatureAlgorithm == .ecdsaWithSHA256)
    let extensions = try #require(try request.attributes.extensionRequest?.extensions)
    #expect(extensions.count == 1)
    let names = try #require(extensions[oid: .X509ExtensionID.subjectAlternativeName])
    #expect(names.critical)
    #expect(
      Array(try SubjectAlternativeNames(names)) == [.uniformResourceIdentifier(Name.alice)])
  }
}

@Suite struct `A certificate that peers would refuse is found out before it is used` {
  let root: TestAuthority
  let key: PrivateKey
  let now = WallTime(secondsSinceEpoch: Date().timeIntervalSince1970)

  init() throws {
    root = try TestAuthority(named: "root")
    key = try PrivateKey()
  }

  private func fault(
    _ authority: TestAuthority, _ wish: TestAuthority.Wish = .init(Name.alice),
    intermediates: [[UInt8]] = [], roots: [[UInt8]]? = nil
  ) throws -> CredentialsError? {
    let leaf = try authority.leaf(for: publicKey(of: key), wish)
    let credentials = try Credentials(
      key: key, chain: [leaf] + intermediates, roots: roots ?? [root.der])
    do throws(CredentialsError) {
      try credentials.inspect(at: now)
      return nil
    } catch {
      return error
    }
  }

  @Test func `a good one passes, also of an RSA root and of an intermediate`() throws {
    #expect(try fault(root) == nil)
    let rsa = try TestAuthority(named: "rsa", rsa: true)
    #expect(try fault(rsa, roots: [rsa.der]) == nil)
    let middle = try TestAuthority(named: "middle", under: root)
    #expect(try fault(middle, intermediates: [middle.der]) == nil)
  }

  @Test func `one that leads to no root`() throws {
    let stranger = try TestAuthority(named: "stranger")
    guard case .invalidChain(place: 0, _)? = try fault(stranger) else {
      Issue.record("expected the chain to be refused")
      return
    }
    let middle = try TestAuthority(named: "middle", under: root)
    #expect(try fault(middle) != nil, "without the intermediate")
  }

  @Test func `one that may sign others`() throws {
    var wish = TestAuthority.Wish(Name.alice)
    wish.isAuthority = true
    #expect(
      try fault(root, wish) == .unsuitableLeaf(reason: "it may sign others (CA:TRUE)"))
  }

  @Test(
    arguments: [nil, [.serverAuth], [.clientAuth], [.codeSigning]] as [[ExtendedKeyUsage.Usage]?])
  func `one that may not stand at both ends`(usages: [ExtendedKeyUsage.Usage]?) throws {
    var wish = TestAuthority.Wish(Name.alice)
    wish.usages = usages
    #expect(
      try fault(root, wish)
        == .unsuitableLeaf(reason: "its extended key usage lacks serverAuth or clientAuth"))
  }

  @Test func `one under an authority that has expired`() throws {
    let middle = try TestAuthority(named: "middle", under: root, isExpired: true)
    guard
      case .expiredAuthority(place: 1, _)? = try fault(middle, intermediates: [middle.der])
    else {
      Issue.record("expected the chain to be refused")
      return
    }
  }

  @Test func `one under a certificate that may not sign`() throws {
    let middle = try TestAuthority(named: "middle", under: root, mayIssue: false)
    #expect(try fault(middle, intermediates: [middle.der]) != nil)
  }
}
