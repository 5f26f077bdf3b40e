/// What makes a header block unreadable; always fatal to the connection, whose tables no longer
/// agree (RFC 7541, section 2.2; RFC 9113, section 4.3).
public enum CompressionError: Error, Equatable, Sendable {
  /// The block ends inside an integer, a string or a field.
  case truncated
  /// An integer above ``Limit/compressedInteger``, or spelled with more bytes than it can need.
  case integerTooLarge
  /// An index that is zero or beyond both tables.
  case indexInvalid(Int)
  /// A table size above what SETTINGS_HEADER_TABLE_SIZE allows.
  case tableSizeTooLarge(Int, limit: Int)
  /// A table size update after a field.
  case tableSizeUpdateLate
  /// No table size update though the limit was lowered and acknowledged.
  case tableSizeUpdateMissing
  /// Padding that is longer than seven bits or not of ones, or the end-of-string symbol.
  case huffmanInvalid
}
