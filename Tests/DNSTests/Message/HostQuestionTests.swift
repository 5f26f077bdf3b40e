import MeshModel
import Testing

@testable import DNS

@Suite struct `A question of our own` {
  static let host = "db.example.com"

  /// An answer to `question` with these records, each type, seconds and data.
  static func answer(
    _ question: HostQuestion, code: UInt8 = 0, isTruncated: Bool = false,
    _ records: [(RecordType, UInt32, [UInt8])] = []
  ) -> [UInt8] {
    var message = question.message
    message[2] |= 0x80 | (isTruncated ? 2 : 0)
    message[3] = 0x80 | code
    message[7] = UInt8(records.count)
    for (type, seconds, data) in records {
      // A pointer to the question's name.
      message += [0xc0, 12, 0, UInt8(type.rawValue), 0, 1]
      message += (0..<4).map { UInt8(truncatingIfNeeded: seconds >> (24 - 8 * $0)) }
      message += [0, UInt8(data.count)] + data
    }
    return message
  }

  private func question(_ type: RecordType = .ipv4) throws -> HostQuestion {
    try #require(HostQuestion(host: Self.host, type: type, id: 0x1234))
  }

  @Test func `asks for one name and one family`() throws {
    let question = try question()
    let query = try Query(parsing: question.message.span)
    #expect(query.host == Self.host && query.type == .ipv4 && query.id == 0x1234)
    #expect(HostQuestion(host: "a..b", type: .ipv4, id: 1) == nil)
    #expect(HostQuestion(host: Self.host, type: .service, id: 1) == nil)
  }

  @Test func `hears all addresses, and the shortest time they last`() throws {
    let question = try question()
    let message = Self.answer(
      question,
      [(.alias, 20, [1, 97, 0]), (.ipv4, 60, [192, 0, 2, 1]), (.ipv4, 30, [192, 0, 2, 2])])
    #expect(
      question.reply(in: message.span)
        == .addresses([.v4(0xc000_0201), .v4(0xc000_0202)], timeToLive: 20))
  }

  @Test func `hears IPv6`() throws {
    let question = try question(.ipv6)
    let message = Self.answer(
      question, [(.ipv6, 60, [0xfd] + [UInt8](repeating: 0, count: 14) + [7])])
    #expect(
      question.reply(in: message.span)
        == .addresses([.v6(high: 0xfd00 << 48, low: 7)], timeToLive: 60))
  }

  @Test func `knows nothing from a failure`() throws {
    let question = try question()
    #expect(question.reply(in: Self.answer(question, code: 3).span) == .none)
    #expect(question.reply(in: Self.answer(question).span) == .none)
    #expect(question.reply(in: Self.answer(question, code: 2).span) == .failed(responseCode: 2))
    #expect(
      question.reply(in: Self.answer(question, isTruncated: true).span)
        == .failed(responseCode: 0))
    let other = try #require(HostQuestion(host: "other.example.com", type: .ipv4, id: 0x1234))
    #expect(question.reply(in: Self.answer(other).span) == .unrelated)
    #expect(question.reply(in: question.message.span) == .unrelated)
  }

  @Test func `survives every cut of an answer`() throws {
    let question = try question()
    let message = Self.answer(question, [(.ipv4, 60, [192, 0, 2, 1]), (.ipv4, 60, [1, 2])])
    for count in 0..<message.count {
      _ = question.reply(in: message.span.extracting(0..<count))
    }
    #expect(
      question.reply(in: message.span) == .addresses([.v4(0xc000_0201)], timeToLive: 60))
  }
}
