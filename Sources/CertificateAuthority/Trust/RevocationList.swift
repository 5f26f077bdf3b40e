public import MeshModel
import SwiftASN1
import X509

/// One X.509 revocation list (CRL), read as far as an operator wants to know about it.
///
///     CertificateList  tbsCertList | signatureAlgorithm | signature
///     tbsCertList      version | algorithm | issuer | thisUpdate | nextUpdate | revoked | extensions
///
/// Source: RFC 5280, section 5.1.
public struct RevocationList: Hashable, Sendable {
  public let der: [UInt8]
  /// The distinguished name of the authority that speaks here.
  public let issuer: String
  /// Certificates it takes back.
  public let entryCount: Int
  public let thisUpdate: WallTime
  public let nextUpdate: WallTime?
  let issuerName: DistinguishedName
  private let serialNumbers: Set<[UInt8]>
  private let signed: Signed
  private let keyIdentifier: [UInt8]?

  private struct Signed: Hashable, Sendable {
    var bytes: [UInt8]
    var signature: [UInt8]
    var algorithm: String
  }

  /// Whose signature a list bears.
  public enum Standing: Hashable, Sendable {
    case signed
    /// None of the certificates at hand is its issuer: nothing speaks for or against it.
    case issuerUnknown
    /// Its issuer is at hand, and did not sign it.
    case badSignature
  }

  public init(der: [UInt8]) throws(RevocationListError) {
    do {
      let parts = try Parts(derEncoded: der)
      self.der = der
      issuer = parts.issuer.description
      issuerName = parts.issuer
      entryCount = parts.entryCount
      serialNumbers = parts.serialNumbers
      thisUpdate = parts.thisUpdate
      nextUpdate = parts.nextUpdate
      keyIdentifier = parts.keyIdentifier
      signed = Signed(
        bytes: parts.signedBytes, signature: parts.signature, algorithm: parts.algorithm)
    } catch let error as RevocationListError {
      throw error
    } catch {
      throw .notList(reason: "\(error)")
    }
  }

  /// Whether it takes a certificate back that `issuer` signed.
  ///
  /// A list that bears another signature still counts when it says that it is of this very key: it may
  /// have been damaged on its way.
  func revokes(_ certificate: Certificate, issuedBy issuer: Certificate) -> Bool {
    guard certificate.issuer == issuerName,
      serialNumbers.contains(withoutLeadingZeros(certificate.serialNumber.bytes))
    else { return false }
    return isSigned(by: issuer)
      || keyIdentifier.map { $0 == Array(issuer.ownKeyIdentifier) } ?? false
  }

  /// Whether one of the certificates, DER each, signed it; one that cannot be read is passed over.
  public func standing(among authorities: [[UInt8]]) -> Standing {
    var standing = Standing.issuerUnknown
    for bytes in authorities {
      guard let authority = Certificate.reading(bytes), authority.subject == issuerName else {
        continue
      }
      if let keyIdentifier, Array(authority.ownKeyIdentifier) != keyIdentifier { continue }
      if isSigned(by: authority) { return .signed }
      standing = .badSignature
    }
    return standing
  }

  private func isSigned(by authority: Certificate) -> Bool {
    guard let algorithm = Self.algorithms[signed.algorithm] else { return false }
    return authority.publicKey.isValidSignature(
      signed.signature, for: signed.bytes, signatureAlgorithm: algorithm)
  }

  private static let algorithms: [String: Certificate.SignatureAlgorithm] = [
    "1.2.840.10045.4.3.2": .ecdsaWithSHA256, "1.2.840.10045.4.3.3": .ecdsaWithSHA384,
    "1.2.840.10045.4.3.4": .ecdsaWithSHA512, "1.2.840.113549.1.1.11": .sha256WithRSAEncryption,
    "1.2.840.113549.1.1.12": .sha384WithRSAEncryption,
    "1.2.840.113549.1.1.13": .sha512WithRSAEncryption,
  ]
}

extension Certificate {
  fileprivate static func reading(_ der: [UInt8]) -> Certificate? {
    do {
      return try Certificate(derEncoded: der)
    } catch {
      // Peers pass over what they cannot read as well.
      return nil
    }
  }
}

/// What the encoding holds.
private struct Parts: DERParseable {
  static let maximumVersion = 1

  /// Critical extensions whose meaning changes nothing here.
  ///
  /// The issuer's key, the number, where the list is to be had; of an entry the reason and the date.
  /// Others say that a list means less or more than it says, as one that is a difference to another.
  private static let harmless: Set<String> = [
    "2.5.29.35", "2.5.29.20", "2.5.29.28", "2.5.29.21", "2.5.29.24",
  ]

  var signedBytes: [UInt8]
  var signature: [UInt8]
  var algorithm: String
  var issuer: DistinguishedName
  var thisUpdate: WallTime
  var nextUpdate: WallTime?
  var entryCount = 0
  var serialNumbers: Set<[UInt8]> = []
  var keyIdentifier: [UInt8]?

  init(derEncoded node: ASN1Node) throws {
    var issuer: DistinguishedName?
    var updates: [WallTime] = []
    var revoked = Revoked()
    var keyIdentifier: [UInt8]?
    (signedBytes, algorithm, signature) = try DER.sequence(node, identifier: .sequence) { nodes in
      guard let list = nodes.next() else { throw ASN1Error.invalidASN1Object(reason: "empty") }
      try DER.sequence(list, identifier: .sequence) { parts in
        var ahead = parts
        if let version = ahead.next(), version.identifier == .integer {
          guard try Int(derEncoded: version) == Parts.maximumVersion else {
            throw ASN1Error.invalidASN1Object(reason: "a version other than 2")
          }
          parts = ahead
        }
        _ = try Parts.algorithm(&parts)
        guard let name = parts.next() else {
          throw ASN1Error.invalidASN1Object(reason: "no issuer")
        }
        issuer = try DistinguishedName(derEncoded: name)
        updates = try Parts.times(&parts)
        while let part = parts.next() {
          if part.identifier == .sequence {
            revoked = try Parts.revoked(in: part)
          } else {
            keyIdentifier = try Parts.keyIdentifier(in: part)
          }
        }
      }
      let algorithm = try Parts.algorithm(&nodes)
      let bits = try ASN1BitString(derEncoded: &nodes)
      guard bits.paddingBits == 0 else {
        throw ASN1Error.invalidASN1Object(reason: "a signature of no whole bytes")
      }
      return (Array(list.encodedBytes), algorithm, Array(bits.bytes))
    }
    guard let issuer, let thisUpdate = updates.first else {
      throw ASN1Error.invalidASN1Object(reason: "no issuer or no date")
    }
    self.issuer = issuer
    self.thisUpdate = thisUpdate
    nextUpdate = updates.dropFirst().first
    entryCount = revoked.count
    serialNumbers = revoked.serialNumbers
    self.keyIdentifier = keyIdentifier
  }

  private static func algorithm(_ nodes: inout ASN1NodeCollection.Iterator) throws -> String {
    guard let node = nodes.next() else { throw ASN1Error.invalidASN1Object(reason: "cut short") }
    return try DER.sequence(node, identifier: .sequence) { parts in
      let identifier = try ASN1ObjectIdentifier(derEncoded: &parts)
      while parts.next() != nil {}
      return identifier.description
    }
  }

  /// One or two.
  private static func times(_ nodes: inout ASN1NodeCollection.Iterator) throws -> [WallTime] {
    var found: [WallTime] = []
    var ahead = nodes
    while found.count < 2, let node = ahead.next() {
      switch node.identifier {
      case .utcTime:
        let time = try UTCTime(derEncoded: node)
        found.append(
          WallTime(
            year: time.year, month: time.month, day: time.day, hours: time.hours,
            minutes: time.minutes, seconds: time.seconds))
      case .generalizedTime:
        let time = try GeneralizedTime(derEncoded: node)
        found.append(
          WallTime(
            year: time.year, month: time.month, day: time.day, hours: time.hours,
            minutes: time.minutes, seconds: time.seconds))
      default: return found
      }
      nodes = ahead
    }
    return found
  }

  private struct Revoked {
    var count = 0
    var serialNumbers: Set<[UInt8]> = []
  }

  /// Entries; one whose hold was lifted takes nothing back.
  private static func revoked(in node: ASN1Node) throws -> Revoked {
    guard case .constructed(let entries) = node.content else {
      throw ASN1Error.invalidASN1Object(reason: "entries that are none")
    }
    var revoked = Revoked()
    for entry in entries {
      revoked.count += 1
      try DER.sequence(entry, identifier: .sequence) { parts in
        let serialNumber = try ArraySlice<UInt8>(derEncoded: &parts)
        _ = parts.next()
        let reasons = try parts.next().map { try Self.extensions(in: $0) } ?? []
        if !reasons.contains(where: \.isLiftedHold) {
          revoked.serialNumbers.insert(withoutLeadingZeros(serialNumber))
        }
      }
    }
    return revoked
  }

  private static func extensions(in node: ASN1Node) throws -> [Certificate.Extension] {
    guard case .constructed(let list) = node.content else {
      throw ASN1Error.invalidASN1Object(reason: "extensions that are none")
    }
    return try list.map { one in
      let parsed = try Certificate.Extension(derEncoded: one)
      guard !parsed.critical || harmless.contains(parsed.oid.description) else {
        throw RevocationListError.unknownExtension(parsed.oid.description)
      }
      return parsed
    }
  }

  /// Of the extension authorityKeyIdentifier, RFC 5280, section 5.2.1.
  private static func keyIdentifier(in node: ASN1Node) throws -> [UInt8]? {
    guard case .constructed(let children) = node.content,
      let list = children.first(where: { $0.identifier == .sequence })
    else { return nil }
    let found = try extensions(in: list).first { $0.oid == .X509ExtensionID.authorityKeyIdentifier }
    return try found.flatMap { try AuthorityKeyIdentifier($0).keyIdentifier }.map(Array.init)
  }
}

extension Certificate.Extension {
  /// `removeFromCRL` as the reason of an entry.
  ///
  /// Source: RFC 5280, section 5.3.1.
  fileprivate var isLiftedHold: Bool {
    oid.description == "2.5.29.21" && Array(value) == [0x0a, 0x01, 0x08]
  }
}

private func withoutLeadingZeros(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
  Array(bytes.drop { $0 == 0 })
}

extension WallTime {
  /// In the calendar every certificate uses.
  ///
  /// Source: days_from_civil of Howard Hinnant's chrono-compatible date algorithms.
  fileprivate init(year: Int, month: Int, day: Int, hours: Int, minutes: Int, seconds: Int) {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    self.init(
      secondsSinceEpoch: Double(days * 86_400 + hours * 3_600 + minutes * 60 + seconds))
  }
}

/// Why bytes are no revocation list.
public enum RevocationListError: Error, Hashable, Sendable {
  case notList(reason: String)
  /// Critical, and not known here: the list may mean less or more than it says.
  case unknownExtension(String)
}

extension RevocationListError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notList(let reason): "expected an X.509 CRL: \(reason)"
    case .unknownExtension(let name):
      "the critical extension \(name) is not followed here; a full list without it will do"
    }
  }
}
