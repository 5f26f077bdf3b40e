import MeshModel
import Testing

@testable import HBONE

private struct Attack: CustomTestStringConvertible, Sendable {
  var says: String
  var role = Role.server
  var abuse: ConnectionError.Abuse
  /// What the peer sends in round `n`.
  var round: @Sendable (Int) -> [Frame]
  /// Rounds it must survive, and rounds within which it must be stopped.
  var rounds: ClosedRange<Int>
  /// The caller lets go of every stream that was reset.
  var closes = true
  var reads = true
  var testDescription: String { "\(says): \(abuse)" }
}

private func stream(_ round: Int) -> UInt32 { UInt32(round) * 2 + 3 }

private let attacks: [Attack] = [
  Attack(
    says: "opens and resets (CVE-2023-44487)", abuse: .rapidReset,
    round: { [.connect(stream($0)), .reset(stream($0), .cancel)] }, rounds: 900...1_010),
  Attack(
    says: "opens and resets faster than the caller closes", abuse: .tooManyRefusals,
    round: { [.connect(stream($0)), .reset(stream($0), .cancel)] }, rounds: 1_300...1_410,
    closes: false),
  Attack(
    says: "resets a stream again and again (CVE-2019-9514)", abuse: .resetStorm,
    round: { _ in [.reset(1, .cancel)] }, rounds: 19_000...20_010),
  Attack(
    says: "makes us reset by zero increments (CVE-2025-8671)", abuse: .tooManyStreamErrors,
    round: { [.connect(stream($0)), .windowUpdate(stream($0), 0)] }, rounds: 150...210),
  Attack(
    says: "makes us reset by malformed requests", abuse: .tooManyStreamErrors,
    round: { [.headers(stream($0), [("x", "y")])] }, rounds: 150...210),
  Attack(
    says: "opens beyond the cap", abuse: .tooManyRefusals, round: { [.connect(stream($0))] },
    rounds: 900...1_250),
  Attack(
    says: "sends settings (CVE-2019-9515)", abuse: .settingsFlood, round: { _ in [.settings()] },
    rounds: 50...110),
  Attack(
    says: "sends one large SETTINGS (CVE-2020-11080)", abuse: .tooManySettings,
    round: { _ in [.settings((0..<65).map { _ in (4, 1) })] }, rounds: 0...1),
  Attack(
    says: "pings (CVE-2019-9512)", abuse: .pingFlood, round: { _ in [.ping(1)] },
    rounds: 900...1_010),
  Attack(
    says: "answers pings nobody sent", abuse: .pingFlood,
    round: { _ in [.ping(1, flags: .acknowledge)] }, rounds: 900...1_010),
  Attack(
    says: "sends empty DATA (CVE-2019-9518)", abuse: .emptyFrameFlood,
    round: { _ in [.data(1, 0)] }, rounds: 900...1_010),
  Attack(
    says: "sends padding", abuse: .emptyFrameFlood,
    round: { _ in
      [
        Frame(
          type: .data, flags: .padded, stream: 1, payload: [20] + Array(repeating: 0, count: 30))
      ]
    }, rounds: 900...1_010),
  Attack(
    says: "sends PRIORITY (CVE-2019-9513)", abuse: .ignoredFrameFlood,
    round: { _ in [Frame(type: .priority, stream: 1, payload: [0, 0, 0, 0, 0])] },
    rounds: 900...1_010),
  Attack(
    says: "sends unknown frames", abuse: .ignoredFrameFlood,
    round: { _ in [Frame(type: FrameType(rawValue: 0xee))] }, rounds: 900...1_010),
  Attack(
    says: "answers 103 for ever", role: .client, abuse: .ignoredFrameFlood,
    round: { _ in [.headers(1, [(":status", "103")])] }, rounds: 900...1_010),
  Attack(
    says: "sends window updates", abuse: .windowUpdateFlood,
    round: { _ in [.windowUpdate(0, 100)] }, rounds: 9_000...10_010),
  Attack(
    says: "continues a header block with nothing (CVE-2024-27316)", abuse: .tooManyContinuations,
    round: { $0 == 0 ? [.connect(3, flags: [])] : [Frame(type: .continuation, stream: 3)] },
    rounds: 60...66),
  Attack(
    says: "continues a header block for long", abuse: .headerBlockTooLong,
    round: {
      let payload = [UInt8](repeating: 0x82, count: 16_000)
      return $0 == 0
        ? [Frame(type: .headers, stream: 3, payload: payload)]
        : [Frame(type: .continuation, stream: 3, payload: payload)]
    }, rounds: 4...5),
  Attack(
    says: "never reads what it asks for", abuse: .controlBacklog,
    round: { _ in (0..<90).map { .ping($0) } + [.settings()] }, rounds: 90...300, reads: false),
]

@Suite struct `Abuse is stopped` {
  @Test(arguments: attacks)
  private func `at the named limit and not before`(attack: Attack) throws {
    let machine = try Machine.greeted(attack.role)
    switch attack.role {
    case .server: _ = try machine.feed(.connect(1))
    case .client: _ = machine.open()
    }
    var survived = 0
    let error = #expect(throws: ConnectionError.self) {
      while survived < attack.rounds.upperBound {
        // A backlog builds up slowly, so that no rate is what stops it.
        machine.now = machine.now + .milliseconds(attack.reads ? 0 : 1_000)
        for event in try machine.feed(attack.round(survived)) {
          if case .reset(let id, _) = event, attack.closes { machine.connection.closed(id) }
        }
        if attack.reads { _ = machine.output() }
        survived += 1
      }
    }
    #expect(error == .abuse(attack.abuse))
    #expect(error?.code == .enhanceYourCalm)
    #expect(attack.rounds.contains(survived))
    #expect(machine.output().last?.type == .goAway)
  }

  @Test func `a window dribbled by the byte (CVE-2019-9511)`() throws {
    let machine = try Machine.greeted(.client, peer: [(4, 0)])
    let stream = try machine.openTunnel()
    #expect(throws: ConnectionError.abuse(.windowDribble)) {
      for _ in 0..<1_200 {
        let events = try machine.feed(.windowUpdate(1, 1))
        #expect(events == [.windowOpened(stream)])
        _ = machine.connection.writeDataHeader(stream, count: 1, endStream: false)
      }
    }
  }

  @Test func `tiny DATA at a rate no honest sender has`() throws {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(1))
    let batch = (0..<1_000).flatMap { _ in Frame.data(1, 1).bytes }
    #expect(throws: ConnectionError.abuse(.tinyFrameFlood)) {
      for _ in 0..<201 {
        _ = try machine.feed(batch)
        machine.connection.consumed(StreamID(1), count: 1_000)
        _ = machine.output()
      }
    }
  }

  @Test func `a header list above the limit costs the stream, and the tables stay in step`() throws
  {
    let machine = try Machine.greeted(.server)
    let large = [(":method", "CONNECT"), ("x", String(repeating: "y", count: 65_450))]
    var frame = Frame.headers(1, large + [("z", "z")], flags: .endHeaders)
    frame.payload += [0x40, 1, 0x61, 1, 0x62]
    #expect(try machine.feed(frame).isEmpty)
    #expect(machine.output() == [.reset(1, .enhanceYourCalm)])
    var next = Frame.connect(3)
    next.payload.append(0xbe)
    let headers = [HeaderField(name: "a", value: "b")]
    #expect(
      try machine.feed(next) == [
        .connectRequest(StreamID(3), ConnectRequest(authority: "10.0.0.7:80", headers: headers))
      ])
  }

  @Test func `too many headers cost the stream`() throws {
    let machine = try Machine.greeted(.server)
    let many = (0..<Limit.headersPerList).map { _ in ("x", "") }
    #expect(try machine.feed(.headers(1, [(":method", "CONNECT")] + many)).isEmpty)
    #expect(machine.output() == [.reset(1, .enhanceYourCalm)])
  }

  @Test func `the memory of resets is bounded`() {
    var resets = RecentResets()
    for number in 0..<10_000 { resets.insert(StreamID(UInt32(number) * 2 + 1)) }
    #expect(resets.contains(StreamID(19_999)))
    #expect(resets.contains(StreamID(19_999 - 2 * UInt32(Limit.rememberedResets - 1))))
    #expect(!resets.contains(StreamID(19_999 - 2 * UInt32(Limit.rememberedResets))))
    #expect(MemoryLayout<Stream>.size <= 48)
  }
}

@Suite struct `What honest peers do is no abuse` {
  @Test func `a ping every ten seconds for a week`() throws {
    let machine = try Machine.greeted(.server)
    for _ in 0..<60_480 {
      machine.now = machine.now + .seconds(10)
      _ = try machine.feed(.ping(7))
      #expect(machine.output().count == 1)
    }
  }

  @Test func `300 000 one-byte messages at 200 000 a second`() throws {
    let machine = try Machine.greeted(.server)
    _ = try machine.feed(.connect(1))
    let batch = (0..<1_000).flatMap { _ in Frame.data(1, 1).bytes }
    for _ in 0..<300 {
      machine.now = machine.now + .milliseconds(5)
      _ = try machine.feed(batch)
      machine.connection.consumed(StreamID(1), count: 1_000)
    }
  }

  @Test func `two window updates for every DATA frame it gets`() throws {
    let machine = try Machine.greeted(.client)
    let stream = try machine.openTunnel()
    for _ in 0..<20_000 {
      _ = machine.connection.writeDataHeader(stream, count: 100, endStream: false)
      _ = try machine.feed(.windowUpdate(1, 100), .windowUpdate(0, 100))
    }
  }

  @Test func `five thousand tunnels a second that the client cancels after use`() throws {
    let machine = try Machine.greeted(.server)
    for number in 0..<20_000 {
      machine.now = machine.now + .microseconds(200)
      let id = stream(number)
      _ = try machine.feed(.connect(id))
      machine.connection.respond(StreamID(id), status: 200, headers: [], endStream: false)
      _ = try machine.feed(.data(id, 10), .reset(id, .cancel))
      machine.connection.closed(StreamID(id))
      _ = machine.output()
    }
  }
}
