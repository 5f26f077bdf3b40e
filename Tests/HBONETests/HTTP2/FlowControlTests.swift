import Testing

@testable import HBONE

@Suite struct `Flow control, sending` {
  @Test func `credit is the least of stream, connection and frame`() throws {
    let machine = try Machine.greeted(.client, peer: [(4, 30_000)])
    let one = try machine.openTunnel()
    let two = try machine.openTunnel()
    let three = try machine.openTunnel()
    #expect(machine.sendCredit(one) == 16_384)
    _ = machine.connection.writeDataHeader(one, count: 16_384, endStream: false)
    #expect(machine.sendCredit(one) == 30_000 - 16_384)
    _ = machine.connection.writeDataHeader(one, count: 13_616, endStream: false)
    #expect(machine.sendCredit(one) == 0)
    _ = machine.connection.writeDataHeader(two, count: 16_384, endStream: false)
    _ = machine.connection.writeDataHeader(two, count: 13_616, endStream: false)
    #expect(machine.sendCredit(three) == 65_535 - 60_000)
    #expect(try machine.feed(.settings([(5, 1 << 20)])) == [.peerSettings])
    #expect(machine.sendCredit(three) == 65_535 - 60_000)
  }

  @Test func `an opened window is told only when credit had run out`() throws {
    let machine = try Machine.greeted(.client, peer: [(4, 10)])
    let stream = try machine.openTunnel()
    #expect(try machine.feed(.windowUpdate(1, 5), .windowUpdate(0, 5)).isEmpty)
    _ = machine.connection.writeDataHeader(stream, count: 15, endStream: false)
    #expect(try machine.feed(.windowUpdate(1, 5)) == [.windowOpened(stream)])
    #expect(try machine.feed(.windowUpdate(1, 5)).isEmpty)
  }

  @Test func `an exhausted connection wakes everybody`() throws {
    let machine = try Machine.greeted(.client, peer: [(4, 1 << 20), (5, 1 << 20)])
    let stream = try machine.openTunnel()
    #expect(machine.sendCredit(stream) == 65_535)
    _ = machine.connection.writeDataHeader(stream, count: 65_535, endStream: false)
    #expect(machine.sendCredit(stream) == 0)
    #expect(try machine.feed(.windowUpdate(0, 5)) == [.windowOpened(nil)])
    #expect(machine.sendCredit(stream) == 5)
  }

  @Test func `a lowered initial window goes below zero and must be earned back`() throws {
    let machine = try Machine.greeted(.client, peer: [(4, 1_000)])
    let stream = try machine.openTunnel()
    _ = machine.connection.writeDataHeader(stream, count: 900, endStream: false)
    #expect(try machine.feed(.settings([(4, 0)])) == [.peerSettings])
    #expect(machine.sendCredit(stream) == 0)
    #expect(try machine.feed(.windowUpdate(1, 900)).isEmpty)
    #expect(machine.sendCredit(stream) == 0)
    #expect(try machine.feed(.windowUpdate(1, 1)) == [.windowOpened(stream)])
    #expect(try machine.feed(.settings([(4, 100)])) == [.peerSettings])
    #expect(machine.sendCredit(stream) == 101)
  }

  @Test func `an end costs no credit`() throws {
    let machine = try Machine.greeted(.client, peer: [(4, 0)])
    let stream = try machine.openTunnel()
    let header = machine.connection.writeDataHeader(stream, count: 0, endStream: true)
    #expect(
      header.indices.map { header[$0] } == Frame.data(1, 0, flags: .endStream).bytes)
  }

  @Test func `spending more than the credit is a bug and traps`() async {
    await #expect(processExitsWith: .failure) {
      let machine = try Machine.greeted(.client)
      let stream = try machine.openTunnel()
      _ = machine.connection.writeDataHeader(stream, count: 16_385, endStream: false)
    }
  }
}

@Suite struct `Flow control, receiving` {
  private static func server(stream: Int, connection: Int = 1 << 20) throws -> Machine {
    var settings = LocalSettings.default
    settings.streamWindow = stream
    settings.connectionWindow = connection
    let machine = try Machine.greeted(.server, settings: settings)
    _ = try machine.feed(.connect(1))
    machine.connection.respond(StreamID(1), status: 200, headers: [], endStream: false)
    _ = machine.output()
    return machine
  }

  @Test func `the greeting tells the windows`() {
    let frames = Machine(.server).output()
    #expect(frames.map(\.type) == [.settings, .windowUpdate])
    #expect(frames[1] == .windowUpdate(0, 16 << 20 - 65_535))
    #expect(
      frames[0]
        == .settings([
          (1, 4_096), (4, 4 << 20), (5, 1 << 20), (6, 64 << 10), (3, 200),
        ]))
    let client = Machine(.client)
    #expect(client.output()[0].payload.suffix(6) == [0, 2, 0, 0, 0, 0])
  }

  @Test func `nothing is given back before the application has consumed`() throws {
    let machine = try Self.server(stream: 100_000)
    _ = try machine.feed(.data(1, 60_000))
    #expect(machine.output().isEmpty)
    machine.connection.consumed(StreamID(1), count: 49_999)
    #expect(machine.output().isEmpty)
    machine.connection.consumed(StreamID(1), count: 1)
    #expect(machine.output() == [.windowUpdate(1, 50_000)])
  }

  @Test func `a stream that has ended gets no more credit, the connection does`() throws {
    let machine = try Self.server(stream: 100_000, connection: 100_000)
    _ = try machine.feed(.data(1, 60_000, flags: .endStream))
    machine.connection.consumed(StreamID(1), count: 60_000)
    #expect(machine.output() == [.windowUpdate(0, 60_000)])
  }

  @Test func `what a closed stream still held goes back to the connection`() throws {
    let machine = try Self.server(stream: 100_000, connection: 100_000)
    _ = try machine.feed(.data(1, 60_000))
    machine.connection.closed(StreamID(1))
    #expect(machine.output() == [.reset(1, .cancel), .windowUpdate(0, 60_000)])
    machine.connection.consumed(StreamID(1), count: 60_000)
    #expect(machine.output().isEmpty)
  }

  @Test func `DATA for a reset stream goes back to the connection, also in mid-frame`() throws {
    let machine = try Self.server(stream: 200_000, connection: 200_000)
    let bytes = Frame.data(1, 120_000).bytes
    _ = try machine.feed(Array(bytes[..<10_009]))
    machine.connection.reset(StreamID(1), .cancel)
    #expect(machine.output() == [.reset(1, .cancel)])
    #expect(try machine.feed(Array(bytes[10_009...])).isEmpty)
    #expect(machine.output() == [.windowUpdate(0, 110_000)])
    #expect(try machine.feed(.ping(1)).isEmpty)
  }

  @Test func `padding counts and goes back by itself`() throws {
    let machine = try Self.server(stream: 65_536, connection: 65_536)
    var frame = Frame.data(1, 300, flags: .padded)
    frame.payload[0] = 200
    var frames = 0
    while machine.connection.control.isEmpty {
      #expect(
        try machine.feed(frame) == [.data(StreamID(1), offset: 10, count: 99, isEnd: false)])
      frames += 1
      guard machine.connection.control.isEmpty else { break }
      machine.connection.consumed(StreamID(1), count: 99)
    }
    #expect(frames == 110)
    #expect(machine.output() == [.windowUpdate(0, 32_901), .windowUpdate(1, 32_901)])
  }

  @Test func `the connection window binds`() throws {
    let machine = try Self.server(stream: 1 << 20, connection: 65_535)
    _ = try machine.feed(.data(1, 65_535))
    #expect(throws: ConnectionError.windowExceeded) { _ = try machine.feed(.data(1, 1)) }
  }

  @Test func `a window below the default binds once the peer has acknowledged it`() throws {
    var settings = LocalSettings.default
    settings.streamWindow = 100
    let machine = Machine(.server, settings: settings)
    _ = try machine.feed(Array("\(ControlOutput.preface)".utf8))
    let early = try machine.feed(.settings(), .connect(1), .data(1, 50_000))
    #expect(early.last == .data(StreamID(1), offset: 9, count: 50_000, isEnd: false))
    _ = try machine.feed(.settingsAcknowledgement, .connect(3))
    #expect(try machine.feed(.data(3, 101)) == [.reset(StreamID(3), .flowControlError)])
    #expect(try machine.feed(.data(1, 1)) == [.reset(StreamID(1), .flowControlError)])
  }

  @Test(arguments: 1...30)
  func `DATA comes in whatever pieces the bytes do`(size: Int) throws {
    let machine = try Self.server(stream: 1 << 20)
    var frame = Frame.data(1, 40, flags: [.padded, .endStream])
    frame.payload[0] = 9
    var count = 0
    var ends = 0
    for start in stride(from: 0, to: frame.bytes.count, by: size) {
      let piece = Array(frame.bytes[start..<min(start + size, frame.bytes.count)])
      for case .data(_, _, let bytes, let isEnd) in try machine.feed(piece) {
        count += bytes
        ends += isEnd ? 1 : 0
      }
    }
    #expect(count == 30)
    #expect(ends == 1)
    #expect(try machine.feed(.ping(1)).isEmpty)
  }
}
