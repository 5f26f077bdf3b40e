/// What kind of record is asked for; only those the mesh may know have a name.
public struct RecordType: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let ipv4 = RecordType(rawValue: 1)
  public static let alias = RecordType(rawValue: 5)
  public static let ipv6 = RecordType(rawValue: 28)
  public static let service = RecordType(rawValue: 33)
  static let options = RecordType(rawValue: 41)

  /// As metrics name it: `A`, `AAAA`, `SRV`, or `other`, so that clients cannot invent labels.
  public var name: String {
    switch self {
    case .ipv4: "A"
    case .ipv6: "AAAA"
    case .service: "SRV"
    default: "other"
    }
  }
}

/// One question of a client, as far as the mesh has to understand it.
public struct Query: Hashable, Sendable {
  static let internet: UInt16 = 1

  public let id: UInt16
  /// The client's flags, some of which the answer repeats.
  let flags: UInt16
  /// The asked name on the wire, in the client's own case, with the root's zero.
  let name: [UInt8]
  /// The name in lower case without its last dot; nil when it is no host name.
  public let host: String?
  public let type: RecordType
  let `class`: UInt16
  /// What the client said of its own limits; nil when it said nothing.
  let extensions: Extensions?

  /// What EDNS says.
  ///
  /// Source: RFC 6891, section 6.
  struct Extensions: Hashable, Sendable {
    var payloadBytes: UInt16
    var version: UInt8
    var wantsSignatures: Bool
  }

  /// Reads a message from a client; whoever gets an error leaves the message to the resolver.
  public init(parsing message: Span<UInt8>) throws(MessageError) {
    guard let header = Header(message) else { throw .tooShort(message.count) }
    guard !header.isAnswer else { throw .isAnswer }
    guard header.operation == 0 else { throw .otherOperation(header.operation) }
    guard header.questions == 1, header.records <= Limit.queryRecords else {
      throw .notOneQuestion(questions: header.questions, records: header.records)
    }
    var cursor = MessageCursor(message, at: Limit.headerBytes)
    name = try cursor.plainName()
    id = header.id
    flags = header.flags
    type = RecordType(rawValue: try cursor.number())
    self.class = try cursor.number()
    host = Query.host(name)
    var extensions: Extensions?
    for _ in 0..<header.records {
      let offset = cursor.offset
      let record = try cursor.record()
      guard record.type == .options else { continue }
      guard extensions == nil else { throw .severalExtensions(offset: offset) }
      extensions = Extensions(
        payloadBytes: record.class, version: UInt8(truncatingIfNeeded: record.timeToLive >> 16),
        wantsSignatures: record.timeToLive & 0x8000 != 0)
    }
    guard cursor.remaining == 0 else { throw .trailingBytes(cursor.remaining) }
    self.extensions = extensions
  }

  /// Whether the mesh may answer it at all: records of the Internet, no unknown EDNS.
  public var isPlain: Bool { `class` == Query.internet && (extensions?.version ?? 0) == 0 }

  /// Bytes an answer over UDP may have.
  public var payloadBytes: Int {
    guard let extensions else { return Limit.plainPayloadBytes }
    return min(
      max(Int(extensions.payloadBytes), Limit.plainPayloadBytes), Limit.payloadBytes)
  }

  /// Letters, digits, `-` and `_` only, and not too many labels: anything else is no name of ours.
  private static func host(_ wire: [UInt8]) -> String? {
    var text: [UInt8] = []
    text.reserveCapacity(wire.count)
    var offset = 0
    var labels = 0
    while wire[offset] != 0 {
      labels += 1
      guard labels <= Limit.labels else { return nil }
      if labels > 1 { text.append(UInt8(ascii: ".")) }
      let end = offset + 1 + Int(wire[offset])
      for byte in wire[(offset + 1)..<end] {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): text.append(byte | 0x20)
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "-"), UInt8(ascii: "_"):
          text.append(byte)
        default: return nil
        }
      }
      offset = end
    }
    return text.isEmpty ? nil : String(decoding: text, as: UTF8.self)
  }
}
