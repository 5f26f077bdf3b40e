import AgentProtocol
import MeshModel
import Telemetry
import Testing

@testable import NodeAgent

let web = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "web")
let api = SPIFFEID(trustDomain: "cluster.local", namespace: "shop", serviceAccount: "api")

func refusal(
  id: UInt64, _ cause: Refusal.Cause, from source: SPIFFEID? = web, _ ip: UInt32 = 0x0a00_0001
) -> Refusal {
  Refusal(
    id: id, direction: .inbound, at: WallTime(secondsSinceEpoch: Double(id)), generation: 3,
    sourceIdentity: source, destinationIdentity: api,
    source: SocketAddress(ip: .v4(ip), port: UInt16(truncatingIfNeeded: 40_000 + id)),
    destination: SocketAddress(ip: .v4(0x0a00_0002), port: 80), cause: cause)
}

@Suite struct `The ring of refusals` {
  @Test func `tells the newest first and forgets the oldest`() {
    var ring = RefusalRing(capacity: 3)
    for id: UInt64 in 1...5 {
      ring.record(refusal(id: id, .policy(.unknownWorkload), UInt32(id)))
    }
    #expect(ring.newestFirst.map(\.latest.id) == [5, 4, 3])
    #expect(ring.total == 5)
  }

  @Test func `is in order before it is full`() {
    var ring = RefusalRing(capacity: 3)
    for id: UInt64 in 1...2 {
      ring.record(refusal(id: id, .policy(.unknownWorkload), UInt32(id)))
    }
    #expect(ring.newestFirst.map(\.latest.id) == [2, 1])
  }

  @Test func `counts what differs in nothing but time and port`() {
    var ring = RefusalRing(capacity: 3)
    for id: UInt64 in 1...1_000 { ring.record(refusal(id: id, .policy(.unknownWorkload))) }
    ring.record(refusal(id: 1_001, .policy(.unknownWorkload), 7))
    ring.record(refusal(id: 1_002, .policy(.unknownWorkload)))
    #expect(ring.newestFirst.map(\.latest.id) == [1_002, 1_001])
    #expect(ring.newestFirst.map(\.count) == [1_001, 1])
    #expect(ring.newestFirst[0].first == WallTime(secondsSinceEpoch: 1))
    #expect(ring.total == 1_002)
  }

  @Test func `keeps what strangers do from pushing out the others`() {
    var ring = RefusalRing(capacity: 10)
    let unfinished = Refusal.Cause.failure(flag: .tlsFailure, reason: "not done in 10 s")
    ring.record(refusal(id: 1, .policy(.unknownWorkload)))
    ring.record(refusal(id: 2, .failure(flag: .identity, reason: "another's certificate")))
    for id: UInt64 in 3...10_000 {
      ring.record(refusal(id: id, unfinished, from: nil, UInt32(id)))
      ring.record(refusal(id: id, .policy(.unknownWorkload), from: nil, UInt32(id)))
    }
    #expect(ring.newestFirst.count == 22)
    #expect(ring.newestFirst.suffix(2).map(\.latest.id) == [2, 1])
  }

  @Test func `forgets the least recent, not the first seen`() {
    var ring = RefusalRing(capacity: 2)
    for (id, ip) in [(1, 1), (2, 2), (3, 1), (4, 3)] as [(UInt64, UInt32)] {
      ring.record(refusal(id: id, .policy(.unknownWorkload), ip))
    }
    #expect(ring.newestFirst.map(\.latest.id) == [4, 3])
    #expect(ring.newestFirst.map(\.count) == [1, 2])
  }
}

@Suite struct `A refusal in status` {
  @Test func `names policy, rule and a 16-digit id`() {
    let key = PolicyKey(namespace: "shop", name: "deny")
    let status = RefusalStatus(refusal(id: 0xab, .policy(.matched(policy: key, rule: 2))))
    #expect(status.id == "00000000000000ab")
    #expect(status.cause == "policy")
    #expect(status.policy == "shop/deny")
    #expect(status.rule == 2)
    #expect(status.at == "1970-01-01T00:02:51.000Z")
    #expect(status.count == 1)
  }

  @Test func `names the nearest allow and the field that missed`() {
    let nearest = NearMiss(
      policy: PolicyKey(namespace: "shop", name: "allow"), rule: 0, field: "principals",
      expected: "x", actual: "y")
    let status = RefusalStatus(refusal(id: 1, .policy(.noAllowMatched(nearest: nearest))))
    #expect(status.nearest?.field == "principals")
    #expect(status.policy == nil)
    #expect(status.reason.contains("shop/allow"))
  }

  @Test func `keeps the other node's words`() {
    let status = RefusalStatus(refusal(id: 1, .peer(status: 401, reason: "no")))
    #expect(status.cause == "peer")
    #expect(status.reason == "the other node answered 401: no")
  }
}

@Suite struct `Log lines` {
  static let line = LogLine(
    level: "info", time: WallTime(secondsSinceEpoch: 1_767_322_645.678), scope: "access",
    message: "two\nlines", fields: [("a", .text("x \"y\"\n\u{1}")), ("n", .unsigned(7))])

  @Test func `stay one line of text`() {
    #expect(
      Self.line.rendered(as: .text).text
        == #"2026-01-02T02:57:25.678Z info access two lines a="x \"y\"\n\u0001" n=7"# + "\n")
  }

  @Test func `are JSON objects`() {
    #expect(
      Self.line.rendered(as: .json).text
        == #"{"level":"info","time":"2026-01-02T02:57:25.678Z","scope":"access","#
        + #""message":"two\nlines","a":"x \"y\"\n\u0001","n":7}"# + "\n")
  }

  private static func text(closed record: ConnectionRecord) -> String {
    var batch = LogBatch(format: .text)
    batch.append(closed: record, index: MeshIndex(Model()), timestamp: "now")
    return batch.text
  }

  @Test func `count bytes from this side's own view`() {
    var record = ConnectionRecord(
      id: 5, direction: .outbound, source: SocketAddress(ip: .v4(1), port: 1),
      opened: WallTime(secondsSinceEpoch: 0))
    record.receivedBytes = 10
    record.sentBytes = 20
    #expect(Self.text(closed: record).contains(" bytes_sent=10 bytes_recv=20 "))
    record.direction = .inbound
    #expect(Self.text(closed: record).contains(" bytes_sent=20 bytes_recv=10 "))
  }

  @Test func `show the tunnel's address and what CONNECT asked for`() {
    var record = ConnectionRecord(
      id: 5, direction: .outbound, source: SocketAddress(ip: .v4(1), port: 1),
      opened: WallTime(secondsSinceEpoch: 0))
    record.transport = .hbone
    record.destination = SocketAddress(ip: .v4(0x0a00_0002), port: 80)
    record.flag = .connect
    let text = Self.text(closed: record)
    #expect(text.contains(#" dst.addr="10.0.0.2:15008" dst.hbone_addr="10.0.0.2:80" "#))
    #expect(text.hasPrefix(#"now error access connection complete connection="0000000000000005" "#))
  }
}

@Suite struct `Times as text` {
  @Test(arguments: [
    (0.0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
    (1_735_689_599.999, "2024-12-31T23:59:59.999Z"), (-1, "1969-12-31T23:59:59.000Z"),
    (Double.infinity, "unknown"),
  ]) func `are RFC 3339 in UTC`(seconds: Double, text: String) {
    #expect(WallTime(secondsSinceEpoch: seconds).timestamp == text)
  }

  @Test(arguments: [
    (Duration.seconds(Int64.max), "106751991167300d15h"), (.seconds(Int64.min), "0ms"),
    (Duration.milliseconds(850), "850ms"), (.seconds(12), "12s"), (.seconds(185), "3m05s"),
    (.seconds(15_120), "4h12m"), (.seconds(183_600), "2d03h"),
  ]) func `are short for people`(duration: Duration, text: String) {
    #expect(duration.brief == text)
  }
}
