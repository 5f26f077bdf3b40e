import COpenSSL

extension Credentials {
  /// At least 112 bits: RSA from 2 048 bits, no SHA-1.
  static let securityLevel: CInt = 2

  /// TLS 1.3 with AES-GCM and ALPN h2, both sides proven, nothing kept between sessions.
  ///
  /// Source: ambient-protocol.md, 1.1.
  func configure() throws(CredentialsError) {
    let isConfigured =
      unsafe copenssl_protocol_versions(context, TLS1_3_VERSION, TLS1_3_VERSION) == 1
      && SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384") == 1
      && copenssl_groups(context, "X25519:P-256") == 1
      && copenssl_signature_algorithms(context, signatureAlgorithms) == 1
      && SSL_CTX_set_num_tickets(context, 0) == 1
      && SSL_CTX_set_max_early_data(context, 0) == 1
      && SSL_CTX_set_recv_max_early_data(context, 0) == 1
      && setApplicationProtocol()
    guard isConfigured else { throw .library(reason: Library.takeReason()) }

    unsafe copenssl_forbid_extras(context)
    unsafe copenssl_no_session_cache(context)
    unsafe copenssl_add_mode(
      context, Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
    unsafe copenssl_read_ahead(context)
    unsafe SSL_CTX_set_default_read_buffer_len(context, TLSLimit.readBuffer)
    unsafe copenssl_max_certificate_list(context, TLSLimit.bytesPerCertificateList)
    unsafe SSL_CTX_set_security_level(context, Self.securityLevel)
    unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    unsafe SSL_CTX_set_verify_depth(context, CInt(TLSLimit.intermediates))
    unsafe SSL_CTX_set_cert_verify_callback(context, verifyPeer, nil)
    unsafe SSL_CTX_set_client_hello_cb(context, inspectClientHello, nil)
    unsafe SSL_CTX_set_alpn_select_cb(context, selectApplicationProtocol, nil)
    unsafe SSL_CTX_set_msg_callback(context, countMessage)
  }

  private func setApplicationProtocol() -> Bool {
    let list = applicationProtocol
    // Zero is success here, unlike anywhere else in OpenSSL.
    return unsafe SSL_CTX_set_alpn_protos(context, list, CUnsignedInt(list.count)) == 0
  }
}

/// One name, `h2`, with its length before it.
private let applicationProtocol: [UInt8] = [2, UInt8(ascii: "h"), UInt8(ascii: "2")]

/// PKCS #1 is for certificates only (TLS 1.3 forbids it in handshakes): authorities may be RSA.
private let signatureAlgorithms =
  "ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
  + "RSA+SHA256:RSA+SHA384:RSA+SHA512"
