/// Which bytes a header may hold.
///
/// Source: RFC 9113, section 8.2.1; RFC 9110, section 5.6.2.
enum HeaderCharacters {
  /// The token characters of RFC 9110 without upper case, one bit each: 0 to 63, 64 to 127.
  private static let low: UInt64 = mask("!#$%&'*+-.0123456789", from: 0)
  private static let high: UInt64 = mask("^_`abcdefghijklmnopqrstuvwxyz|~", from: 64)

  /// A lower-case token, perhaps after the colon of a pseudo-header.
  static func isName(_ bytes: Span<UInt8>) -> Bool {
    var index = bytes.count > 1 && bytes[0] == UInt8(ascii: ":") ? 1 : 0
    guard index < bytes.count else { return false }
    while index < bytes.count {
      let byte = bytes[index]
      let isToken = byte < 64 ? low >> byte & 1 == 1 : byte < 128 && high >> (byte - 64) & 1 == 1
      guard isToken else { return false }
      index += 1
    }
    return true
  }

  /// No control characters but the tab, and no blank at either end.
  static func isValue(_ bytes: Span<UInt8>) -> Bool {
    guard !bytes.isEmpty else { return true }
    guard !isBlank(bytes[0]), !isBlank(bytes[bytes.count - 1]) else { return false }
    for index in bytes.indices {
      let byte = bytes[index]
      guard byte >= 0x20 && byte != 0x7f || byte == 0x09 else { return false }
    }
    return true
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  private static func mask(_ characters: StaticString, from first: UInt8) -> UInt64 {
    "\(characters)".utf8.reduce(0) { $0 | 1 << UInt64($1 - first) }
  }
}

extension String {
  /// The text of `bytes`; what is not UTF-8 becomes U+FFFD.
  init(repairing bytes: Span<UInt8>) {
    do {
      self.init(copying: try UTF8Span(validating: bytes))
    } catch {
      var copy: [UInt8] = []
      copy.reserveCapacity(bytes.count)
      for index in bytes.indices { copy.append(bytes[index]) }
      self.init(decoding: copy, as: UTF8.self)
    }
  }
}
