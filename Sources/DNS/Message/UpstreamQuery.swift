/// A query on its way to the application's resolver, and how its answer is known.
///
/// The identifier is replaced by a random one; with the random port of its own socket and the
/// question's text it is what an answer must repeat. Everything else travels as it came.
public struct UpstreamQuery: Hashable, Sendable {
  /// The client's own identifier.
  public let clientID: UInt16
  /// Ours.
  public let id: UInt16
  public let type: RecordType
  /// The first question's bytes; empty when the message has none that can be read.
  private let question: [UInt8]
  private let flags: UInt16

  /// Nil when the message is too short to be one, or is an answer.
  public init?(_ message: Span<UInt8>, id: UInt16) {
    guard let header = Header(message), !header.isAnswer else { return nil }
    clientID = header.id
    self.id = id
    var question: [UInt8] = []
    var type = RecordType(rawValue: 0)
    if header.questions > 0 {
      do throws(MessageError) {
        var cursor = MessageCursor(message, at: Limit.headerBytes)
        question = try cursor.plainName()
        type = RecordType(rawValue: try cursor.number())
        let `class` = try cursor.number()
        question.append(bigEndian: type.rawValue)
        question.append(bigEndian: `class`)
      } catch {
        // A resolver cannot read it either: its complaint has no question to compare.
        question = []
      }
    }
    self.question = question
    flags = header.flags
    self.type = type
  }

  /// Whether a message from the resolver's address answers this query.
  ///
  /// A resolver that refuses may leave the question out.
  public func isAnswered(by message: Span<UInt8>) -> Bool {
    guard let header = Header(message), header.isAnswer, header.id == id else { return false }
    if header.questions == 0 { return header.responseCode != 0 || question.isEmpty }
    if question.isEmpty { return true }
    guard message.count >= Limit.headerBytes + question.count else { return false }
    for index in question.indices {
      let theirs = message[Limit.headerBytes + index]
      // Letters keep or lose their case on the way; length bytes are below the letters.
      guard theirs == question[index] || lowered(theirs) == lowered(question[index]) else {
        return false
      }
    }
    return true
  }

  /// Writes what the client is told when its resolver cannot be asked.
  public func write(_ failure: ResponseCode, into message: inout [UInt8]) {
    message.removeAll(keepingCapacity: true)
    let asked = flags & (0x7800 | Header.Flag.recursionDesired | Header.Flag.checkingDisabled)
    let flags = asked | Header.Flag.isAnswer | UInt16(failure.rawValue)
    for number in [clientID, flags, question.isEmpty ? 0 : 1, 0, 0, 0] {
      message.append(bigEndian: number)
    }
    message += question
  }

  private func lowered(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
  }
}
