import CGCM
import COpenSSL

/// OpenSSL as a whole: its start and its thread's error queue.
enum Library {
  /// Starts OpenSSL without its configuration file: what counts is set here, and a static
  /// executable cannot load a provider module the file might name.
  static let isReady: Bool =
    OPENSSL_init_ssl(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG), nil) == 1 && cgcm_register() >= 0

  /// Which implementations a context prefers, where there is a choice.
  static let preference = CGCM_PROPERTIES

  /// The oldest reason in this thread's queue, which is then empty.
  static func takeReason() -> String {
    let code = ERR_peek_error()
    defer { ERR_clear_error() }
    guard code != 0, let text = unsafe ERR_reason_error_string(code) else {
      return "no reason given"
    }
    return unsafe String(cString: text)
  }

  /// Runs a C function that writes DER: once to learn the size, once to write.
  static func encoded(
    _ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> CInt
  ) -> [UInt8]? {
    let count = write(nil)
    guard count > 0 else { return nil }
    return unsafe [UInt8](unsafeUninitializedCapacity: Int(count)) { storage, filled in
      var cursor = storage.baseAddress
      filled = unsafe write(&cursor) == count ? Int(count) : 0
    }
  }
}
