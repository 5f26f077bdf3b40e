/// Why bytes are not a query the mesh can read.
///
/// Offsets count bytes from the start of the message.
public enum MessageError: Error, Hashable, Sendable {
  case tooShort(Int)
  /// It is an answer, not a query.
  case isAnswer
  /// Another operation than a query: an update, a notification.
  case otherOperation(UInt8)
  /// Not exactly one question, or records where a query has none.
  case notOneQuestion(questions: UInt16, records: Int)
  case truncated(offset: Int)
  case nameTooLong(offset: Int)
  /// A compressed or extended label in the question, which no client sends.
  case unusualLabel(UInt8, offset: Int)
  case severalExtensions(offset: Int)
  case trailingBytes(Int)
}

extension MessageError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .tooShort(let count): "\(count) bytes, a DNS message has at least \(Limit.headerBytes)"
    case .isAnswer: "an answer where a query was expected"
    case .otherOperation(let code): "operation \(code) is not a query"
    case .notOneQuestion(let questions, let records):
      "\(questions) questions and \(records) records, a query has one question"
    case .truncated(let offset): "the message ends inside a value at byte \(offset)"
    case .nameTooLong(let offset): "the name at byte \(offset) is longer than \(Limit.nameBytes)"
    case .unusualLabel(let byte, let offset): "a label of kind \(byte >> 6) at byte \(offset)"
    case .severalExtensions(let offset): "a second EDNS record at byte \(offset)"
    case .trailingBytes(let count): "\(count) bytes follow the message"
    }
  }
}
