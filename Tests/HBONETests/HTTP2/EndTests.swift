import Testing

@testable import HBONE

@Suite struct `Streams that have ended` {
  /// A server whose stream 1 is over for both sides and let go.
  private static func afterOne() throws -> Machine {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(1, flags: [.endHeaders, .endStream]))
    machine.connection.respond(StreamID(1), status: 200, headers: [], endStream: true)
    machine.connection.closed(StreamID(1))
    _ = machine.output()
    return machine
  }

  @Test func `a request may end with its headers`() throws {
    let machine = try Machine.greeted(.server)
    let request = ConnectRequest(authority: "10.0.0.7:80", isEnd: true)
    let events = try machine.feed(.connect(1, flags: [.endHeaders, .endStream]))
    #expect(events == [.connectRequest(StreamID(1), request)])
    #expect(try machine.feed(.data(1, 1)) == [.reset(StreamID(1), .streamClosed)])
  }

  @Test func `an answer may end with its headers`() throws {
    let machine = try Machine.greeted(.client)
    _ = machine.open()
    let events = try machine.feed(
      .headers(1, [(":status", "503")], flags: [.endHeaders, .endStream]))
    #expect(events == [.response(StreamID(1), Response(status: 503, isEnd: true))])
    machine.connection.closed(StreamID(1))
    #expect(machine.liveStreams == 0)
  }

  @Test func `an informational answer may not`() throws {
    let machine = try Machine.greeted(.client)
    _ = machine.open()
    let events = try machine.feed(
      .headers(1, [(":status", "100")], flags: [.endHeaders, .endStream]))
    #expect(events == [.reset(StreamID(1), .protocolError)])
  }

  @Test func `DATA long after is answered, not told`() throws {
    let machine = try Self.afterOne()
    #expect(try machine.feed(.data(1, 10)).isEmpty)
    #expect(machine.output() == [.reset(1, .streamClosed)])
    #expect(try machine.feed(.data(1, 10)).isEmpty)
    #expect(machine.output().isEmpty)
  }

  @Test func `a number is not used twice`() throws {
    let machine = try Self.afterOne()
    #expect(throws: ConnectionError.streamNumberInvalid(StreamID(1))) {
      _ = try machine.feed(.connect(1))
    }
  }

  @Test func `a client answers headers long after`() throws {
    let machine = try Machine.greeted(.client)
    let stream = try machine.openTunnel()
    _ = machine.connection.writeDataHeader(stream, count: 0, endStream: true)
    _ = try machine.feed(.data(1, 0, flags: .endStream))
    machine.connection.closed(stream)
    #expect(try machine.feed(.headers(1, [("x", "y")], flags: [.endHeaders, .endStream])).isEmpty)
    #expect(machine.output() == [.reset(1, .streamClosed)])
  }

  @Test func `what comes between a reset and its closing is dropped`() throws {
    let machine = try Machine.greeted(.client)
    let stream = try machine.openTunnel()
    machine.connection.reset(stream, .cancel)
    _ = machine.output()
    let late = Frame.headers(1, [("x", "y")], flags: [.endHeaders, .endStream])
    #expect(try machine.feed(.data(1, 10), late, .windowUpdate(1, 1)).isEmpty)
    #expect(machine.output().isEmpty)
    #expect(machine.liveStreams == 1)
  }

  @Test func `an answer above the header limit costs the stream`() throws {
    let machine = try Machine.greeted(.client)
    _ = machine.open()
    let large = String(repeating: "x", count: Limit.clientHeaderListBytes)
    let events = try machine.feed(.headers(1, [(":status", "200"), ("x", large)]))
    #expect(events == [.reset(StreamID(1), .enhanceYourCalm)])
  }

  @Test func `an error after a drain names no later stream than the drain did`() throws {
    let machine = try Self.afterOne()
    machine.connection.goAway(.noError)
    machine.connection.goAway(.noError)
    _ = machine.output()
    _ = try machine.feed(.connect(3))
    #expect(throws: ConnectionError.windowIncrementZero) {
      _ = try machine.feed(.windowUpdate(0, 0))
    }
    #expect(machine.output().last?.payload.prefix(4) == [0, 0, 0, 1])
  }

  @Test func `one byte at a time or all at once, the same happens`() throws {
    var padded = Frame.connect(3, flags: [.endHeaders, .padded, .priority])
    padded.payload = [4, 0, 0, 0, 0, 9] + padded.payload + [0, 0, 0, 0]
    let frames: [Frame] = [
      .connect(1), padded, .ping(5), .data(1, 700), .settings([(4, 9), (1, 0)]),
      .goAway(0, .noError, debug: "later"), .windowUpdate(1, 9), .reset(3, .cancel),
      .data(1, 0, flags: .endStream), Frame(type: FrameType(rawValue: 0x42), payload: [1, 2, 3]),
    ]
    let bytes = frames.flatMap(\.bytes)
    let whole = try Machine.greeted(.server)
    let parts = try Machine.greeted(.server)
    let expected = try whole.feed(bytes)
    var seen: [Event] = []
    var count = 0
    for byte in bytes {
      for event in try parts.feed([byte]) {
        if case .data(_, _, let piece, false) = event { count += piece } else { seen.append(event) }
      }
    }
    #expect(count == 700)
    #expect(seen.count == expected.count - 1)
    #expect(whole.output() == parts.output())
  }
}
