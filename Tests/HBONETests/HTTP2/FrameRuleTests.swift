import Testing

@testable import HBONE

private struct Row: CustomTestStringConvertible, Sendable {
  var says: String
  var role = Role.server
  var frames: [Frame]
  var error: ConnectionError
  var testDescription: String { "\(role): \(says)" }
}

private func raw(
  _ type: FrameType, _ count: Int, stream: UInt32 = 0, flags: FrameFlags = []
) -> Frame {
  Frame(type: type, flags: flags, stream: stream, payload: [UInt8](repeating: 0, count: count))
}

/// After the greeting; at a server stream 1 is open, at a client stream 1 was asked for.
private let table: [Row] = [
  Row(says: "DATA on stream 0", frames: [.data(0, 1)], error: .streamMisplaced(.data, StreamID(0))),
  Row(
    says: "DATA on an idle stream", frames: [.data(3, 1)], error: .streamIdle(.data, StreamID(3))),
  Row(
    says: "DATA padded beyond its end",
    frames: [Frame(type: .data, flags: .padded, stream: 1, payload: [2, 0])],
    error: .paddingTooLong(.data)),
  Row(
    says: "padded DATA without its padding length",
    frames: [raw(.data, 0, stream: 1, flags: .padded)], error: .frameSizeInvalid(.data, length: 0)),
  Row(
    says: "HEADERS on stream 0", frames: [.connect(0)],
    error: .streamMisplaced(.headers, StreamID(0))),
  Row(
    says: "HEADERS on an even stream", frames: [.connect(2)],
    error: .streamNumberInvalid(StreamID(2))),
  Row(
    says: "HEADERS on a number passed over", frames: [.connect(7), .connect(5)],
    error: .streamNumberInvalid(StreamID(5))),
  Row(
    says: "HEADERS padded beyond its end",
    frames: [Frame(type: .headers, flags: [.padded, .endHeaders], stream: 3, payload: [9, 0])],
    error: .paddingTooLong(.headers)),
  Row(
    says: "HEADERS too short for a priority",
    frames: [raw(.headers, 4, stream: 3, flags: [.priority, .endHeaders])],
    error: .frameSizeInvalid(.headers, length: 4)),
  Row(
    says: "an unreadable header block",
    frames: [Frame(type: .headers, flags: .endHeaders, stream: 3, payload: [0x80])],
    error: .compression(.indexInvalid(0))),
  Row(
    says: "DATA inside a header block", frames: [.connect(3, flags: []), .data(1, 1)],
    error: .continuationMissing(.data)),
  Row(
    says: "an unknown frame inside a header block",
    frames: [.connect(3, flags: []), raw(FrameType(rawValue: 0xf0), 1)],
    error: .continuationMissing(FrameType(rawValue: 0xf0))),
  Row(
    says: "CONTINUATION on another stream",
    frames: [.connect(3, flags: []), raw(.continuation, 0, stream: 5, flags: .endHeaders)],
    error: .continuationMissing(.continuation)),
  Row(
    says: "CONTINUATION out of the blue", frames: [raw(.continuation, 0, stream: 1)],
    error: .continuationUnexpected),
  Row(
    says: "PRIORITY of four bytes", frames: [raw(.priority, 4, stream: 1)],
    error: .frameSizeInvalid(.priority, length: 4)),
  Row(
    says: "PRIORITY on stream 0", frames: [raw(.priority, 5)],
    error: .streamMisplaced(.priority, StreamID(0))),
  Row(
    says: "RST_STREAM on stream 0", frames: [.reset(0, .cancel)],
    error: .streamMisplaced(.resetStream, StreamID(0))),
  Row(
    says: "RST_STREAM on an idle stream", frames: [.reset(3, .cancel)],
    error: .streamIdle(.resetStream, StreamID(3))),
  Row(
    says: "RST_STREAM of five bytes", frames: [raw(.resetStream, 5, stream: 1)],
    error: .frameSizeInvalid(.resetStream, length: 5)),
  Row(
    says: "SETTINGS on a stream", frames: [raw(.settings, 0, stream: 1)],
    error: .streamMisplaced(.settings, StreamID(1))),
  Row(
    says: "SETTINGS of seven bytes", frames: [raw(.settings, 7)],
    error: .frameSizeInvalid(.settings, length: 7)),
  Row(
    says: "an acknowledgement with entries", frames: [raw(.settings, 6, flags: .acknowledge)],
    error: .frameSizeInvalid(.settings, length: 6)),
  Row(
    says: "a second acknowledgement", frames: [.settingsAcknowledgement],
    error: .settingsAcknowledgementUnexpected),
  Row(
    says: "ENABLE_PUSH 2", frames: [.settings([(2, 2)])], error: .settingInvalid(2, value: 2)),
  Row(
    says: "a server that enables push", role: .client, frames: [.settings([(2, 1)])],
    error: .settingInvalid(2, value: 1)),
  Row(
    says: "a window of 2^31", frames: [.settings([(4, 0x8000_0000)])],
    error: .settingInvalid(4, value: 0x8000_0000)),
  Row(
    says: "a frame size of 16 383", frames: [.settings([(5, 16_383)])],
    error: .settingInvalid(5, value: 16_383)),
  Row(
    says: "a frame size of 2^24", frames: [.settings([(5, 1 << 24)])],
    error: .settingInvalid(5, value: 1 << 24)),
  Row(
    says: "an initial window that overflows a stream",
    frames: [.windowUpdate(1, 0x7fff_0000), .settings([(4, 0x7fff_ffff)])],
    error: .windowOverflow),
  Row(
    says: "PUSH_PROMISE", role: .client, frames: [raw(.pushPromise, 8, stream: 1)],
    error: .pushPromise),
  Row(
    says: "PUSH_PROMISE from a client", frames: [raw(.pushPromise, 8, stream: 1)],
    error: .pushPromise),
  Row(
    says: "PING of seven bytes", frames: [raw(.ping, 7)],
    error: .frameSizeInvalid(.ping, length: 7)),
  Row(
    says: "PING on a stream", frames: [raw(.ping, 8, stream: 1)],
    error: .streamMisplaced(.ping, StreamID(1))),
  Row(
    says: "GOAWAY of seven bytes", frames: [raw(.goAway, 7)],
    error: .frameSizeInvalid(.goAway, length: 7)),
  Row(
    says: "GOAWAY on a stream", frames: [raw(.goAway, 8, stream: 1)],
    error: .streamMisplaced(.goAway, StreamID(1))),
  Row(
    says: "WINDOW_UPDATE of three bytes", frames: [raw(.windowUpdate, 3)],
    error: .frameSizeInvalid(.windowUpdate, length: 3)),
  Row(
    says: "WINDOW_UPDATE of nothing", frames: [.windowUpdate(0, 0)], error: .windowIncrementZero),
  Row(
    says: "WINDOW_UPDATE beyond 2^31 - 1", frames: [.windowUpdate(0, 0x7fff_ffff)],
    error: .windowOverflow),
  Row(
    says: "WINDOW_UPDATE on an idle stream", frames: [.windowUpdate(9, 1)],
    error: .streamIdle(.windowUpdate, StreamID(9))),
  Row(
    says: "HEADERS on an idle stream", role: .client, frames: [.connect(3)],
    error: .streamIdle(.headers, StreamID(3))),
  Row(
    says: "HEADERS on a server's stream", role: .client, frames: [.connect(2)],
    error: .streamIdle(.headers, StreamID(2))),
]

@Suite struct `Frames that break the connection` {
  @Test(arguments: table)
  private func `are answered with GOAWAY and named`(row: Row) throws {
    let machine = try Machine.greeted(row.role)
    switch row.role {
    case .server: _ = try machine.feed(.connect(1))
    case .client: _ = machine.open()
    }
    _ = machine.output()
    #expect(throws: row.error) { _ = try machine.feed(row.frames) }
    let last = machine.output().last
    #expect(last?.type == .goAway)
    #expect(last?.payload[4..<8].elementsEqual(Frame.bigEndian(row.error.code.rawValue)) == true)
    #expect(machine.isDraining)
    #expect(throws: row.error) { _ = try machine.feed(.ping(1)) }
  }

  @Test(arguments: 0..<24)
  func `a preface that is wrong at any byte is refused at once`(index: Int) {
    var preface = Array("\(ControlOutput.preface)".utf8)
    preface[index] ^= 0x20
    let machine = Machine(.server)
    #expect(throws: ConnectionError.prefaceMalformed) { _ = try machine.feed(preface) }
  }

  @Test(arguments: [Frame.ping(1), .connect(1), .settingsAcknowledgement, .windowUpdate(0, 1)])
  func `anything before SETTINGS is refused`(frame: Frame) throws {
    let machine = Machine(.server)
    _ = try machine.feed(Array("\(ControlOutput.preface)".utf8))
    #expect(throws: ConnectionError.settingsMissing(frame.type)) { _ = try machine.feed(frame) }
  }

  @Test func `a frame above our size is refused by its header alone`() throws {
    let machine = try Machine.greeted(.server)
    let header = FrameHeader(length: 1 << 20 + 1, type: .data, stream: StreamID(1)).bytes
    #expect(throws: ConnectionError.frameTooLarge(.data, length: 1 << 20 + 1, limit: 1 << 20)) {
      _ = try machine.feed(header.indices.map { header[$0] })
    }
  }
}

@Suite struct `Frames that are let pass` {
  @Test func `unknown types and PRIORITY do nothing`() throws {
    let machine = try Machine.greeted(.server)
    let events = try machine.feed(
      raw(FrameType(rawValue: 0xbe), 5_000, stream: 77), raw(.priority, 5, stream: 99),
      raw(FrameType(rawValue: 0x0c), 0))
    #expect(events.isEmpty)
    #expect(machine.output().isEmpty)
  }

  @Test func `the reserved bit of a stream number is dropped`() throws {
    let machine = try Machine.greeted(.server)
    var bytes = Frame.connect(1).bytes
    bytes[5] |= 0x80
    #expect(try machine.feed(bytes).count == 1)
  }

  @Test func `padding and priority in HEADERS are stripped`() throws {
    let machine = try Machine.greeted(.server)
    let block = Frame.connect(1).payload
    let frame = Frame(
      type: .headers, flags: [.padded, .priority, .endHeaders], stream: 1,
      payload: [3, 0, 0, 0, 0, 16] + block + [0, 0, 0])
    #expect(
      try machine.feed(frame)
        == [.connectRequest(StreamID(1), ConnectRequest(authority: "10.0.0.7:80"))])
  }

  @Test(arguments: 1...40)
  func `a header block may come in pieces of any size`(size: Int) throws {
    let machine = try Machine.greeted(.server)
    let block = Frame.connect(1).payload
    let pieces = stride(from: 0, to: block.count, by: size).map {
      Array(block[$0..<min($0 + size, block.count)])
    }
    var frames = pieces.map { Frame(type: .continuation, stream: 1, payload: $0) }
    frames[0].type = .headers
    frames[frames.count - 1].flags = .endHeaders
    let events = try machine.feed(frames)
    #expect(
      events == [.connectRequest(StreamID(1), ConnectRequest(authority: "10.0.0.7:80"))])
  }

  @Test func `settings nobody knows are skipped and the frame acknowledged`() throws {
    let machine = try Machine.greeted(.server)
    #expect(try machine.feed(.settings([(0x99, 7), (8, 1), (9, 1)])) == [.peerSettings])
    #expect(machine.output() == [.settingsAcknowledgement])
  }

  @Test func `a ping is answered with its payload, and an answer is reported`() throws {
    let machine = try Machine.greeted(.client)
    #expect(try machine.feed(.ping(0x0102_0304_0506_0708)).isEmpty)
    #expect(machine.output() == [.ping(0x0102_0304_0506_0708, flags: .acknowledge)])
    machine.connection.ping(42)
    #expect(machine.output() == [.ping(42)])
    #expect(try machine.feed(.ping(42, flags: .acknowledge)) == [.pingAcknowledged(42)])
  }
}
