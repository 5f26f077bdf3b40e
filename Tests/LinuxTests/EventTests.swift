import Glibc
import Linux
import MeshModel
import Testing

@Suite struct `A poller` {
  @Test func `says nothing until its time is over`() throws {
    let poller = try Poller()
    let pipe = try Pipe()
    try poller.add(pipe.readEnd.number, token: 7, .readable)
    var events = [PollEvent(token: 1, readiness: [])]
    let begin = MonotonicClock.now()
    try poller.wait(timeout: .milliseconds(20), into: &events)
    #expect(events.isEmpty)
    #expect(MonotonicClock.now().since(begin) >= .milliseconds(19))
  }

  @Test func `gives the token of what is ready`() throws {
    let poller = try Poller()
    let event = try EventDescriptor()
    let token = UInt64.max - 3
    try poller.add(event.number, token: token, [.readable, .edgeTriggered])
    event.signal()
    var events: [PollEvent] = []
    try poller.wait(timeout: nil, into: &events)
    #expect(events == [PollEvent(token: token, readiness: .readable)])
    try poller.wait(timeout: .zero, into: &events)
    #expect(events.isEmpty)
  }

  @Test func `changes and drops what it watches`() throws {
    let poller = try Poller()
    let pipe = try Pipe()
    var events: [PollEvent] = []
    try poller.add(pipe.writeEnd.number, token: 1, [])
    try poller.wait(timeout: .zero, into: &events)
    #expect(events.isEmpty)
    try poller.modify(pipe.writeEnd.number, token: 2, .writable)
    try poller.wait(timeout: .zero, into: &events)
    #expect(events == [PollEvent(token: 2, readiness: .writable)])
    try poller.remove(pipe.writeEnd.number)
    try poller.wait(timeout: .zero, into: &events)
    #expect(events.isEmpty)
  }

  @Test func `reports a peer that hung up without being asked`() throws {
    let poller = try Poller()
    let end = try Pipe().takeReadEnd()
    try poller.add(end.number, token: 1, .readable)
    var events: [PollEvent] = []
    try poller.wait(timeout: .zero, into: &events)
    #expect(events.first?.readiness.contains(.hangUp) == true)
  }

  @Test func `takes more events than one wait gives in turn`() throws {
    let poller = try Poller()
    var kept: [SharedDescriptor] = []
    for token in 0..<300 {
      let copy = try Pipe().takeReadEnd()
      try poller.add(copy.number, token: UInt64(token), [.readable, .oneShot])
      kept.append(SharedDescriptor(copy))
    }
    var seen: Set<UInt64> = []
    var events: [PollEvent] = []
    for _ in 0..<3 {
      try poller.wait(timeout: .zero, into: &events)
      #expect(events.count <= Poller.Limit.eventsPerWait)
      seen.formUnion(events.map(\.token))
    }
    #expect(seen.count == 300)
  }
}

private func expect(
  _ timer: borrowing TimerDescriptor, hasFired expected: Bool,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let hasFired = timer.drain()
  #expect(hasFired == expected, sourceLocation: sourceLocation)
}

@Suite struct `Events` {
  @Test func `are counted until drained`() throws {
    let event = try EventDescriptor()
    #expect(event.drain() == 0)
    event.signal()
    event.signal()
    #expect(event.drain() == 2)
    #expect(event.drain() == 0)
  }

  @Test func `a timer fires once, at its time`() throws {
    let timer = try TimerDescriptor()
    expect(timer, hasFired: false)
    let due = MonotonicClock.now() + .milliseconds(10)
    try timer.set(at: due)
    try waitUntil(timer.number, is: .readable)
    #expect(MonotonicClock.now() >= due)
    expect(timer, hasFired: true)
    expect(timer, hasFired: false)
    try timer.set(at: due)
    expect(timer, hasFired: true)
    try timer.set(at: MonotonicClock.now() + .seconds(3_600))
    try timer.cancel()
    expect(timer, hasFired: false)
  }

  @Test func `a signal becomes a record`() async {
    await #expect(processExitsWith: .success) {
      let signals = try SignalDescriptor([.user1, .terminate])
      try demand(signals.next() == nil)
      // To this thread, which blocks it; the test runner's other threads do not.
      pthread_kill(pthread_self(), SIGTERM)
      try demand(signals.next() == .terminate)
      try demand(signals.next() == nil)
    }
  }

  @Test func `the clocks go forward and agree with the calendar`() {
    let first = MonotonicClock.now()
    #expect(MonotonicClock.now() >= first)
    #expect(abs(WallClock.now().secondsSinceEpoch - Double(time(nil))) < 2)
  }

  @Test func `random numbers differ and have any length`() {
    #expect(Random.uint64() != Random.uint64())
    #expect(Random.bytes(21).count == 21)
    #expect(Random.bytes(16) != Random.bytes(16))
  }
}
