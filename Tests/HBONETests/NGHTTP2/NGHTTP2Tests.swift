import CNGHTTP2
import Testing
import TestSupport

@testable import HBONE

/// Our machine and an nghttp2 session, bytes moved by hand.
private struct Duet {
  let ours: Machine
  let theirs: Oracle

  /// Moves bytes until neither has any; in pieces, so that frames are cut.
  @discardableResult
  func exchange(piece: Int = 1_000, while acting: (Event) -> Void = { _ in }) throws -> [Event] {
    var events: [Event] = []
    for _ in 0..<100_000 {
      let outgoing = ours.takeControl()
      if !outgoing.isEmpty { try theirs.receive(outgoing) }
      let incoming = try theirs.send()
      if outgoing.isEmpty, incoming.isEmpty { return events }
      for start in stride(from: 0, to: incoming.count, by: piece) {
        for event in try ours.feed(Array(incoming[start..<min(start + piece, incoming.count)])) {
          events.append(event)
          acting(event)
        }
      }
    }
    Issue.record("the two never come to rest")
    return events
  }

  /// Sends as much of `bytes` from `sent` as there is credit for.
  func send(_ stream: StreamID, _ bytes: [UInt8], from sent: inout Int, andEnd: Bool) throws {
    while sent < bytes.count {
      let count = min(bytes.count - sent, ours.sendCredit(stream))
      guard count > 0 else { return }
      try frame(
        stream, bytes[sent..<sent + count], endStream: andEnd && sent + count == bytes.count)
      sent += count
    }
  }

  func frame(_ stream: StreamID, _ bytes: ArraySlice<UInt8>, endStream: Bool) throws {
    try theirs.receive(ours.takeControl())
    let header = ours.connection.writeDataHeader(stream, count: bytes.count, endStream: endStream)
    try theirs.receive(header.indices.map { header[$0] } + bytes)
  }
}

private func randomBytes(_ count: Int, _ generator: inout SeededGenerator) -> [UInt8] {
  (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
}

private let initialWindow = Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue)
private let tableSize = Int32(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE.rawValue)

@Suite struct `Our client and nghttp2's server` {
  @Test(arguments: [UInt64(1), 2, 3], [UInt32(200), 65_535])
  func `echo megabytes over many streams through small windows`(seed: UInt64, window: UInt32) throws
  {
    var generator = SeededGenerator(seed: seed)
    var settings = LocalSettings.default
    settings.streamWindow = Int(window)
    settings.connectionWindow = 100_000
    let duet = Duet(
      ours: Machine(.client, settings: settings),
      theirs: try Oracle(.server, settings: [(initialWindow, window)]))
    var sent: [StreamID: (bytes: [UInt8], count: Int)] = [:]
    for number in 0..<20 {
      // One before it has heard of the small windows.
      if number == 1 { try duet.exchange() }
      let stream = try #require(duet.ours.open())
      sent[stream] = (randomBytes(Int.random(in: 1...20_000, using: &generator), &generator), 0)
    }
    var received: [StreamID: Int] = [:]
    var ended: Set<StreamID> = []
    for _ in 0..<10_000 where ended.count < sent.count {
      try duet.exchange(piece: Int.random(in: 1...3_000, using: &generator)) { event in
        guard case .data(let stream, _, let count, let isEnd) = event else { return }
        received[stream, default: 0] += count
        duet.ours.connection.consumed(stream, count: count)
        if isEnd { ended.insert(stream) }
      }
      for (stream, var transfer) in sent.sorted(by: { $0.key < $1.key }) {
        try duet.send(stream, transfer.bytes, from: &transfer.count, andEnd: true)
        sent[stream] = transfer
      }
    }
    for (stream, transfer) in sent {
      #expect(received[stream] == transfer.bytes.count)
      #expect(duet.theirs.exchanges[Int32(stream.rawValue)]?.received == transfer.bytes)
      #expect(duet.theirs.exchanges[Int32(stream.rawValue)]?.closedWith == 0)
    }
  }

  @Test func `understand each other's headers, large ones in CONTINUATION too`() throws {
    let duet = Duet(ours: Machine(.client), theirs: try Oracle(.server))
    try duet.exchange()
    let large = String(repeating: "a~b", count: 15_000)
    let stream = try #require(
      duet.ours.open("[fd00::7]:80", headers: [HeaderField(name: "baggage", value: large)]))
    let frames = Frame.all(in: duet.ours.takeControl())
    #expect(frames.map(\.type) == [.headers, .continuation, .continuation])
    try duet.theirs.receive(frames.flatMap(\.bytes))
    let events = try duet.exchange()
    #expect(duet.theirs.exchanges[1]?.headers["baggage"] == large)
    #expect(duet.theirs.exchanges[1]?.headers[":authority"] == "[fd00::7]:80")
    let headers = [HeaderField(name: "baggage", value: "service.name=echo")]
    #expect(events == [.response(stream, Response(status: 200, headers: headers))])
  }

  @Test func `reset both ways`() throws {
    let duet = Duet(ours: Machine(.client), theirs: try Oracle(.server))
    let one = try #require(duet.ours.open())
    try duet.exchange()
    let two = try #require(duet.ours.open())
    try duet.exchange()
    duet.ours.connection.reset(one, .cancel)
    duet.theirs.reset(3, .connectError)
    #expect(try duet.exchange() == [.reset(two, .connectError)])
    #expect(duet.theirs.exchanges[1]?.closedWith == ErrorCode.cancel.rawValue)
  }

  @Test func `follow changed settings in the middle`() throws {
    let duet = Duet(
      ours: Machine(.client), theirs: try Oracle(.server, settings: [(initialWindow, 1_000)]))
    let stream = try #require(duet.ours.open())
    try duet.exchange()
    #expect(duet.ours.sendCredit(stream) == 1_000)
    try duet.frame(stream, [UInt8](repeating: 7, count: 400)[...], endStream: false)
    try duet.theirs.submitSettings([(initialWindow, 100), (tableSize, 0)])
    #expect(try duet.exchange().contains(.peerSettings))
    // It gives back at once what it has consumed, as that is more than half of the new window.
    #expect(duet.ours.sendCredit(stream) == 100)
    try duet.theirs.submitSettings([(initialWindow, 5_000), (tableSize, 4_096)])
    try duet.exchange()
    #expect(duet.ours.sendCredit(stream) == 5_000)
    for number in 0..<5 {
      let headers = [HeaderField(name: "x-number", value: "\(number)")]
      let next = try #require(duet.ours.open("a:1", headers: headers))
      try duet.exchange()
      let seen = duet.theirs.exchanges[Int32(next.rawValue)]?.headers["x-number"]
      #expect(seen == "\(number)")
    }
  }

  @Test func `end gracefully when the server shuts down`() throws {
    let duet = Duet(ours: Machine(.client), theirs: try Oracle(.server))
    let stream = try #require(duet.ours.open())
    try duet.exchange()
    duet.theirs.announceShutdown()
    #expect(try duet.exchange() == [.goAway(lastStream: .last, .noError)])
    #expect(duet.ours.open() == nil)
    try duet.frame(stream, [1, 2, 3], endStream: true)
    let events = try duet.exchange()
    #expect(events.contains { if case .data(stream, _, 3, _) = $0 { true } else { false } })
    duet.theirs.terminate(.noError)
    #expect(try duet.exchange() == [.goAway(lastStream: stream, .noError)])
  }

  @Test func `ping both ways`() throws {
    let duet = Duet(ours: Machine(.client), theirs: try Oracle(.server))
    try duet.exchange()
    duet.ours.connection.ping(99)
    duet.theirs.ping()
    #expect(try duet.exchange() == [.pingAcknowledged(99)])
  }
}

@Suite struct `nghttp2's client and our server` {
  /// Echoes what comes, ends when the client does.
  private static func echo(_ duet: Duet, _ waiting: inout [StreamID: (count: Int, isEnd: Bool)])
    throws
  {
    for stream in waiting.keys.sorted() {
      guard let transfer = waiting[stream] else { continue }
      let count = min(transfer.count, duet.ours.sendCredit(stream))
      let isEnd = transfer.isEnd && count == transfer.count
      guard count > 0 || isEnd else { continue }
      try duet.frame(stream, [UInt8](repeating: 0x65, count: count)[...], endStream: isEnd)
      waiting[stream] = isEnd ? nil : (transfer.count - count, transfer.isEnd)
      if isEnd { duet.ours.connection.closed(stream) }
    }
  }

  @Test(arguments: [UInt64(4), 5, 6], [UInt32(300), 65_535])
  func `carry as much back as came, through small windows`(seed: UInt64, window: UInt32) throws {
    var generator = SeededGenerator(seed: seed)
    var settings = LocalSettings.default
    settings.streamWindow = Int(window)
    settings.connectionWindow = 80_000
    let duet = Duet(
      ours: Machine(.server, settings: settings),
      theirs: try Oracle(.client, settings: [(initialWindow, window)]))
    var expected: [Int32: Int] = [:]
    for _ in 0..<20 {
      let stream = try duet.theirs.connect("10.0.0.7:80", headers: [("baggage", "a=b")])
      let count = Int.random(in: 0...20_000, using: &generator)
      duet.theirs.write(stream, randomBytes(count, &generator), isEnd: true)
      expected[stream] = count
    }
    var waiting: [StreamID: (count: Int, isEnd: Bool)] = [:]
    for _ in 0..<10_000 where duet.theirs.exchanges.values.contains(where: { $0.closedWith == nil })
    {
      try duet.exchange(piece: Int.random(in: 1...3_000, using: &generator)) { event in
        switch event {
        case .connectRequest(let stream, let request):
          #expect(request.headers == [HeaderField(name: "baggage", value: "a=b")])
          duet.ours.connection.respond(stream, status: 200, headers: [], endStream: false)
        case .data(let stream, _, let count, let isEnd):
          duet.ours.connection.consumed(stream, count: count)
          waiting[stream, default: (0, false)].count += count
          waiting[stream]?.isEnd = isEnd
        case .response, .reset, .windowOpened, .goAway, .pingAcknowledged, .peerSettings:
          break
        }
      }
      try Self.echo(duet, &waiting)
    }
    for (stream, count) in expected {
      let exchange = try #require(duet.theirs.exchanges[stream])
      #expect(exchange.headers[":status"] == "200")
      #expect(exchange.received.count == count)
      #expect(exchange.closedWith == 0)
    }
    #expect(duet.ours.liveStreams == 0)
  }

  @Test func `take large headers in CONTINUATION frames`() throws {
    let duet = Duet(ours: Machine(.server), theirs: try Oracle(.client))
    try duet.exchange()
    let large = String(repeating: "a~b", count: 15_000)
    let id = try duet.theirs.connect("10.0.0.7:80", headers: [("baggage", large)])
    let request = ConnectRequest(
      authority: "10.0.0.7:80", headers: [HeaderField(name: "baggage", value: large)])
    #expect(try duet.exchange(piece: 77) == [.connectRequest(StreamID(UInt32(id)), request)])
    duet.ours.connection.respond(
      StreamID(UInt32(id)), status: 401, headers: [HeaderField(name: "why", value: large)],
      endStream: true)
    try duet.exchange()
    #expect(duet.theirs.exchanges[id]?.headers["why"] == large)
    #expect(duet.theirs.exchanges[id]?.headers[":status"] == "401")
    #expect(duet.theirs.exchanges[id]?.hasReceivedEnd == true)
  }

  @Test func `drain in two steps, and refuse what comes after`() throws {
    let duet = Duet(ours: Machine(.server), theirs: try Oracle(.client))
    let one = try duet.theirs.connect("10.0.0.7:80")
    try duet.exchange()
    duet.ours.connection.goAway(.noError)
    let late = try duet.theirs.connect("10.0.0.7:80")
    let late2 = try duet.theirs.send()
    #expect(try duet.ours.feed(late2).count == 1)
    try duet.exchange()
    #expect(duet.theirs.goAway?.last == late)
    #expect(duet.theirs.exchanges[one]?.closedWith == nil)
  }

  @Test func `reset both ways`() throws {
    let duet = Duet(ours: Machine(.server), theirs: try Oracle(.client))
    let one = try duet.theirs.connect("10.0.0.7:80")
    let two = try duet.theirs.connect("10.0.0.7:80")
    try duet.exchange()
    duet.theirs.reset(one, .cancel)
    duet.ours.connection.reset(StreamID(UInt32(two)), .connectError)
    #expect(try duet.exchange() == [.reset(StreamID(UInt32(one)), .cancel)])
    #expect(duet.theirs.exchanges[two]?.closedWith == ErrorCode.connectError.rawValue)
  }

  @Test func `an error of ours reaches the other side`() throws {
    let duet = Duet(ours: Machine(.server), theirs: try Oracle(.client))
    try duet.exchange()
    #expect(throws: ConnectionError.windowIncrementZero) {
      _ = try duet.ours.feed(.windowUpdate(0, 0))
    }
    try duet.theirs.receive(duet.ours.takeControl())
    #expect(duet.theirs.goAway?.code == ErrorCode.protocolError.rawValue)
  }
}
