import COpenSSL
public import MeshModel

extension Credentials {
  /// Looks at our own chain as peers will, but for the leaf's dates, which the caller watches.
  ///
  /// An authority that answers with what peers would refuse is found out here, while the last good
  /// certificate is still in use.
  public func inspect(at now: WallTime) throws(CredentialsError) {
    guard let leaf = unsafe SSL_CTX_get0_certificate(context) else { throw .emptyChain }
    guard unsafe !ParsedCertificate(sharing: leaf).maySign else {
      throw .unsuitableLeaf(reason: "it may sign others (CA:TRUE)")
    }
    let wanted = CUnsignedInt(XKU_SSL_SERVER | XKU_SSL_CLIENT)
    guard unsafe X509_get_extension_flags(leaf) & CUnsignedInt(EXFLAG_XKUSAGE) != 0,
      unsafe X509_get_extended_key_usage(leaf) & wanted == wanted
    else { throw .unsuitableLeaf(reason: "its extended key usage lacks serverAuth or clientAuth") }
    for purpose in [X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT] {
      try unsafe withOwnChain(purpose) { chain throws(CredentialsError) in
        for place in 1..<max(unsafe copenssl_certificates_count(chain), 1) {
          guard let pointer = unsafe copenssl_certificates_at(chain, place) else { continue }
          let certificate = unsafe ParsedCertificate(sharing: pointer)
          guard now <= certificate.notAfter else {
            throw .expiredAuthority(place: Int(place), notAfter: certificate.notAfter)
          }
        }
      }
    }
  }

  /// What revocations say against ourselves: peers with the same list refuse us.
  public func objection(under trust: Trust) -> TLSFailure? {
    do throws(CredentialsError) {
      var failure: TLSFailure?
      try unsafe withOwnChain(X509_PURPOSE_SSL_CLIENT) { chain in
        failure = unsafe trust.failure(ofChain: chain)
      }
      return failure
    } catch {
      return .invalidChain(reason: "\(error)")
    }
  }

  /// Whether a chain that was proven once, leaf first and root last, leads to a root of now.
  ///
  /// Whatever the time: a session outlives its certificates. A root that was made anew with the same
  /// key is as good as the old one, which is looked for first, as it costs next to nothing.
  func trusts(_ chain: OpaquePointer?) -> Bool {
    let count = unsafe copenssl_certificates_count(chain)
    guard count > 0, let leaf = unsafe copenssl_certificates_at(chain, 0),
      let root = unsafe copenssl_certificates_at(chain, count - 1)
    else { return false }
    if unsafe roots.contains(root) { return true }
    guard let store = unsafe X509_STORE_CTX_new() else { return false }
    defer {
      unsafe X509_STORE_CTX_free(store)
      ERR_clear_error()
    }
    guard
      unsafe X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(context), leaf, chain) == 1,
      let parameters = unsafe X509_STORE_CTX_get0_param(store)
    else { return false }
    unsafe X509_VERIFY_PARAM_set_flags(parameters, CUnsignedLong(X509_V_FLAG_NO_CHECK_TIME))
    unsafe X509_VERIFY_PARAM_set_auth_level(parameters, Self.securityLevel)
    unsafe X509_VERIFY_PARAM_set_depth(parameters, CInt(TLSLimit.intermediates))
    return unsafe X509_verify_cert(store) == 1
  }

  /// Builds the chain from our leaf to one of our roots, whatever the time.
  private func withOwnChain(
    _ purpose: CInt, _ body: (OpaquePointer?) throws(CredentialsError) -> Void
  ) throws(CredentialsError) {
    guard let store = unsafe X509_STORE_CTX_new() else {
      throw .library(reason: Library.takeReason())
    }
    defer { unsafe X509_STORE_CTX_free(store) }
    guard
      unsafe X509_STORE_CTX_init(
        store, SSL_CTX_get_cert_store(context), SSL_CTX_get0_certificate(context),
        copenssl_chain_of(context)) == 1,
      let parameters = unsafe X509_STORE_CTX_get0_param(store)
    else { throw .library(reason: Library.takeReason()) }
    unsafe X509_STORE_CTX_set_purpose(store, purpose)
    unsafe X509_VERIFY_PARAM_set_flags(parameters, CUnsignedLong(X509_V_FLAG_NO_CHECK_TIME))
    unsafe X509_VERIFY_PARAM_set_auth_level(parameters, Self.securityLevel)
    unsafe X509_VERIFY_PARAM_set_depth(parameters, CInt(TLSLimit.intermediates))
    guard unsafe X509_verify_cert(store) == 1 else {
      ERR_clear_error()
      let code = unsafe X509_STORE_CTX_get_error(store)
      let place = unsafe X509_STORE_CTX_get_error_depth(store)
      let text = unsafe X509_verify_cert_error_string(Int(code)).map { unsafe String(cString: $0) }
      throw .invalidChain(place: Int(place), reason: text ?? "code \(code)")
    }
    try unsafe body(X509_STORE_CTX_get0_chain(store))
  }
}
