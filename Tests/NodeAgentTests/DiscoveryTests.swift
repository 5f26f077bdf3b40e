import ControlAPI
import Linux
import MeshModel
import Telemetry
import Testing
import XDS

@testable import NodeAgent

private func at(_ seconds: Double) -> WallTime { WallTime(secondsSinceEpoch: seconds) }

@Suite struct `A stream that ended` {
  @Test(arguments: [0.0, 0.5, 1.0]) func `is never followed by another at once`(jitter: Double) {
    var backoff = ReconnectBackoff()
    for _ in 0..<100 {
      let delay = backoff.delay(afterInStepFor: nil, jitter: jitter)
      #expect(.milliseconds(100) <= delay && delay <= Limit.discoveryRetryMost)
    }
  }

  @Test func `waits twice as long each time, up to fifteen seconds`() {
    var backoff = ReconnectBackoff()
    let delays = (0..<9).map { _ in backoff.delay(afterInStepFor: nil, jitter: 1) }
    #expect(
      delays
        == [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000].map {
          Duration.milliseconds($0)
        })
  }

  @Test func `spreads the nodes of a mesh over half of the wait`() {
    var (early, late) = (ReconnectBackoff(), ReconnectBackoff())
    for _ in 0..<20 {
      let least = early.delay(afterInStepFor: nil, jitter: 0)
      #expect(least * 2 == late.delay(afterInStepFor: nil, jitter: 1))
    }
  }

  @Test func `begins anew after one that was in step for long enough, not after a short one`() {
    var backoff = ReconnectBackoff()
    for _ in 0..<5 { _ = backoff.delay(afterInStepFor: nil, jitter: 1) }
    #expect(backoff.delay(afterInStepFor: .seconds(9), jitter: 1) == .milliseconds(6_400))
    #expect(backoff.delay(afterInStepFor: .seconds(10), jitter: 1) == .milliseconds(200))
  }

  @Test(arguments: [
    (DiscoveryEnding.finished, true, DiscoveryState.Termination.complete),
    (.unanswered([.address]), false, .error),
    (.failed(.connectTimedOut(after: .seconds(5))), false, .connectionError),
    (.failed(.badCredentials(reason: "")), false, .connectionError),
    (.failed(.status(.init(.unavailable, "x"))), false, .connectionError),
    (.failed(.status(.init(.unavailable, "x"))), true, .reconnect),
    (.failed(.status(.init(.permissionDenied, "x"))), false, .error),
    (.failed(.status(.init(.resourceExhausted, "x"))), true, .error),
  ]) func `is counted under Istio's reasons`(
    ending: DiscoveryEnding, hasAnswered: Bool, reason: DiscoveryState.Termination
  ) {
    #expect(ending.termination(hasAnswered: hasAnswered) == reason)
  }

  @Test(arguments: [
    (DiscoveryEnding.failed(.status(.init(.resourceExhausted, "x"))), 2 << 20, false, true),
    // So little cannot have been too much: too many ask.
    (.failed(.status(.init(.resourceExhausted, "x"))), 1 << 20, false, false),
    (.failed(.status(.init(.resourceExhausted, "x"))), 2 << 20, true, false),
    (.failed(.status(.init(.unavailable, "x"))), 2 << 20, false, false),
    (.finished, 2 << 20, false, false),
  ]) func `is blamed on what was claimed`(
    ending: DiscoveryEnding, bytes: Int, hasAnswered: Bool, isBlamed: Bool
  ) {
    #expect(ending.blames(claimOf: bytes, hasAnswered: hasAnswered) == isBlamed)
  }

  @Test func `says what was not answered`() {
    #expect(
      DiscoveryEnding.unanswered([.authorization, .address]).description
        == "no answer about policies and workloads and services within 1m00s")
  }
}

@Suite struct `What is known of the control plane` {
  @Test func `is stale from the start until everything is answered`() {
    var state = DiscoveryState(at: at(100))
    #expect(state.staleSince == at(100))
    state.received("a", bytes: 10, at: at(101))
    #expect(state.staleSince == at(100))
    #expect(state.connection == .connected && state.since == at(101))
    state.inStep()
    #expect(state.staleSince == nil)
  }

  @Test func `is stale from the end of a stream until the next is in step`() {
    var state = DiscoveryState(at: at(100))
    state.received("a", bytes: 1, at: at(110))
    state.inStep()
    state.ended(.reconnect, reason: "gone", at: at(120), retryAt: at(121))
    #expect(state.staleSince == at(120))
    #expect(state.lastError == "gone")
    #expect(state.connection == .waiting(until: at(121)))
    state.connecting(at: at(121))
    state.ended(.connectionError, reason: "away", at: at(126), retryAt: at(130))
    #expect(state.staleSince == at(120))
    state.received("a", bytes: 1, at: at(131))
    state.inStep()
    #expect(state.staleSince == nil && state.lastError == nil)
    #expect(state.terminations == [.reconnect: 1, .connectionError: 1])
  }

  @Test func `is stale since before a restart when it was read from disk`() {
    var state = DiscoveryState(at: at(500))
    state.restored(lastContact: at(200))
    #expect(state.isRestored && state.staleSince == at(200) && state.lastContact == at(200))
    state.ended(.connectionError, reason: "away", at: at(505), retryAt: at(506))
    #expect(state.staleSince == at(200))
    state.inStep()
    #expect(!state.isRestored)
  }

  @Test func `counts messages by type, of too many types together`() {
    var state = DiscoveryState(at: at(0))
    for number in 0..<100 { state.received("type\(number % 20)", bytes: 2, at: at(1)) }
    #expect(state.traffic.count == Limit.discoveryTypesCounted + 1)
    #expect(state.traffic["type0"] == .init(messages: 5, bytes: 10))
    #expect(state.traffic.values.reduce(0) { $0 + $1.messages } == 100)
  }

  @Test func `has Istio's metrics and ours`() {
    var metrics = DiscoveryMetrics()
    metrics.isStale = true
    metrics.terminations = [.complete: 3]
    metrics.traffic = ["type.googleapis.com/istio.workload.Address": .init(messages: 2, bytes: 9)]
    var text = PrometheusText()
    metrics.write(to: &text)
    for line in [
      "skein_xds_connected 0\n", "skein_xds_stale 1\n",
      "istio_xds_connection_terminations_total{reason=\"Complete\"} 3\n",
      "istio_xds_connection_terminations_total{reason=\"ConnectionError\"} 0\n",
      "istio_xds_message_total{url=\"type.googleapis.com/istio.workload.Address\"} 2\n",
      "istio_xds_message_bytes_total{url=\"type.googleapis.com/istio.workload.Address\"} 9\n",
    ] {
      #expect(text.text.contains(line), "\(line)")
    }
  }
}

@Suite struct `The state on disk` {
  private static let node = NodeDescription(
    address: "10.0.0.9", podName: "z", namespace: "istio-system", nodeName: "one")

  /// A client that a control plane told of one workload.
  private func client(knowing name: String) throws -> DiscoveryClient {
    var model = Model()
    model.workloads[name] = Workload(uid: name, name: name, namespace: "shop")
    var client = DiscoveryClient(node: Self.node)
    var server = DiscoveryServer(ResourceSet(model))
    for request in client.connect() {
      for response in try server.receive(request) { _ = client.receive(response) }
    }
    return client
  }

  @Test func `is the newest, in whatever order the writers come to their end`() async throws {
    let folder = "/tmp/skein-discovery-\(Random.uint64())"
    try Directory.make(folder)
    let store = DiscoveryStore(
      path: "\(folder)/discovery", contactPath: "\(folder)/contact", address: "control:15012")
    func kept() async throws -> [String]? {
      let state = try await store.read(for: Self.node)
      return state.map { Array($0.client.model.workloads.keys) }
    }
    #expect(try await kept() == nil)
    try await store.write(client(knowing: "second"), number: 2)
    try await store.write(client(knowing: "first"), number: 1)
    #expect(try await kept() == ["second"])
    try await store.write(client(knowing: "third"), number: 3)
    #expect(try await kept() == ["third"])
    try File.remove("\(folder)/discovery")
    try Directory.remove(folder)
  }
}

@Suite struct `Generations on their way to ztunnel` {
  private func model(_ generation: UInt64) -> Model { Model(generation: generation) }
  private func seconds(_ seconds: Int64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

  @Test func `go one at a time, and each is timed from its arrival`() {
    var tunnel = TunnelGeneration()
    tunnel.received(1, at: seconds(0))
    tunnel.sent(model(1), isWhole: true)
    #expect(!tunnel.isIdle)
    tunnel.received(2, at: seconds(1))
    tunnel.received(3, at: seconds(2))
    #expect(tunnel.applied(1, at: seconds(3)) == [.seconds(3)])
    #expect(tunnel.isIdle && tunnel.base?.generation == 1)
    tunnel.sent(model(3), isWhole: false)
    #expect(tunnel.applied(3, at: seconds(4)) == [.seconds(3), .seconds(2)])
  }

  @Test func `wait while what it has may be newer than what was on disk`() {
    var tunnel = TunnelGeneration()
    tunnel.isHeldBack = true
    #expect(!tunnel.isIdle)
    tunnel.isHeldBack = false
    #expect(tunnel.isIdle && tunnel.base == nil, "then the whole is sent")
  }

  @Test func `are followed by the whole when a difference is refused, not when the whole is`() {
    var tunnel = TunnelGeneration()
    tunnel.sent(model(2), isWhole: false)
    var wantsWhole = tunnel.rejected(1)
    #expect(!wantsWhole && !tunnel.isIdle, "another generation's refusal")
    wantsWhole = tunnel.rejected(2)
    #expect(wantsWhole && tunnel.isIdle && tunnel.base == nil)
    tunnel.sent(model(2), isWhole: true)
    wantsWhole = tunnel.rejected(2)
    #expect(!wantsWhole && tunnel.isIdle)
  }
}

@Suite struct `The next response` {
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    /// Seconds since the stream was opened.
    var now: Int64
    var inStepSince: Int64?
    var hasUnconfirmed = false
    var wait: ResponseWait
  }

  @Test(arguments: [
    Row(testDescription: "the first, for a minute", now: 0, wait: .atMost(.seconds(60))),
    Row(testDescription: "less after others", now: 45, wait: .atMost(.seconds(15))),
    Row(testDescription: "no longer", now: 61, wait: .atMost(.zero)),
    Row(testDescription: "once in step, for ever", now: 70, inStepSince: 5, wait: .forever),
    Row(
      testDescription: "with something unconfirmed, for a while", now: 5, inStepSince: 5,
      hasUnconfirmed: true, wait: .atMost(.seconds(30))),
    Row(
      testDescription: "which is over however much has come", now: 34, inStepSince: 5,
      hasUnconfirmed: true, wait: .atMost(.seconds(1))),
    Row(
      testDescription: "and then not at all", now: 36, inStepSince: 5, hasUnconfirmed: true,
      wait: .atMost(.zero)),
  ]) func `is waited for`(row: Row) {
    let start = Instant(nanoseconds: 1_000_000_000)
    #expect(
      ResponseWait(
        at: start + .seconds(row.now), inStepSince: row.inStepSince.map { start + .seconds($0) },
        firstAnswersBy: start + .seconds(60), hasUnconfirmed: row.hasUnconfirmed) == row.wait)
  }
}
