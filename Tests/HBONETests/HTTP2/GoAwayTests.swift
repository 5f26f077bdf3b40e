import Testing

@testable import HBONE

@Suite struct `GOAWAY` {
  @Test func `a server drains in two steps`() throws {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(1))
    machine.connection.goAway(.noError)
    #expect(machine.isDraining)
    #expect(
      machine.output() == [.goAway(0x7fff_ffff, .noError), .ping(HTTP2Connection.drainPing)])
    #expect(!machine.isDrained)
    // Still on its way when the peer was told.
    #expect(try machine.feed(.connect(3)).count == 1)
    #expect(try machine.feed(.ping(HTTP2Connection.drainPing, flags: .acknowledge)).isEmpty)
    #expect(machine.output() == [.goAway(3, .noError)])
    #expect(machine.isDrained)
    #expect(try machine.feed(.connect(5)).isEmpty)
    #expect(machine.output() == [.reset(5, .refusedStream)])
    #expect(try machine.feed(.data(5, 10), .reset(5, .cancel), .data(3, 1)).count == 1)
    machine.connection.goAway(.noError)
    #expect(machine.output().isEmpty)
  }

  @Test func `a drain that hears no echo is finished by asking again`() throws {
    let machine = try Machine.greeted(.server)
    machine.connection.goAway(.noError)
    machine.connection.goAway(.noError)
    #expect(machine.output().last == .goAway(0, .noError))
  }

  @Test func `an error ends at once`() throws {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(7))
    machine.connection.goAway(.enhanceYourCalm)
    #expect(machine.output() == [.goAway(7, .enhanceYourCalm)])
  }

  @Test func `a client opens nothing after either side said it`() throws {
    let ours = try Machine.greeted(.client)
    ours.connection.goAway(.noError)
    #expect(ours.output() == [.goAway(0, .noError)])
    #expect(ours.open() == nil)
    let theirs = try Machine.greeted(.client)
    #expect(
      try theirs.feed(.goAway(0x7fff_ffff, .noError, debug: "bye"))
        == [.goAway(lastStream: .last, .noError)])
    #expect(theirs.isDraining)
    #expect(theirs.open() == nil)
  }

  @Test func `streams the server will not serve come back for a retry, the others run on`() throws {
    let machine = try Machine.greeted(.client)
    let streams = try (0..<4).map { _ in try machine.openTunnel() }
    let events = try machine.feed(.goAway(3, .noError), .data(3, 5), .data(7, 5))
    #expect(
      Set(
        events.prefix(2).compactMap {
          if case .reset(let id, .refusedStream) = $0 { id } else { nil }
        })
        == Set(streams[2...]))
    #expect(
      events.dropFirst(2) == [
        .goAway(lastStream: StreamID(3), .noError),
        .data(StreamID(3), offset: 9, count: 5, isEnd: false),
      ])
    #expect(machine.activeStreams == 2)
    #expect(machine.canSend(streams[1]))
    #expect(!machine.canSend(streams[2]))
  }

  @Test func `the debug text is skipped however it comes`() throws {
    let machine = try Machine.greeted(.client)
    let bytes = Frame.goAway(0, .internalError, debug: String(repeating: "why", count: 500)).bytes
    var events: [Event] = []
    for byte in bytes { events += try machine.feed([byte]) }
    #expect(events == [.goAway(lastStream: StreamID(0), .internalError)])
    #expect(try machine.feed(.ping(1)).isEmpty)
  }
}
