import Foundation
import KubernetesHarness
import MeshModel
import Synchronization
import Testing
import TestSupport

@testable import KubernetesClient

private let epoch = WallTime(secondsSinceEpoch: 0)

/// One replica with a clock of its own.
private struct Replica {
  var election: Election
  var now: Instant
  private(set) var action: Election.Action

  init(_ identity: String, at seconds: Int = 0) {
    election = Election(identity: identity)
    now = Instant(nanoseconds: UInt64(seconds) * 1_000_000_000 + 1)
    action = election.start
  }

  mutating func take(_ event: Election.Event, after: Duration = .zero) {
    now = now + after
    action = election.take(event, at: now, wall: epoch, chance: 0)
  }

  var isLeading: Bool { election.isLeading(at: now) }
  var holder: String? {
    switch action {
    case .create(let record), .replace(let record, _): record.holder
    case .read, .wait, .end: nil
    }
  }
}

private func lease(_ version: Int, _ holder: String, seconds: Int64 = 15) -> ReadLease {
  ReadLease(
    resourceVersion: "\(version)", holder: holder, duration: .seconds(seconds), transitions: 3)
}

@Suite(.fewAtOnce) struct `Of several replicas one leads` {
  @Test func `who makes the lease, once it is written`() {
    var one = Replica("one")
    #expect(one.action == .read)
    one.take(.read(nil))
    #expect(one.holder == "one" && !one.isLeading)
    one.take(.written(lease(1, "one")))
    #expect(one.isLeading && one.action == .wait(.seconds(2)))
  }

  @Test func `and not who was second to make it`() {
    var two = Replica("two")
    two.take(.read(nil))
    two.take(.conflict)
    #expect(!two.isLeading && two.action == .wait(.seconds(2)))
  }

  @Test func `who keeps renewing, while others wait`() {
    var (one, two) = (Replica("one"), Replica("two"))
    one.take(.read(nil))
    one.take(.written(lease(1, "one")))
    for version in 1...20 {
      one.take(.timer, after: .seconds(2))
      one.take(.read(lease(version, "one")))
      #expect(one.holder == "one")
      one.take(.written(lease(version + 1, "one")))
      two.take(.read(lease(version, "one")))
      two.take(.timer, after: .seconds(2))
      #expect(one.isLeading && two.holder == nil)
    }
  }

  @Test func `who takes a lease that was not renewed for its length by its own clock`() {
    var two = Replica("two", at: 1_000)
    two.take(.read(lease(1, "one")))
    two.take(.timer, after: .seconds(14))
    two.take(.read(lease(1, "one")))
    #expect(two.holder == nil)
    two.take(.timer, after: .seconds(1))
    two.take(.read(lease(1, "one")))
    guard case .replace(let record, let over) = two.action else {
      Issue.record("\(two.action)")
      return
    }
    #expect(record.holder == "two" && record.transitions == 4 && over.resourceVersion == "1")
    two.take(.written(lease(2, "two")))
    #expect(two.isLeading)
  }

  @Test func `and none who cannot renew, before any other may begin`() {
    var one = Replica("one")
    one.take(.read(nil))
    one.take(.written(lease(1, "one")))
    one.take(.timer, after: .seconds(5))
    one.take(.failed, after: .seconds(4))
    #expect(one.isLeading)
    one.take(.timer, after: .seconds(1))
    #expect(!one.isLeading)
  }

  @Test func `whose write counts from when it was begun`() {
    var one = Replica("one")
    one.take(.read(nil))
    one.take(.written(lease(1, "one")), after: .seconds(11))
    #expect(!one.isLeading)
  }

  @Test func `who is superseded stops`() {
    var one = Replica("one")
    one.take(.read(nil))
    one.take(.written(lease(1, "one")))
    one.take(.timer, after: .seconds(2))
    one.take(.read(lease(9, "two")))
    #expect(!one.isLeading && one.action == .wait(.seconds(2)))
  }

  @Test func `who leaves gives the lease up, and the next takes it at once`() {
    var one = Replica("one")
    one.take(.read(nil))
    one.take(.written(lease(1, "one")))
    one.take(.leaving)
    #expect(one.holder?.isEmpty == true && !one.isLeading)
    one.take(.written(lease(2, "")))
    #expect(one.action == .end)
    var two = Replica("two")
    two.take(.read(lease(2, "", seconds: 1)))
    #expect(two.holder == "two")
    var idle = Replica("three")
    idle.take(.leaving)
    #expect(idle.action == .end)
  }

  @Test func `with times as the API writes them`() {
    for (seconds, text) in [
      (0.0, "1970-01-01T00:00:00.000000Z"), (951_826_554.25, "2000-02-29T12:15:54.250000Z"),
      (1_767_225_599, "2025-12-31T23:59:59.000000Z"),
    ] {
      #expect(microTime(WallTime(secondsSinceEpoch: seconds)) == text)
    }
  }

  @Test func `over a server, in turn`() async throws {
    let stored = Mutex(StoredLease())
    try await ScriptedServer.run { request in
      stored.withLock { $0.answer(request) }
    } _: { server in
      try await server.client { client in
        let one = Leadership(client, namespace: "n", name: "l", identity: "one")
        let two = Leadership(client, namespace: "n", name: "l", identity: "two")
        try await withThrowingTaskGroup(of: Void.self) { group in
          let first = Task { await one.run() }
          try await waitFor { one.isLeading }
          group.addTask { await two.run() }
          try await waitFor { server.requests.count { $0.method == "GET" } >= 4 }
          #expect(one.isLeading && !two.isLeading)
          first.cancel()
          await first.value
          #expect(!one.isLeading)
          try await waitFor { two.isLeading }
          group.cancelAll()
        }
      }
    }
  }
}

/// A Lease at the server, which takes a write of the version it has and no other.
private struct StoredLease: Sendable {
  private var spec: String?
  private var version = 0

  mutating func answer(_ request: ScriptedServer.Request) -> [ScriptedServer.Piece] {
    if request.method != "GET" {
      let isOfNow = request.body.contains("\"resourceVersion\":\"\(version)\"")
      guard request.method == "POST" ? spec == nil : isOfNow else { return [.answer(409, "{}")] }
      guard let start = request.body.range(of: "\"spec\":"),
        let end = request.body[start.lowerBound...].firstIndex(of: "}")
      else { return [.answer(400, "{}")] }
      spec = String(request.body[start.lowerBound...end])
      version += 1
    }
    guard let spec else { return [.answer(404, "{}")] }
    return [.ok("{\"metadata\":{\"name\":\"l\",\"resourceVersion\":\"\(version)\"},\(spec)}")]
  }
}
