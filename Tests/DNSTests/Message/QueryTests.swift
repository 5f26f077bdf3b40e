import DNS
import Testing

@Suite struct `Queries: what a client may send` {
  @Test func `a question is read with its case, and compared without`() throws {
    let query = try parsed(QueryBytes(id: 7, host: "Web.Shop", type: .ipv6).bytes)
    #expect(query.id == 7)
    #expect(query.host == "web.shop")
    #expect(query.type == .ipv6)
    #expect(query.payloadBytes == 512)
  }

  @Test(arguments: [(100, 512), (512, 512), (1_232, 1_232), (65_535, 4_096)])
  func `EDNS raises what an answer may have, within bounds`(said: UInt16, given: Int) throws {
    #expect(try parsed(QueryBytes(host: "a", payloadBytes: said).bytes).payloadBytes == given)
  }

  @Test(arguments: ["a b", "a*", "*.example", "ü", "a\u{0}b"])
  func `a name with other characters is no host name`(host: String) throws {
    #expect(try parsed(QueryBytes(host: host).bytes).host == nil)
  }

  @Test func `the root and a name of very many labels are no host names`() throws {
    #expect(try parsed(QueryBytes(host: "").bytes).host == nil)
    let long = Array(repeating: "a", count: 60).joined(separator: ".")
    #expect(try parsed(QueryBytes(host: long).bytes).host == nil)
  }

  struct Hostile: CustomTestStringConvertible {
    var says: String
    var bytes: [UInt8]
    var error: MessageError

    var testDescription: String { says }
  }

  static let plain = QueryBytes(host: "a.b").bytes
  static let header = Array(plain.prefix(12))

  static let hostile = [
    Hostile(says: "nothing", bytes: [], error: .tooShort(0)),
    Hostile(says: "half a header", bytes: Array(plain.prefix(11)), error: .tooShort(11)),
    Hostile(says: "an answer", bytes: QueryBytes(flags: 0x8180, host: "a").bytes, error: .isAnswer),
    Hostile(
      says: "an update", bytes: QueryBytes(flags: 5 << 11, host: "a").bytes,
      error: .otherOperation(5)),
    Hostile(
      says: "two questions", bytes: pair(1) + pair(0) + pair(2) + pair(0) + pair(0) + pair(0),
      error: .notOneQuestion(questions: 2, records: 0)),
    Hostile(
      says: "many records",
      bytes: pair(1) + pair(0) + pair(1) + pair(0xffff) + pair(0xffff) + pair(0xffff),
      error: .notOneQuestion(questions: 1, records: 196_605)),
    Hostile(says: "no question", bytes: header, error: .truncated(offset: 12)),
    Hostile(says: "a cut label", bytes: header + [63, 97], error: .truncated(offset: 12)),
    Hostile(says: "a cut type", bytes: header + [1, 97, 0, 0], error: .truncated(offset: 15)),
    Hostile(
      says: "a pointer to itself", bytes: header + [0xc0, 12, 0, 1, 0, 1],
      error: .unusualLabel(0xc0, offset: 12)),
    Hostile(
      says: "a label of the extended kind", bytes: header + [0x41, 97, 0, 0, 1, 0, 1],
      error: .unusualLabel(0x41, offset: 12)),
    Hostile(
      says: "a name that is too long",
      bytes: header + Array(repeating: [1, 97], count: 128).joined() + [0, 0, 1, 0, 1],
      error: .nameTooLong(offset: 12)),
    Hostile(says: "bytes after the end", bytes: plain + [0], error: .trailingBytes(1)),
    Hostile(
      says: "a record that lies about its length",
      bytes: Array(plain.prefix(10)) + pair(1) + Array(plain.dropFirst(12)) + [0] + pair(41)
        + pair(1_232) + pair(0) + pair(0) + pair(500),
      error: .truncated(offset: 32)),
    Hostile(
      says: "EDNS twice",
      bytes: Array(plain.prefix(10)) + pair(2) + Array(plain.dropFirst(12))
        + Array(repeating: [0] + pair(41) + pair(512) + pair(0) + pair(0) + pair(0), count: 2)
        .joined(),
      error: .severalExtensions(offset: 32)),
  ]

  @Test(arguments: hostile) func `hostile bytes are an error with a place`(row: Hostile) {
    #expect(throws: row.error) { try parsed(row.bytes) }
    #expect(!"\(row.error)".isEmpty)
  }

  @Test func `no prefix and no changed byte of a query traps`() {
    let whole = QueryBytes(host: "web.shop.svc", payloadBytes: 1_232).bytes
    for count in 0..<whole.count {
      #expect(throws: MessageError.self) { try parsed(Array(whole.prefix(count))) }
    }
    for index in whole.indices {
      for value in [0, 1, 0x3f, 0x40, 0x7f, 0xc0, 0xff] as [UInt8] {
        var changed = whole
        changed[index] = value
        do throws(MessageError) {
          _ = Town.ask(try parsed(changed))
        } catch {
          #expect(!"\(error)".isEmpty)
        }
      }
    }
  }
}

extension Town {
  static func ask(_ query: Query) -> [UInt8] {
    var bytes: [UInt8] = []
    if case .answer(let answer) = Resolver().decide(query, from: client, in: mesh, random: 3) {
      query.write(answer, limit: query.payloadBytes, into: &bytes)
    }
    return bytes
  }
}
