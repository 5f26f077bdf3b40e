import Testing
import TestSupport

@testable import HBONE

private struct Row: CustomTestStringConvertible, Sendable {
  var says: String
  var role = Role.server
  var frames: [Frame]
  var code: ErrorCode
  var testDescription: String { "\(role): \(says)" }
}

/// Stream 1 is a tunnel; each row costs it, and nothing else.
private let table: [Row] = [
  Row(
    says: "DATA after its end", frames: [.data(1, 0, flags: .endStream), .data(1, 1)],
    code: .streamClosed),
  Row(
    says: "HEADERS after its end", frames: [.data(1, 0, flags: .endStream), .connect(1)],
    code: .streamClosed),
  Row(
    says: "trailers in a tunnel",
    frames: [.headers(1, [("x", "y")], flags: [.endHeaders, .endStream])], code: .protocolError),
  Row(says: "WINDOW_UPDATE of nothing", frames: [.windowUpdate(1, 0)], code: .protocolError),
  Row(
    says: "WINDOW_UPDATE beyond 2^31 - 1", frames: [.windowUpdate(1, 0x7fff_ffff)],
    code: .flowControlError),
  Row(
    says: "more DATA than its window",
    frames: (0..<5).map { _ in .data(1, 1 << 20) }, code: .flowControlError),
  Row(
    says: "a second answer", role: .client, frames: [.headers(1, [(":status", "200")])],
    code: .protocolError),
]

@Suite struct `Streams` {
  @Test(arguments: table)
  private func `a fault on one costs that one only`(row: Row) throws {
    let machine = try Machine.greeted(row.role)
    switch row.role {
    case .server:
      _ = try machine.feed(.connect(1))
      machine.connection.respond(StreamID(1), status: 200, headers: [], endStream: false)
    case .client: _ = try machine.openTunnel()
    }
    _ = machine.output()
    let events = try machine.feed(row.frames)
    #expect(events.last == .reset(StreamID(1), row.code))
    #expect(machine.output().contains(.reset(1, row.code)))
    #expect(!machine.canSend(StreamID(1)))
    #expect(machine.activeStreams == 0)
    #expect(machine.liveStreams == 1)
    machine.connection.closed(StreamID(1))
    #expect(machine.liveStreams == 0)
    #expect(try machine.feed(.ping(1)).isEmpty)
  }

  @Test func `DATA before an answer costs the stream`() throws {
    let machine = try Machine.greeted(.client)
    _ = machine.open()
    #expect(try machine.feed(.data(1, 5)) == [.reset(StreamID(1), .protocolError)])
  }

  @Test func `informational answers are skipped`() throws {
    let machine = try Machine.greeted(.client)
    _ = machine.open()
    let events = try machine.feed(
      .headers(1, [(":status", "103")]), .headers(1, [(":status", "200"), ("baggage", "a=b")]))
    let headers = [HeaderField(name: "baggage", value: "a=b")]
    #expect(events == [.response(StreamID(1), Response(status: 200, headers: headers))])
  }

  @Test func `a refusal may have a body and trailers`() throws {
    let machine = try Machine.greeted(.client)
    _ = machine.open()
    let events = try machine.feed(
      .headers(1, [(":status", "401")]), .data(1, 3),
      .headers(1, [("x", "y")], flags: [.endHeaders, .endStream]))
    #expect(
      events == [
        .response(StreamID(1), Response(status: 401)),
        .data(StreamID(1), offset: 9, count: 3, isEnd: false),
        .data(StreamID(1), offset: 0, count: 0, isEnd: true),
      ])
  }

  @Test func `each direction ends by itself`() throws {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(1))
    machine.connection.respond(StreamID(1), status: 200, headers: [], endStream: false)
    #expect(
      try machine.feed(.data(1, 0, flags: .endStream))
        == [.data(StreamID(1), offset: 9, count: 0, isEnd: true)])
    #expect(machine.canSend(StreamID(1)))
    _ = machine.connection.writeDataHeader(StreamID(1), count: 100, endStream: true)
    #expect(!machine.canSend(StreamID(1)))
    #expect(machine.activeStreams == 0)
    _ = machine.output()
    machine.connection.closed(StreamID(1))
    #expect(machine.output().isEmpty)
  }

  @Test func `closing an open stream cancels it, and late frames are dropped in silence`() throws {
    let machine = try Machine.greeted(.client)
    let stream = try machine.openTunnel()
    machine.connection.closed(stream)
    #expect(machine.output() == [.reset(1, .cancel)])
    #expect(try machine.feed(.data(1, 500), .windowUpdate(1, 5), .reset(1, .cancel)).isEmpty)
    #expect(try machine.feed(.headers(1, [("x", "y")], flags: [.endHeaders, .endStream])).isEmpty)
    #expect(machine.output().isEmpty)
  }

  @Test func `a server that has said all closes without an error`() throws {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(1))
    machine.connection.respond(StreamID(1), status: 503, headers: [], endStream: true)
    _ = machine.output()
    machine.connection.closed(StreamID(1))
    #expect(machine.output() == [.reset(1, .noError)])
  }

  @Test func `an answer to a stream the client has reset goes nowhere`() throws {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(1))
    #expect(try machine.feed(.reset(1, .cancel)) == [.reset(StreamID(1), .cancel)])
    machine.connection.respond(StreamID(1), status: 200, headers: [], endStream: false)
    #expect(machine.output().isEmpty)
    #expect(machine.sendCredit(StreamID(1)) == 0)
  }

  @Test func `a server refuses streams above its cap, safely to retry`() throws {
    var settings = LocalSettings.default
    settings.maxConcurrentStreams = 2
    let machine = try Machine.greeted(.server, settings: settings)
    #expect(try machine.feed(.connect(1), .connect(3), .connect(5)).count == 2)
    #expect(machine.output() == [.reset(5, .refusedStream)])
    _ = try machine.feed(.reset(1, .cancel))
    #expect(try machine.feed(.connect(7)).count == 1)
  }

  @Test func `the cap binds a client once it has acknowledged it, and a larger one until then`()
    throws
  {
    let machine = Machine(.server)
    _ = try machine.feed(Array("\(ControlOutput.preface)".utf8) + Frame.settings().bytes)
    _ = machine.output()
    let early = (0..<UInt32(Limit.streamsBeforeAcknowledgement)).map { Frame.connect(2 * $0 + 1) }
    #expect(try machine.feed(early).count == early.count)
    #expect(try machine.feed(.connect(10_001)).isEmpty)
    #expect(machine.output() == [.reset(10_001, .refusedStream)])
    _ = try machine.feed(.settingsAcknowledgement, .reset(1, .cancel))
    #expect(try machine.feed(.connect(10_003)).isEmpty, "there are more than the cap allows")
    #expect(machine.output() == [.reset(10_003, .refusedStream)])
  }

  @Test func `a client stays below the server's cap`() throws {
    let machine = try Machine.greeted(.client, peer: [(3, 2)])
    #expect(machine.open() == StreamID(1))
    #expect(machine.open() == StreamID(3))
    #expect(machine.open() == nil)
    machine.connection.closed(StreamID(1))
    #expect(machine.open() == StreamID(5))
  }

  @Test func `before the server's settings one stream is opened`() {
    let machine = Machine(.client)
    #expect(machine.open() == StreamID(1))
    #expect(machine.open() == nil, "a server may allow no second")
  }

  @Test func `the stream numbers run out`() throws {
    let machine = try Machine.greeted(.client)
    machine.connection.nextStream = 0x7fff_ffff
    #expect(machine.open() == StreamID.last)
    #expect(machine.open() == nil)
  }
}

@Suite struct `The stream table` {
  @Test(arguments: UInt64(1)...10)
  func `behaves as a dictionary does`(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var table = StreamTable()
    var model: [StreamID: Int] = [:]
    for step in 0..<4_000 {
      let id = StreamID((UInt32.random(in: 0...300, using: &generator) << (seed % 3 * 7)) * 2 + 1)
      if let index = table.find(id) {
        #expect(table[index].sendWindow == model[id])
        if Bool.random(using: &generator) {
          table.remove(at: index)
          model[id] = nil
        }
      } else {
        #expect(model[id] == nil)
        table.insert(Stream(id: id, sendWindow: step, receiveWindow: 0))
        model[id] = step
      }
      #expect(table.count == model.count)
    }
    for id in model.keys { #expect(table.find(id) != nil) }
  }
}
