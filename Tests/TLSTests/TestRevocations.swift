import COpenSSL
import MeshModel
import SwiftASN1
import X509

extension TestAuthority {
  /// How a list strays from what a good authority makes.
  enum Fault {
    case none
    /// Its next update is a day ago.
    case outdated
    /// Says it is of this authority, which did not sign it; names the authority's key or does not.
    case foreignSignature(namesKey: Bool)
    /// Differs from another list, which it names.
    case delta
  }

  /// A list of this authority that takes certificates back, DER.
  func revocationList(of certificates: [[UInt8]], _ fault: Fault = .none) throws -> [UInt8] {
    let list = unsafe X509_CRL_new()
    defer { unsafe X509_CRL_free(list) }
    unsafe X509_CRL_set_version(list, 1)
    let issuer = unsafe try parsed(der)
    defer { unsafe X509_free(issuer) }
    unsafe X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer))
    unsafe setTimes(of: list, fault)
    for bytes in certificates { unsafe add(bytes, to: list) }
    unsafe addExtensions(to: list, issuer, fault)
    var signer = key
    if case .foreignSignature = fault { signer = try TestAuthority(named: "other").key }
    let secret = unsafe try openSSLKey(signer)
    defer { unsafe EVP_PKEY_free(secret) }
    unsafe X509_CRL_sort(list)
    unsafe X509_CRL_sign(list, secret, EVP_sha256())
    let count = unsafe Int(i2d_X509_CRL(list, nil))
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { storage, filled in
      var cursor = storage.baseAddress
      filled = unsafe Int(i2d_X509_CRL(list, &cursor))
    }
  }

  private func parsed(_ der: [UInt8]) -> OpaquePointer? {
    unsafe der.withUnsafeBufferPointer { bytes in
      var cursor = bytes.baseAddress
      return unsafe d2i_X509(nil, &cursor, bytes.count)
    }
  }

  private func setTimes(of list: OpaquePointer?, _ fault: Fault) {
    var ahead = 86_400
    if case .outdated = fault { ahead = -86_400 }
    let begin = unsafe X509_gmtime_adj(nil, -2 * 86_400)
    let end = unsafe X509_gmtime_adj(nil, ahead)
    unsafe X509_CRL_set1_lastUpdate(list, begin)
    unsafe X509_CRL_set1_nextUpdate(list, end)
    unsafe ASN1_TIME_free(begin)
    unsafe ASN1_TIME_free(end)
  }

  private func add(_ der: [UInt8], to list: OpaquePointer?) {
    let certificate = unsafe parsed(der)
    defer { unsafe X509_free(certificate) }
    let entry = unsafe X509_REVOKED_new()
    unsafe X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate))
    let now = unsafe X509_gmtime_adj(nil, -60)
    unsafe X509_REVOKED_set_revocationDate(entry, now)
    unsafe ASN1_TIME_free(now)
    unsafe X509_CRL_add0_revoked(list, entry)
  }

  private func addExtensions(
    to list: OpaquePointer?, _ issuer: OpaquePointer?, _ fault: Fault
  ) {
    switch fault {
    case .foreignSignature(namesKey: true):
      let identifier = unsafe AUTHORITY_KEYID_new()
      unsafe identifier?.pointee.keyid = ASN1_STRING_dup(X509_get0_subject_key_id(issuer))
      unsafe X509_CRL_add1_ext_i2d(list, NID_authority_key_identifier, identifier, 0, 0)
      unsafe AUTHORITY_KEYID_free(identifier)
    case .delta:
      let number = unsafe ASN1_INTEGER_new()
      unsafe ASN1_INTEGER_set(number, 7)
      unsafe X509_CRL_add1_ext_i2d(list, NID_delta_crl, number, 1, 0)
      unsafe ASN1_INTEGER_free(number)
    case .none, .outdated, .foreignSignature(namesKey: false): break
    }
  }

  private func openSSLKey(_ key: Certificate.PrivateKey) throws -> OpaquePointer? {
    let der = try key.serializeAsPEM().derBytes
    return unsafe der.withUnsafeBufferPointer { bytes in
      var cursor = bytes.baseAddress
      return unsafe d2i_AutoPrivateKey(nil, &cursor, bytes.count)
    }
  }
}
