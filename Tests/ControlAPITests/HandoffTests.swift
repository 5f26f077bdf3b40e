import Testing

@testable import ControlAPI

@Suite struct `A handoff between two tasks` {
  @Test func `keeps the order and never holds more than one`() async throws {
    let handoff = Handoff<Int>()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for number in 0..<1_000 { try await handoff.give(number) }
        handoff.finish()
      }
      var received: [Int] = []
      while let number = try await handoff.next() { received.append(number) }
      #expect(received == Array(0..<1_000))
      try await group.waitForAll()
    }
  }

  @Test func `gives out what was left before it says how it ended`() async throws {
    let handoff = Handoff<Int>()
    try await handoff.give(1)
    handoff.finish(.status(CallStatus(.unavailable, "gone")))
    handoff.finish()
    #expect(try await handoff.next() == 1)
    await #expect(throws: ControlError.status(CallStatus(.unavailable, "gone"))) {
      try await handoff.next()
    }
    await #expect(throws: ControlError.status(CallStatus(.unavailable, "gone"))) {
      try await handoff.give(2)
    }
  }

  @Test func `lets go of both ends when their tasks are cancelled`() async throws {
    let empty = Handoff<Int>()
    let taker = Task { try await empty.next() }
    let full = Handoff<Int>()
    try await full.give(1)
    let giver = Task { try await full.give(2) }
    try await Task.sleep(for: .milliseconds(20))
    taker.cancel()
    giver.cancel()
    await #expect(throws: ControlError.cancelled) { try await taker.value }
    await #expect(throws: ControlError.cancelled) { try await giver.value }
    // And it still works for others.
    #expect(try await full.next() == 1)
  }

  @Test func `counts many nudges as one, and loses none`() async throws {
    let handoff = Handoff<Int>()
    try await handoff.give(1)
    handoff.nudge()
    handoff.nudge()
    guard case .nudge = try await handoff.take() else { return fail() }
    guard case .element(1) = try await handoff.take() else { return fail() }
    let waiting = Task { try await handoff.take() }
    try await Task.sleep(for: .milliseconds(20))
    handoff.nudge()
    guard case .nudge = try await waiting.value else { return fail() }
    handoff.finish()
    guard case .ended = try await handoff.take() else { return fail() }
  }

  private func fail() {
    Issue.record("something else was taken")
  }
}
