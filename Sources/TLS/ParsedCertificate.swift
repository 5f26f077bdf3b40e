import COpenSSL
import Identity
import MeshModel

/// One X.509 certificate that OpenSSL has read.
///
/// Safe because the pointer is valid as long as the value, which frees it only when it owns it.
@safe struct ParsedCertificate: ~Copyable {
  let pointer: OpaquePointer

  /// Reads exactly one certificate; nil for anything else or anything more.
  init?(der: [UInt8]) {
    guard Library.isReady, let count = Int(exactly: der.count), count > 0 else { return nil }
    let read: OpaquePointer? = unsafe der.withUnsafeBufferPointer { bytes in
      var cursor = bytes.baseAddress
      guard let certificate = unsafe d2i_X509(nil, &cursor, count) else { return nil }
      guard unsafe cursor == bytes.baseAddress?.advanced(by: count) else {
        unsafe X509_free(certificate)
        return nil
      }
      return unsafe certificate
    }
    guard let pointer = unsafe read else {
      ERR_clear_error()
      return nil
    }
    unsafe self.pointer = pointer
  }

  /// Shares a certificate that OpenSSL owns.
  init(sharing pointer: OpaquePointer) {
    unsafe X509_up_ref(pointer)
    unsafe self.pointer = pointer
  }

  deinit { unsafe X509_free(pointer) }

  var notBefore: WallTime { unsafe wallTime(X509_get0_notBefore(pointer)) }

  var notAfter: WallTime { unsafe wallTime(X509_get0_notAfter(pointer)) }

  /// Whether it says of itself that it is an authority's (basicConstraints CA:TRUE).
  var maySign: Bool { unsafe X509_get_extension_flags(pointer) & CUnsignedInt(EXFLAG_CA) != 0 }

  /// Lower-case hexadecimal without leading zeros.
  var serialNumber: String {
    guard let integer = unsafe X509_get0_serialNumber(pointer),
      let count = Int(exactly: unsafe ASN1_STRING_length(integer)),
      let start = unsafe ASN1_STRING_get0_data(integer)
    else { return "" }
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for index in 0..<count {
      let byte = unsafe start[index]
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text.drop { $0 == UInt8(ascii: "0") }, as: UTF8.self)
  }

  /// Every URI subjectAltName that is printable ASCII; others can equal no identity.
  ///
  /// Read by length: a NUL is a byte like any other here and makes the name unprintable.
  var uris: [String] {
    guard let names = unsafe copenssl_names_of(pointer) else { return [] }
    defer { unsafe GENERAL_NAMES_free(names) }
    var found: [String] = []
    for index in 0..<(unsafe copenssl_name_count(names)) {
      guard let name = unsafe copenssl_name_uri(names, index),
        let start = unsafe ASN1_STRING_get0_data(name)
      else { continue }
      let bytes = unsafe UnsafeBufferPointer(
        start: start, count: Int(ASN1_STRING_length(name)))
      guard unsafe bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { continue }
      found.append(unsafe String(decoding: bytes, as: UTF8.self))
    }
    return found
  }

  /// The URIs that are SPIFFE identities, in the certificate's order; the first is the peer's name.
  var identities: [SPIFFEID] {
    uris.compactMap { uri in
      do throws(SPIFFEID.ParseError) {
        return try SPIFFEID(parsing: uri)
      } catch {
        // A name of another kind beside ours: it grants nothing, so it is passed over.
        return nil
      }
    }
  }

  var facts: CertificateFacts? {
    guard let identity = identities.first else { return nil }
    return CertificateFacts(
      identity: identity, serialNumber: serialNumber, notBefore: notBefore, notAfter: notAfter)
  }
}

/// Seconds since the epoch; a time OpenSSL cannot read counts as the epoch, long past.
private func wallTime(_ time: UnsafePointer<ASN1_TIME>?) -> WallTime {
  guard let epoch = unsafe ASN1_TIME_set(nil, 0) else { return WallTime(secondsSinceEpoch: 0) }
  defer { unsafe ASN1_TIME_free(epoch) }
  var days: CInt = 0
  var seconds: CInt = 0
  guard let time = unsafe time, unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else {
    return WallTime(secondsSinceEpoch: 0)
  }
  return WallTime(secondsSinceEpoch: Double(days) * 86_400 + Double(seconds))
}
