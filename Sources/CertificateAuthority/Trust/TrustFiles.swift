import FoundationEssentials
import SwiftASN1
import X509

/// Reads what operators put into files about whom to trust; never from where.
public enum TrustFiles {
  /// The lists of a file: PEM, several blocks, other kinds passed over; or one list in DER.
  ///
  /// An empty file takes nothing back. One that holds something, but no list, is refused: it is not
  /// what it should be.
  public static func revocationLists(
    in bytes: [UInt8]
  ) throws(TrustFileError) -> [RevocationList] {
    if bytes.allSatisfy({ " \t\r\n".utf8.contains($0) }) { return [] }
    guard bytes.count <= TrustFileLimit.revocationBytes else { throw .tooLarge(bytes.count) }
    guard let blocks = try pemBlocks(in: bytes) else { return [try list(bytes, index: 0)] }
    let lists = blocks.filter { $0.discriminator == "X509 CRL" }
    guard !lists.isEmpty else { throw .noList(found: blocks.map(\.discriminator)) }
    guard lists.count <= TrustFileLimit.lists else { throw .tooManyLists(lists.count) }
    var found: [RevocationList] = []
    for (index, block) in lists.enumerated() {
      found.append(try list(block.derBytes, index: index))
    }
    return found
  }

  /// The same, and the issuers among them whose signature nobody here can check.
  ///
  /// A list that says it is of an authority at hand, and is not signed by it, spoils the file.
  public static func revocationLists(
    in bytes: [UInt8], checkedWith authorities: [[UInt8]]
  ) throws(TrustFileError) -> (lists: [RevocationList], unknownIssuers: [String]) {
    let lists = try revocationLists(in: bytes)
    var unknown: Set<String> = []
    for list in lists {
      switch list.standing(among: authorities) {
      case .signed: break
      case .issuerUnknown: unknown.insert(list.issuer)
      case .badSignature: throw .forged(issuer: list.issuer)
      }
    }
    return (lists, unknown.sorted())
  }

  /// The roots of a trust bundle: self-signed certificates, PEM; at least one.
  public static func roots(in bytes: [UInt8]) throws(TrustFileError) -> [[UInt8]] {
    guard bytes.count <= TrustFileLimit.bundleBytes else { throw .tooLarge(bytes.count) }
    let blocks = try pemBlocks(in: bytes) ?? []
    let found = blocks.filter { $0.discriminator == "CERTIFICATE" }
    guard !found.isEmpty else { throw .noRoot }
    guard found.count <= TrustFileLimit.roots else { throw .tooManyRoots(found.count) }
    var roots: [[UInt8]] = []
    for (index, block) in found.enumerated() {
      let certificate: Certificate
      do {
        certificate = try Certificate(derEncoded: block.derBytes)
      } catch {
        throw .notCertificate(index: index, reason: "\(error)")
      }
      guard certificate.isSelfSigned, certificate.mayIssue else { throw .notRoot(index: index) }
      roots.append(block.derBytes)
    }
    return roots
  }

  private static func list(
    _ der: [UInt8], index: Int
  ) throws(TrustFileError) -> RevocationList {
    do throws(RevocationListError) {
      return try RevocationList(der: der)
    } catch {
      throw .notRevocationList(index: index, error)
    }
  }

  /// Nil when there is no block at all.
  private static func pemBlocks(in bytes: [UInt8]) throws(TrustFileError) -> [PEMDocument]? {
    let text = String(decoding: bytes, as: UTF8.self)
    guard text.contains("-----BEGIN ") else { return nil }
    do {
      return try PEMDocument.parseMultiple(pemString: text)
    } catch {
      throw .notPEM(reason: "\(error)")
    }
  }
}

public enum TrustFileLimit {
  /// What a ConfigMap holds at most, four times; some hundred thousand entries.
  public static let revocationBytes = 4 * 1_024 * 1_024
  public static let lists = 64
  public static let bundleBytes = 1_024 * 1_024
  public static let roots = 64
}

/// Why a file says nothing about trust; the last good one stays in force.
public enum TrustFileError: Error, Hashable, Sendable {
  case tooLarge(Int)
  case notPEM(reason: String)
  case noList(found: [String])
  case tooManyLists(Int)
  case notRevocationList(index: Int, RevocationListError)
  case forged(issuer: String)
  case noRoot
  case tooManyRoots(Int)
  case notCertificate(index: Int, reason: String)
  case notRoot(index: Int)
}

extension TrustFileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooLarge(let count): "\(count) bytes are more than is read"
    case .notPEM(let reason): "a PEM block is broken: \(reason)"
    case .noList(let found):
      "expected -----BEGIN X509 CRL-----, found only \(found.joined(separator: ", "))"
    case .tooManyLists(let count):
      "\(count) revocation lists, expected at most \(TrustFileLimit.lists)"
    case .notRevocationList(let index, let error): "revocation list \(index): \(error)"
    case .forged(let issuer): "the list of \(issuer) is not signed by it"
    case .noRoot: "expected -----BEGIN CERTIFICATE-----, found none"
    case .tooManyRoots(let count): "\(count) roots, expected at most \(TrustFileLimit.roots)"
    case .notCertificate(let index, let reason): "certificate \(index) cannot be read: \(reason)"
    case .notRoot(let index):
      "certificate \(index) is no root: expected self-signed ones that may sign others"
    }
  }
}
