import COpenSSL
public import Identity
public import MeshModel

/// What one workload proves itself with and trusts: key, chain and roots, shared by its sessions.
///
/// New sessions take the newest value; a live session keeps the one it began with.
///
/// Safe because OpenSSL counts the context's owners atomically and nothing changes it after init.
@safe public final class Credentials: Sendable {
  public let facts: CertificateFacts
  let roots: TrustBundle
  nonisolated(unsafe) let context: OpaquePointer

  public var identity: SPIFFEID { facts.identity }
  public var rootCount: Int { roots.rootCount }

  /// Puts together what the authority answered with the key that asked.
  ///
  /// The chain is leaf first, then intermediates, DER each. Roots are all that may be trusted, DER
  /// each; an unreadable one is an error, not a gap. The verification time stands in for the clock
  /// in tests.
  public init(
    key: PrivateKey, chain: [[UInt8]], roots: [[UInt8]], verificationTime: WallTime? = nil
  ) throws(CredentialsError) {
    guard let first = chain.first else { throw .emptyChain }
    guard chain.count <= TLSLimit.intermediates + 1 else { throw .chainTooLong(chain.count) }
    guard let leaf = ParsedCertificate(der: first) else { throw .unreadableCertificate(index: 0) }
    guard let facts = leaf.facts else { throw .noIdentity(found: leaf.uris) }
    self.roots = try TrustBundle(roots: roots)
    guard Library.isReady,
      let context = unsafe SSL_CTX_new_ex(nil, Library.preference, TLS_method())
    else {
      throw .library(reason: Library.takeReason())
    }
    self.facts = facts
    unsafe self.context = context
    // From here on deinit frees the context, also when an error is thrown.
    try configure()
    try install(key, leaf, intermediates: chain.dropFirst())
    try trustRoots(at: verificationTime)
  }

  deinit { unsafe SSL_CTX_free(context) }

  private func install(
    _ key: PrivateKey, _ leaf: borrowing ParsedCertificate, intermediates: ArraySlice<[UInt8]>
  ) throws(CredentialsError) {
    guard unsafe SSL_CTX_use_certificate(context, leaf.pointer) == 1 else {
      throw .library(reason: Library.takeReason())
    }
    guard unsafe SSL_CTX_use_PrivateKey(context, key.pointer) == 1,
      unsafe SSL_CTX_check_private_key(context) == 1
    else {
      ERR_clear_error()
      throw .keyMismatch(facts.identity)
    }
    for (index, bytes) in zip(intermediates.indices, intermediates) {
      guard let certificate = ParsedCertificate(der: bytes) else {
        throw .unreadableCertificate(index: index)
      }
      guard unsafe copenssl_add_chain_certificate(context, certificate.pointer) == 1 else {
        throw .library(reason: Library.takeReason())
      }
    }
  }

  private func trustRoots(at time: WallTime?) throws(CredentialsError) {
    guard let store = unsafe SSL_CTX_get_cert_store(context),
      let parameters = unsafe SSL_CTX_get0_param(context)
    else { throw .library(reason: Library.takeReason()) }
    guard unsafe roots.fill(store) else { throw .library(reason: Library.takeReason()) }
    unsafe X509_VERIFY_PARAM_set_depth(parameters, CInt(TLSLimit.intermediates))
    if let time {
      unsafe X509_VERIFY_PARAM_set_time(parameters, Int(time.secondsSinceEpoch))
    }
  }
}

/// Why a certificate the authority sent cannot be used.
public enum CredentialsError: Error, Hashable, Sendable {
  case emptyChain
  case chainTooLong(Int)
  case unreadableCertificate(index: Int)
  case noIdentity(found: [String])
  /// The certificate was made for another key: it answers a request we no longer hold.
  case keyMismatch(SPIFFEID)
  case noRoots
  case tooManyRoots(Int)
  case unreadableRoot(index: Int)
  /// Peers would refuse the leaf.
  case unsuitableLeaf(reason: String)
  /// Peers would refuse the chain, for the certificate so many above the leaf, in OpenSSL's words.
  case invalidChain(place: Int, reason: String)
  case expiredAuthority(place: Int, notAfter: WallTime)
  case library(reason: String)
}

extension CredentialsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .emptyChain: "the authority sent no certificate"
    case .chainTooLong(let count):
      "the chain has \(count) certificates, at most \(TLSLimit.intermediates + 1) are expected"
    case .unreadableCertificate(let index):
      "certificate \(index) of the chain is not one DER X.509 certificate"
    case .noIdentity(let found):
      "the leaf has no SPIFFE identity, only [\(found.joined(separator: ", "))]"
    case .keyMismatch(let identity): "the certificate of \(identity) is not for the key at hand"
    case .noRoots: "the authority sent no root"
    case .tooManyRoots(let count):
      "the bundle has \(count) roots, at most \(TLSLimit.rootsPerBundle) are expected"
    case .unreadableRoot(let index): "root \(index) is not one DER X.509 certificate"
    case .unsuitableLeaf(let reason): "peers would refuse the leaf: \(reason)"
    case .invalidChain(0, let reason): "peers would refuse the leaf: \(reason)"
    case .invalidChain(let place, let reason):
      "peers would refuse certificate \(place) above the leaf: \(reason)"
    case .expiredAuthority(let place, let notAfter):
      "certificate \(place) above the leaf expired at \(Int64(notAfter.secondsSinceEpoch)) "
        + "(Unix time)"
    case .library(let reason): "OpenSSL failed: \(reason)"
    }
  }
}
