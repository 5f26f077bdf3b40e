import FoundationEssentials
import Identity
public import MeshModel
import SwiftASN1
import X509

/// What is wrong with the certificate an authority answered; none of it is taken then.
public enum AnswerError: Error, Hashable, Sendable {
  case empty
  case tooManyCertificates(count: Int)
  /// Counted from the leaf, which is 0.
  case notCertificate(position: Int)
  case noRoot
  case notTheRequest
  /// The names the leaf is for.
  case otherIdentity(found: [String])
  case otherKey
  case weak(position: Int, what: String)
  case notYetValid(position: Int, notBefore: WallTime)
  case expired(position: Int, notAfter: WallTime)
  /// The leaf may sign others, or may not be shown by both ends of a connection.
  case wrongUsage
  case noWayToRoot(roots: Int)
}

extension AnswerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .empty: "the authority's answer holds no certificate"
    case .tooManyCertificates(let count):
      "the authority's answer holds \(count) certificates, expected at most "
        + "\(AuthorityLimit.certificatesPerAnswer)"
    case .notCertificate(let position):
      "\(name(position)) cannot be read: no PEM certificate, or an RSA key of less than 2048 bits"
    case .noRoot: "the authority's answer holds no root certificate that can be read"
    case .notTheRequest: "the request itself cannot be read"
    case .otherIdentity(let found):
      found.isEmpty
        ? "the certificate is for no SPIFFE identity"
        : "the certificate is for \(found.joined(separator: ", "))"
    case .otherKey: "the certificate is for another key than the one in the request"
    case .weak(let position, let what): "\(name(position)) has \(what)"
    case .notYetValid(let position, let notBefore):
      "\(name(position)) is valid from \(Int64(notBefore.secondsSinceEpoch)) on (Unix time) only: "
        + "are both clocks right?"
    case .expired(let position, let notAfter):
      "\(name(position)) expired at \(Int64(notAfter.secondsSinceEpoch)) (Unix time)"
    case .wrongUsage: "the certificate is not one for clients and servers"
    case .noWayToRoot(let roots):
      "no chain leads from the certificate to one of the \(roots) roots beside it"
    }
  }

  private func name(_ position: Int) -> String {
    position == 0 ? "the certificate" : "certificate \(position) of the chain"
  }
}

extension IssuedChain {
  /// Looks through what an authority elsewhere answered to a request; takes it whole or not at all.
  ///
  /// - chain: PEM, the leaf first; `roots`: PEM, one or more. Roots that cannot be read are left out.
  /// - request: the PKCS #10 request that was sent, DER.
  ///
  /// Source of the shape: ambient-protocol.md, section 6.1.
  public init(
    answer chain: [String], roots: String, to request: [UInt8], for identity: SPIFFEID,
    now: WallTime
  ) throws(AnswerError) {
    let chain = try certificates(in: chain)
    guard let leaf = chain.first else { throw .empty }
    try requireName(of: leaf, identity)
    try requireKey(of: leaf, request)
    let trusted = rootCertificates(in: roots)
    guard !trusted.isEmpty else { throw .noRoot }
    for (position, certificate) in chain.enumerated() {
      try requireStrength(of: certificate, at: position)
      try requireDates(of: certificate, at: position, now)
    }
    guard leaf.isForBothEnds else { throw .wrongUsage }
    guard leaf.leads(to: trusted, through: Array(chain.dropFirst()).filter(\.mayIssue)) else {
      throw .noWayToRoot(roots: trusted.count)
    }
    do {
      self.init(
        chain: try chain.enumerated().filter { $0.offset == 0 || !$0.element.isSelfSigned }.map {
          try $0.element.der()
        },
        roots: try trusted.map { try $0.der() },
        facts: CertificateFacts(
          identity: identity,
          serialNumber: hexadecimal(leaf.serialNumber.bytes),
          notBefore: WallTime(leaf.notValidBefore), notAfter: WallTime(leaf.notValidAfter)))
    } catch {
      throw .notCertificate(position: 0)
    }
  }
}

/// A request as authorities elsewhere want it.
public func pemText(ofRequest request: [UInt8]) -> String {
  PEMDocument(type: "CERTIFICATE REQUEST", derBytes: request).pemString
}

private func certificates(in texts: [String]) throws(AnswerError) -> [Certificate] {
  var found: [Certificate] = []
  for text in texts {
    do {
      // An element may itself hold several, as bundles do.
      for document in try PEMDocument.parseMultiple(pemString: text) {
        found.append(try Certificate(pemDocument: document))
        guard found.count <= AuthorityLimit.certificatesPerAnswer else {
          throw AnswerError.tooManyCertificates(count: found.count)
        }
      }
    } catch let error as AnswerError {
      throw error
    } catch {
      throw .notCertificate(position: found.count)
    }
  }
  return found
}

private func rootCertificates(in text: String) -> [Certificate] {
  var found: [Certificate] = []
  do {
    for document in try PEMDocument.parseMultiple(pemString: text) {
      guard found.count < AuthorityLimit.roots else { break }
      do {
        found.append(try Certificate(pemDocument: document))
      } catch {
        // One that nobody here can read is one that nobody here trusts.
        continue
      }
    }
  } catch {
    // No PEM at all: no root.
    return []
  }
  return found
}

private func requireName(of leaf: Certificate, _ identity: SPIFFEID) throws(AnswerError) {
  var names: [String] = []
  do {
    for name in try leaf.extensions.subjectAlternativeNames ?? SubjectAlternativeNames([]) {
      if case .uniformResourceIdentifier(let uri) = name { names.append(uri) }
    }
  } catch {
    throw .otherIdentity(found: [])
  }
  guard names == [identity.description] else { throw .otherIdentity(found: names) }
}

private func requireKey(of leaf: Certificate, _ request: [UInt8]) throws(AnswerError) {
  let parsed: CertificateSigningRequest
  do {
    parsed = try CertificateSigningRequest(derEncoded: request)
  } catch {
    throw .notTheRequest
  }
  guard parsed.publicKey == leaf.publicKey else { throw .otherKey }
}

/// Keys that are too short are not even read.
private func requireStrength(of certificate: Certificate, at position: Int) throws(AnswerError) {
  if certificate.signatureAlgorithm == .sha1WithRSAEncryption {
    throw .weak(position: position, what: "a SHA-1 signature")
  }
}

private func requireDates(
  of certificate: Certificate, at position: Int, _ now: WallTime
) throws(AnswerError) {
  let (begin, end) = (
    WallTime(certificate.notValidBefore), WallTime(certificate.notValidAfter)
  )
  if now < begin { throw .notYetValid(position: position, notBefore: begin) }
  if end < now { throw .expired(position: position, notAfter: end) }
}

extension Certificate {
  /// A leaf that both a client and a server may show.
  fileprivate var isForBothEnds: Bool {
    do {
      if case .isCertificateAuthority = try extensions.basicConstraints { return false }
      guard let usage = try extensions.extendedKeyUsage else { return true }
      if usage.contains(.any) { return true }
      return usage.contains(.serverAuth) && usage.contains(.clientAuth)
    } catch {
      // What cannot be read here is refused by peers.
      return false
    }
  }
}

/// Lower case, without leading zeros.
private func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
  let text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  return String(text.drop { $0 == "0" })
}
