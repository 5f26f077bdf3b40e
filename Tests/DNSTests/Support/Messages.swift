import DNS

/// A query as a resolver's library writes it.
struct QueryBytes {
  var id: UInt16 = 0x1234
  var flags: UInt16 = 0x0100
  var host: String
  var type: RecordType = .ipv4
  var `class`: UInt16 = 1
  /// The payload size in an EDNS record; nil: no such record.
  var payloadBytes: UInt16?
  var version: UInt8 = 0
  var wantsSignatures = false

  var bytes: [UInt8] {
    var bytes = pair(id) + pair(flags) + pair(1) + pair(0) + pair(0)
    bytes += pair(payloadBytes == nil ? 0 : 1) + name(host) + pair(type.rawValue) + pair(`class`)
    if let payloadBytes {
      bytes += [0] + pair(41) + pair(payloadBytes) + [0, version]
      bytes += pair(wantsSignatures ? 0x8000 : 0) + pair(0)
    }
    return bytes
  }
}

func pair(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }

func name(_ host: String) -> [UInt8] {
  host.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
}

func parsed(_ bytes: [UInt8]) throws(MessageError) -> Query { try Query(parsing: bytes.span) }

/// An answer read back, without trusting the code that wrote it.
struct AnswerReading: Equatable {
  struct Record: Equatable {
    var owner: String
    var type: UInt16
    var timeToLive: UInt32
    var text: String
  }

  var id: UInt16
  var flags: UInt16
  var question: String
  var answers: [Record] = []
  var additionals: [Record] = []

  var isTruncated: Bool { flags & 0x0200 != 0 }
  var isAuthoritative: Bool { flags & 0x0400 != 0 }
  var code: UInt16 { flags & 15 }
  var texts: [String] { answers.map(\.text) }

  init(_ bytes: [UInt8]) throws {
    var offset = 12
    func number(_ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }
    func readName(_ start: Int) throws -> (String, Int) {
      var at = start
      var labels: [String] = []
      var end: Int?
      var jumps = 0
      while bytes[at] != 0 {
        if bytes[at] & 0xc0 == 0xc0 {
          jumps += 1
          guard jumps < 10 else { throw Malformed() }
          end = end ?? at + 2
          at = Int(number(at) & 0x3fff)
          continue
        }
        let length = Int(bytes[at])
        labels.append(String(decoding: bytes[(at + 1)...(at + length)], as: UTF8.self))
        at += length + 1
      }
      return (labels.joined(separator: "."), end ?? at + 1)
    }
    func readRecord() throws -> Record {
      let (owner, next) = try readName(offset)
      let type = number(next)
      let count = Int(number(next + 8))
      let data = Array(bytes[(next + 10)..<(next + 10 + count)])
      let text: String
      switch type {
      case 1: text = data.map(String.init).joined(separator: ".")
      case 28:
        text = stride(from: 0, to: 16, by: 2)
          .map { String(UInt16(data[$0]) << 8 | UInt16(data[$0 + 1]), radix: 16) }
          .joined(separator: ":")
      case 5: text = try readName(next + 10).0
      case 33: text = "\(number(next + 14)) " + (try readName(next + 16).0)
      case 41: text = "payload \(number(next + 2))"
      default: text = "?"
      }
      offset = next + 10 + count
      return Record(
        owner: owner, type: type,
        timeToLive: UInt32(number(next + 4)) << 16 | UInt32(number(next + 6)), text: text)
    }
    id = number(0)
    flags = number(2)
    let (asked, next) = try readName(12)
    question = asked
    offset = next + 4
    for _ in 0..<number(6) { answers.append(try readRecord()) }
    for _ in 0..<number(10) { additionals.append(try readRecord()) }
    guard offset == bytes.count else { throw Malformed() }
  }

  struct Malformed: Error {}
}
