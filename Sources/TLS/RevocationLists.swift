import COpenSSL

/// The certificates that their authorities took back, as one file or message had them.
///
/// A certificate is revoked when a list of its issuer's name, signed with its issuer's key, has its
/// serial number. What no list speaks of is not revoked, and a list past its next update still
/// counts. Source: ambient-protocol.md, 1.1, "CRL".
///
/// Safe because nothing changes the lists after init, which sorts them.
@safe public final class RevocationLists: Sendable {
  /// Entries of all lists.
  public let entryCount: Int
  private let count: Int
  private nonisolated(unsafe) let lists: [OpaquePointer]

  /// Lists in DER; an unreadable one is an error, not a gap.
  public init(_ encoded: [[UInt8]]) throws(RevocationError) {
    guard encoded.count <= TLSLimit.revocationLists else { throw .tooMany(encoded.count) }
    var read = unsafe [OpaquePointer]()
    var entries = 0
    var failure: RevocationError?
    for (index, bytes) in encoded.enumerated() {
      guard let list = unsafe parsedList(bytes) else {
        failure = .unreadable(index: index)
        break
      }
      unsafe read.append(list)
      let unknown = unsafe copenssl_unknown_critical(list)
      if unknown != 0 {
        failure = .unknownExtension(index: index, name: extensionName(unknown))
        break
      }
      entries += unsafe Int(copenssl_revoked_count(list))
      unsafe sort(list)
    }
    count = unsafe read.count
    unsafe lists = unsafe read
    entryCount = entries
    // From here on deinit frees what was read.
    if let failure { throw failure }
  }

  deinit {
    for index in 0..<count { unsafe X509_CRL_free(lists[index]) }
  }

  /// Whether a list of the issuer takes the certificate back.
  func revokes(_ certificate: OpaquePointer, issuedBy issuer: OpaquePointer) -> Bool {
    for index in 0..<count {
      let list = unsafe lists[index]
      var entry: OpaquePointer?
      // 2 means that a hold was lifted.
      guard unsafe X509_CRL_get0_by_cert(list, &entry, certificate) == 1 else { continue }
      // Only now: a signature is dear, and few certificates are named at all.
      if unsafe X509_CRL_verify(list, X509_get0_pubkey(issuer)) == 1 { return true }
      ERR_clear_error()
      // Of another authority with the same name, or damaged on its way: then it still counts.
      if unsafe copenssl_names_key_of(list, issuer) == 1 { return true }
    }
    return false
  }

  /// The lowest revoked certificate of a chain that ends at its root, by its place above the leaf.
  func revokedPlace(in chain: OpaquePointer?) -> Int? {
    let count = unsafe copenssl_certificates_count(chain)
    for place in 0..<count {
      guard let certificate = unsafe copenssl_certificates_at(chain, place),
        let issuer = unsafe copenssl_certificates_at(chain, min(place + 1, count - 1))
      else { continue }
      if unsafe revokes(certificate, issuedBy: issuer) { return Int(place) }
    }
    return nil
  }
}

/// Exactly one list; nil for anything else or anything more.
private func parsedList(_ der: [UInt8]) -> OpaquePointer? {
  guard Library.isReady, !der.isEmpty else { return nil }
  let list: OpaquePointer? = unsafe der.withUnsafeBufferPointer { bytes in
    var cursor = bytes.baseAddress
    guard let list = unsafe d2i_X509_CRL(nil, &cursor, bytes.count) else { return nil }
    guard unsafe cursor == bytes.baseAddress?.advanced(by: bytes.count) else {
      unsafe X509_CRL_free(list)
      return nil
    }
    return unsafe list
  }
  ERR_clear_error()
  return unsafe list
}

/// OpenSSL sorts a list at the first look into it; done here, no thread waits for it later.
private func sort(_ list: OpaquePointer) {
  guard let number = unsafe ASN1_INTEGER_new() else { return }
  defer { unsafe ASN1_INTEGER_free(number) }
  var entry: OpaquePointer?
  _ = unsafe X509_CRL_get0_by_serial(list, &entry, number)
}

private func extensionName(_ number: CInt) -> String {
  guard number > 0, let name = unsafe OBJ_nid2ln(number) else { return "an unknown one" }
  return unsafe String(cString: name)
}

/// Why revocation lists cannot be used.
public enum RevocationError: Error, Hashable, Sendable {
  case tooMany(Int)
  case unreadable(index: Int)
  /// A list means less or more than it says without it: a difference to another list, or of
  /// certificates of other issuers.
  case unknownExtension(index: Int, name: String)
}

extension RevocationError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooMany(let count):
      "\(count) revocation lists, at most \(TLSLimit.revocationLists) are expected"
    case .unreadable(let index): "revocation list \(index) is not one DER X.509 CRL"
    case .unknownExtension(let index, let name):
      "revocation list \(index) has a critical extension we do not follow: \(name)"
    }
  }
}
