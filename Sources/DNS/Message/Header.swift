/// The twelve bytes before every DNS message.
///
///     id 16 | QR 1 | opcode 4 | AA TC RD RA | Z AD CD | rcode 4 | four counts of 16
///
/// Source: RFC 1035, section 4.1.1.
public struct Header: Hashable, Sendable {
  enum Flag {
    static let isAnswer: UInt16 = 1 << 15
    static let isAuthoritative: UInt16 = 1 << 10
    static let isTruncated: UInt16 = 1 << 9
    static let recursionDesired: UInt16 = 1 << 8
    static let recursionAvailable: UInt16 = 1 << 7
    static let checkingDisabled: UInt16 = 1 << 4
  }

  public var id: UInt16
  var flags: UInt16
  var questions: UInt16
  var answers: UInt16
  var authorities: UInt16
  var additionals: UInt16

  /// Nil when the bytes are too few.
  public init?(_ message: Span<UInt8>) {
    guard message.count >= Limit.headerBytes else { return nil }
    id = message.number(at: 0)
    flags = message.number(at: 2)
    questions = message.number(at: 4)
    answers = message.number(at: 6)
    authorities = message.number(at: 8)
    additionals = message.number(at: 10)
  }

  public var isAnswer: Bool { flags & Flag.isAnswer != 0 }
  public var isTruncated: Bool { flags & Flag.isTruncated != 0 }
  var operation: UInt8 { UInt8(flags >> 11 & 15) }
  public var responseCode: UInt8 { UInt8(flags & 15) }
  /// All records, whatever their section; they cannot overflow.
  var records: Int { Int(answers) + Int(authorities) + Int(additionals) }
}

extension Span<UInt8> {
  /// Two bytes in network order; the caller knows that they are there.
  func number(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }
}
