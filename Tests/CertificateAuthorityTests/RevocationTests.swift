import Crypto
import SwiftASN1
import Testing
import X509

@testable import CertificateAuthority

/// A list as its bytes are laid out, DER.
private struct TestList {
  var serialNumbers: [[UInt8]] = []
  /// DER of the extensions of each entry.
  var entryExtensions: [[UInt8]] = []
  /// DER of the list's own.
  var extensions: [[UInt8]] = []

  /// Of `authority`, signed with its key or another's.
  func der(of authority: Root, signedBy signer: Root? = nil) throws -> [UInt8] {
    let algorithm = sequence([tagged(0x06, [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])])
    var name = DER.Serializer()
    try name.serialize(authority.certificate.subject)
    let entries = serialNumbers.map { number in
      sequence(
        [tagged(0x02, number), time("200101000000Z")]
          + (entryExtensions.isEmpty ? [] : [sequence(entryExtensions)]))
    }
    let body = sequence(
      [
        tagged(0x02, [1]), algorithm, name.serializedBytes, time("200101000000Z"),
        time("490101000000Z"),
      ] + (entries.isEmpty ? [] : [sequence(entries)])
        + (extensions.isEmpty ? [] : [tagged(0xa0, sequence(extensions))]))
    let key = try P256.Signing.PrivateKey(pemRepresentation: (signer ?? authority).keyPEM)
    let signature = try key.signature(for: body).derRepresentation
    return sequence([body, algorithm, tagged(0x03, [0] + signature)])
  }

  /// - identifier: the object identifier's content.
  static func critical(_ identifier: [UInt8], _ value: [UInt8]) -> [UInt8] {
    sequence([tagged(0x06, identifier), tagged(0x01, [0xff]), tagged(0x04, value)])
  }

  static let removed = sequence([
    tagged(0x06, [0x55, 0x1d, 0x15]), tagged(0x04, [0x0a, 0x01, 0x08]),
  ])
}

private func tagged(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
  let count = content.count
  let length: [UInt8] =
    count < 128
    ? [UInt8(count)]
    : count < 256 ? [0x81, UInt8(count)] : [0x82, UInt8(count >> 8), UInt8(count & 0xff)]
  return [tag] + length + content
}

private func sequence(_ parts: [[UInt8]]) -> [UInt8] { tagged(0x30, parts.flatMap(\.self)) }

private func time(_ text: String) -> [UInt8] { tagged(0x17, Array(text.utf8)) }

@Suite struct `Revocation lists take back` {
  private let root: Root
  private let middle: Root
  private let leaf: Root

  init() throws {
    root = try Root("root")
    middle = try Root("middle", under: root)
    leaf = try Root("leaf", under: middle, isAuthority: false)
  }

  private func place(_ lists: [[UInt8]]) throws -> Int? {
    let read = try lists.map { try RevocationList(der: $0) }
    return try Revocations(read).revokedPlace(in: [leaf.der, middle.der, root.der])
  }

  private func serialNumber(_ one: Root) -> [UInt8] { Array(one.certificate.serialNumber.bytes) }

  /// As an encoder writes it that keeps the number positive.
  private func encoded(_ one: Root) -> [UInt8] {
    let bytes = serialNumber(one)
    return bytes.first.map { $0 >= 0x80 } ?? false ? [0] + bytes : bytes
  }

  @Test func `what they name, and nothing else`() throws {
    #expect(try place([]) == nil)
    let other = TestList(serialNumbers: [[0x0b, 0xad]])
    #expect(try place([other.der(of: middle)]) == nil)
    let own = TestList(serialNumbers: [[0x0b, 0xad], encoded(leaf)])
    #expect(try place([own.der(of: middle)]) == 0)
    #expect(try place([other.der(of: root), own.der(of: middle)]) == 0)
  }

  @Test func `an intermediate, with all it signed`() throws {
    let list = TestList(serialNumbers: [encoded(middle)])
    #expect(try place([list.der(of: root)]) == 1)
    #expect(try place([list.der(of: middle)]) == nil, "another authority's numbers")
  }

  @Test func `nothing, when another authority signed them`() throws {
    let list = TestList(serialNumbers: [encoded(leaf)])
    #expect(try place([list.der(of: middle, signedBy: root)]) == nil)
    let namesake = try Root("middle")
    #expect(try place([list.der(of: namesake)]) == nil)
  }

  @Test func `nothing any more when a hold was lifted`() throws {
    let list = TestList(serialNumbers: [encoded(leaf)], entryExtensions: [TestList.removed])
    #expect(try place([list.der(of: middle)]) == nil)
  }

  @Test func `nothing at all when they mean more or less than they say`() throws {
    let delta = TestList.critical([0x55, 0x1d, 0x1b], [0x02, 0x01, 0x01])
    let list = TestList(serialNumbers: [encoded(leaf)], extensions: [delta])
    #expect(throws: RevocationListError.unknownExtension("2.5.29.27")) {
      try RevocationList(der: list.der(of: middle))
    }
    let indirect = TestList.critical([0x55, 0x1d, 0x1d], [0x30, 0x00])
    let entry = TestList(serialNumbers: [encoded(leaf)], entryExtensions: [indirect])
    #expect(throws: RevocationListError.unknownExtension("2.5.29.29")) {
      try RevocationList(der: entry.der(of: middle))
    }
    let place = TestList.critical([0x55, 0x1d, 0x1c], [0x30, 0x00])
    let harmless = TestList(serialNumbers: [encoded(leaf)], extensions: [place])
    #expect(try self.place([harmless.der(of: middle)]) == 0)
  }

  @Test func `a chain that cannot be read`() throws {
    let list = try RevocationList(der: TestList(serialNumbers: [[1]]).der(of: root))
    #expect(Revocations([list]).revokedPlace(in: [[1, 2, 3]]) == 0)
  }
}
