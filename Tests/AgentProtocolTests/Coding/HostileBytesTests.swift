import AgentProtocol
import MeshModel
import Testing

/// Decodes as both kinds; that it returns at all is the claim.
private func decodesWithoutTrap(_ bytes: [UInt8]) -> Bool {
  do {
    let message = try AgentMessage(decoding: bytes.span)
    // What decodes is a message like any other: it encodes and comes back.
    guard try AgentMessage(decoding: message.encoded().span) == message else { return false }
  } catch {}
  do {
    let message = try TunnelMessage(decoding: bytes.span)
    guard try TunnelMessage(decoding: message.encoded().span) == message else { return false }
  } catch {}
  return true
}

@Suite struct `Any bytes end in a message or an error` {
  @Test(arguments: 0..<RandomValues.agentCases)
  func `an agent's message cut short at any byte is refused`(number: Int) {
    for seed in UInt64(0)..<12 {
      var values = RandomValues(seed: seed)
      let bytes = values.agentMessage(case: number).encoded()
      for count in 0..<bytes.count {
        #expect(throws: DecodingError.self, "seed \(seed), \(count) of \(bytes.count) bytes") {
          try AgentMessage(decoding: bytes.span.extracting(first: count))
        }
      }
    }
  }

  @Test(arguments: 0..<RandomValues.tunnelCases)
  func `a ztunnel's message cut short at any byte is refused`(number: Int) {
    for seed in UInt64(0)..<12 {
      var values = RandomValues(seed: seed)
      let bytes = values.tunnelMessage(case: number).encoded()
      for count in 0..<bytes.count {
        #expect(throws: DecodingError.self, "seed \(seed), \(count) of \(bytes.count) bytes") {
          try TunnelMessage(decoding: bytes.span.extracting(first: count))
        }
      }
    }
  }

  @Test func `bytes changed at random never trap`() {
    for seed in UInt64(0)..<3_000 {
      var values = RandomValues(seed: seed)
      var bytes =
        values.boolean()
        ? values.agentMessage(case: values.number(0...(RandomValues.agentCases - 1))).encoded()
        : values.tunnelMessage(case: values.number(0...(RandomValues.tunnelCases - 1))).encoded()
      for _ in 0..<values.number(1...4) {
        bytes[values.number(0...(bytes.count - 1))] = UInt8(truncatingIfNeeded: values.word())
      }
      #expect(decodesWithoutTrap(bytes), "seed \(seed)")
    }
  }

  @Test func `noise behind a valid start never traps`() {
    for seed in UInt64(0)..<3_000 {
      var values = RandomValues(seed: seed)
      let start: [UInt8] = [2, UInt8(values.number(0...13))]
      #expect(decodesWithoutTrap(start + values.blob() + values.blob()), "seed \(seed)")
    }
  }
}

@Suite struct `A refused payload says why` {
  struct Row: CustomTestStringConvertible {
    var says: String
    var bytes: [UInt8]
    var error: DecodingError
    var testDescription: String { says }
  }

  static let rows = [
    Row(says: "nothing", bytes: [], error: .truncated(offset: 0)),
    Row(says: "another format", bytes: [9], error: .unknownFormat(9)),
    Row(
      says: "an unknown case", bytes: [2, 200],
      error: .unknownTag(200, of: .agentMessage, offset: 1)),
    Row(
      says: "a text longer than the rest", bytes: [2, 3, 5, 97],
      error: .truncated(offset: 3)),
    Row(
      says: "a text that claims a gigabyte", bytes: [2, 3, 0x80, 0x80, 0x80, 0x80, 4],
      error: .tooLong(1 << 30, limit: Limit.textBytes, offset: 2)),
    Row(
      says: "a list that claims a million elements",
      bytes: [2, 1, 1, 0, 0xc0, 0x84, 0x3d], error: .truncated(offset: 7)),
    Row(
      says: "an integer of eleven bytes",
      bytes: [2, 6] + [UInt8](repeating: 0x80, count: 10) + [1, 0], error: .overflow(offset: 2)),
    Row(says: "bytes that are not UTF-8", bytes: [2, 3, 1, 0xff], error: .notText(offset: 2)),
    Row(says: "one byte too many", bytes: [2, 3, 0, 0], error: .trailingBytes(1)),
    Row(
      says: "a duration whose fraction is a second or more",
      bytes: [2, 7, 0] + [UInt8](repeating: 0xff, count: 9) + [1],
      error: .invalid(.duration, offset: 2)),
  ]

  @Test(arguments: rows) func `by an error`(row: Row) {
    #expect(throws: row.error) { try AgentMessage(decoding: row.bytes.span) }
  }
}
