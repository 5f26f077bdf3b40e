import COpenSSL
public import MeshModel

/// A P-256 key that never leaves this process: it signs, and is wiped with its last owner.
///
/// Safe because the key is made once, never changed, and OpenSSL counts its owners atomically.
@safe public final class PrivateKey: Sendable {
  nonisolated(unsafe) let pointer: OpaquePointer

  /// Generates a fresh key.
  public init() throws(TLSFailure) {
    guard Library.isReady, let pointer = unsafe copenssl_generate_p256() else {
      throw .library(reason: "no key could be made: \(Library.takeReason())")
    }
    unsafe self.pointer = pointer
  }

  deinit { unsafe EVP_PKEY_free(pointer) }

  /// A request for a certificate: PKCS #10, DER.
  ///
  /// Empty subject, one critical subjectAltName with one URI, signed with ECDSA and SHA-256.
  /// Source: ambient-protocol.md, 6.1.
  public func signingRequest(for identity: SPIFFEID) throws(TLSFailure) -> [UInt8] {
    guard let request = unsafe X509_REQ_new() else {
      throw .library(reason: "no signing request: \(Library.takeReason())")
    }
    defer { unsafe X509_REQ_free(request) }
    let uri = identity.description
    let isSigned =
      unsafe X509_REQ_set_version(request, 0) == 1
      && X509_REQ_set_pubkey(request, pointer) == 1
      && copenssl_request_uri(request, uri, CInt(uri.utf8.count)) == 1
      && X509_REQ_sign(request, pointer, EVP_sha256()) > 0
    guard isSigned, let bytes = unsafe Library.encoded({ unsafe i2d_X509_REQ(request, $0) }) else {
      throw .library(reason: "no signing request: \(Library.takeReason())")
    }
    return bytes
  }
}
