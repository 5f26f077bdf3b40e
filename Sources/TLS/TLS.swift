/// Mutual TLS between workloads as values over memory, on OpenSSL.
///
/// In: ciphertext in a `Buffer`, credentials, the identities a peer may have. Out: plaintext, the
/// peer's proven identity, ciphertext appended to a `Buffer`, or a failure that says what happened.
/// Never here: a socket, a file, a key that leaves, TLS below 1.3, resumption, early data.
public enum TLSLimit {
  /// The plaintext one `write` takes; a batch this large is one send.
  public static let bytesPerWrite = 256 * 1024
  /// The plaintext of one record; RFC 8446, section 5.1.
  public static let bytesPerRecord = 16 * 1024
  /// What a record adds to its plaintext: header 5, content type 1, AES-GCM tag 16.
  public static let bytesAroundRecord = 22
  /// The ciphertext taken from a peer before its handshake must be complete.
  public static let bytesPerHandshake = 128 * 1024
  /// A peer's certificates, as sent.
  public static let bytesPerCertificateList = 64 * 1024
  /// Intermediates between a leaf and its root.
  public static let intermediates = 4
  public static let rootsPerBundle = 64
  public static let revocationLists = 64
  /// Key updates and tickets a peer may send beyond what its plaintext pays for.
  public static let messagesInAdvance = 32
  /// Plaintext that pays for one more key update or ticket.
  public static let bytesPerMessage = 1024 * 1024
  /// What OpenSSL takes from `incoming` at once; given back when nothing is left in it.
  static let readBuffer = 64 * 1024 + 512
}
