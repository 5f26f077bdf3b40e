public import Identity
public import MeshModel
import SwiftASN1
import X509

/// The authority that names workloads, kept in a directory that two node agents may share.
///
///     ca.crt          the issuing certificate, then any more up to its root; PEM
///     ca.key          its key, mode 0600; PEM
///     roots/*.crt     more roots to trust: the other one during a root change; PEM
///
/// Or as Istio's `cacerts` secret has it: ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem;
/// then nothing is ever made. Files may be links, as in a mounted secret. What is kept elsewhere
/// than in a directory comes as `AuthorityTexts`.
///
/// In: a signing request and the identity the caller has proven. Out: a chain and every trusted
/// root. Never here: who may have which identity, a clock, a workload's key.
public struct CertificateAuthority: Sendable {
  /// Nil when its texts come from elsewhere.
  private let directory: String?
  public let trustDomain: String
  /// Every root to trust, DER: those beside the certificate, then those in a place of their own.
  public private(set) var roots: [[UInt8]]
  private var files: AuthorityFiles
  private(set) var issuer: Issuer

  /// Opens the authority in `directory`; makes directory, key and a ten-year root when there are none.
  ///
  /// Safe to run twice at once on one directory: both end with the same key and root.
  public init(directory: String, trustDomain: String, now: WallTime) throws(AuthorityError) {
    try AuthorityFiles.create(in: directory, trustDomain: trustDomain, now: now)
    let (files, issuer) = try Self.read(directory, now: now)
    self.directory = directory
    self.trustDomain = trustDomain
    self.files = files
    self.issuer = issuer
    roots = issuer.roots
  }

  /// The authority of these texts.
  public init(
    _ texts: AuthorityTexts, trustDomain: String, now: WallTime
  ) throws(AuthorityError) {
    files = try AuthorityFiles(texts)
    issuer = try Issuer(files, now: now)
    directory = nil
    self.trustDomain = trustDomain
    roots = issuer.roots
  }

  /// Takes over other texts; true when they differ.
  ///
  /// An error leaves the last good authority in force.
  public mutating func replace(
    with texts: AuthorityTexts, now: WallTime
  ) throws(AuthorityError) -> Bool {
    let next = try AuthorityFiles(texts)
    if next == files { return false }
    issuer = try Issuer(next, now: now)
    files = next
    roots = issuer.roots
    return true
  }

  /// Takes over what changed on disk; true when something did.
  ///
  /// An error leaves the last good authority in force, and comes again until the files are good.
  public mutating func reloadIfChanged(now: WallTime) throws(AuthorityError) -> Bool {
    guard let directory else { return false }
    if try AuthorityFiles(reading: directory) == files { return false }
    (files, issuer) = try Self.read(directory, now: now)
    roots = issuer.roots
    return true
  }

  /// Reads again when the files changed under our eyes: certificate and key change together.
  private static func read(
    _ directory: String, now: WallTime
  ) throws(AuthorityError) -> (AuthorityFiles, Issuer) {
    var files = try AuthorityFiles(reading: directory)
    for _ in 1..<AuthorityLimit.readings {
      do throws(AuthorityError) {
        return (files, try Issuer(files, now: now))
      } catch {
        let again = try AuthorityFiles(reading: directory)
        if again == files { throw error }
        files = again
      }
    }
    return (files, try Issuer(files, now: now))
  }

  /// Whose signatures on revocation lists can be checked here, DER.
  public var authorities: [[UInt8]] { roots + issuer.intermediates }

  /// When the issuing certificate expires: nothing signed lives longer.
  public var notAfter: WallTime { issuer.notAfter }

  /// Signs a PKCS #10 request for `identity`, whatever name the request asks for.
  ///
  /// The request's signature is checked: it proves that the asker holds the key.
  public func sign(
    _ request: [UInt8], for identity: SPIFFEID, lifetime: Duration = AuthorityLimit.leafLifetime,
    now: WallTime
  ) throws(SigningError) -> IssuedChain {
    // Whoever trusts our roots trusts them for our own domain only.
    guard identity.trustDomain == trustDomain else {
      throw .otherTrustDomain(own: trustDomain, identity)
    }
    return try issuer.sign(request, for: identity, lifetime: lifetime, now: now)
  }
}

/// What a signing request is answered with.
public struct IssuedChain: Hashable, Sendable {
  /// Leaf first, then intermediates, never a root; DER.
  public var chain: [[UInt8]]
  /// Every root to trust now; DER.
  public var roots: [[UInt8]]
  public var facts: CertificateFacts
}

public enum AuthorityLimit {
  /// When the asker names no lifetime.
  public static let leafLifetime = Duration.seconds(24 * 3_600)
  public static let shortestLeafLifetime = Duration.seconds(10)
  /// Source: ambient-protocol.md, 6.1.
  public static let longestLeafLifetime = Duration.seconds(90 * 86_400)
  /// A leaf begins this long before it is signed, for clocks that are behind.
  public static let leafBackdating = Duration.seconds(120)
  static let rootLifetime = Duration.seconds(3_653 * 86_400)
  static let rootBackdating = Duration.seconds(3_600)
  static let bytesPerFile = 256 * 1024
  static let bytesPerRequest = 16 * 1024
  static let roots = 64
  /// What peers accept between a leaf and its root, the issuing certificate included.
  static let intermediates = 4
  /// Attempts at files that somebody is just replacing.
  static let readings = 3
  static let serialNumberBytes = 16
  /// Of the chain in another authority's answer, its leaf included.
  static let certificatesPerAnswer = 16
}
