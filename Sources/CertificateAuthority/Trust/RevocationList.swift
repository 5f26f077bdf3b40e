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
  private let signed: Signed
  private let issuerName: DistinguishedName
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
      thisUpdate = parts.thisUpdate
      nextUpdate = parts.nextUpdate
      keyIdentifier = parts.keyIdentifier
      signed = Signed(
        bytes: parts.signedBytes, signature: parts.signature, algorithm: parts.algorithm)
    } catch {
      throw .notList(reason: "\(error)")
    }
  }

  /// Whether one of the certificates, DER each, signed it; one that cannot be read is passed over.
  public func standing(among authorities: [[UInt8]]) -> Standing {
    var standing = Standing.issuerUnknown
    for bytes in authorities {
      guard let authority = Certificate.reading(bytes), authority.subject == issuerName else {
        continue
      }
      if let keyIdentifier, Array(authority.ownKeyIdentifier) != keyIdentifier { continue }
      guard let algorithm = Self.algorithms[signed.algorithm] else { return .badSignature }
      if authority.publicKey.isValidSignature(
        signed.signature, for: signed.bytes, signatureAlgorithm: algorithm)
      {
        return .signed
      }
      standing = .badSignature
    }
    return standing
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

  var signedBytes: [UInt8]
  var signature: [UInt8]
  var algorithm: String
  var issuer: DistinguishedName
  var thisUpdate: WallTime
  var nextUpdate: WallTime?
  var entryCount = 0
  var keyIdentifier: [UInt8]?

  init(derEncoded node: ASN1Node) throws {
    var issuer: DistinguishedName?
    var updates: [WallTime] = []
    var entryCount = 0
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
            entryCount = Parts.count(part)
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
    self.entryCount = entryCount
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

  private static func count(_ node: ASN1Node) -> Int {
    guard case .constructed(let entries) = node.content else { return 0 }
    return entries.reduce(0) { count, _ in count + 1 }
  }

  /// Of the extension authorityKeyIdentifier, RFC 5280, section 5.2.1.
  private static func keyIdentifier(in node: ASN1Node) throws -> [UInt8]? {
    guard case .constructed(let children) = node.content,
      let list = children.first(where: { $0.identifier == .sequence }),
      case .constructed(let extensions) = list.content
    else { return nil }
    for one in extensions {
      let parsed = try Certificate.Extension(derEncoded: one)
      guard parsed.oid == .X509ExtensionID.authorityKeyIdentifier else { continue }
      return try AuthorityKeyIdentifier(parsed).keyIdentifier.map(Array.init)
    }
    return nil
  }
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
}

extension RevocationListError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notList(let reason): "expected an X.509 CRL: \(reason)"
    }
  }
}
