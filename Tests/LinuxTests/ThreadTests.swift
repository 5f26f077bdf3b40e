import Linux
import Synchronization
import Testing

/// Not Sendable on purpose: the compiler keeps it on its thread.
private final class LoopState {
  var count = 0
}

/// Keeps a thread in an array.
private final class Starter {
  private var thread: WorkerThread?
  init(_ thread: consuming WorkerThread) { self.thread = consume thread }
  func join() { thread.take()?.join() }
}

@Suite struct `A worker thread` {
  @Test func `owns its state, the outside sees only the mailbox`() throws {
    let mailbox = try Mailbox<Int>()
    let state = LoopState()
    let worker = try WorkerThread(name: "skein-test-with-a-long-name") {
      for _ in 0..<10 { state.count += 1 }
      mailbox.post(state.count)
    }
    worker.join()
    #expect(mailbox.drain() == [10])
  }
}

@Suite struct `A mailbox` {
  @Test func `gives messages in the order they were posted, and wakes its thread`() throws {
    let inbox = try Mailbox<Int>()
    let outbox = try Mailbox<[Int]>()
    let worker = try WorkerThread {
      var received: [Int] = []
      do {
        while received.count < 1_000 {
          try waitUntil(inbox.number, is: .readable)
          received += inbox.drain()
        }
      } catch {
        Issue.record(error)
      }
      outbox.post(received)
    }
    for number in 0..<1_000 { #expect(inbox.post(number)) }
    worker.join()
    #expect(outbox.drain() == [Array(0..<1_000)])
  }

  @Test func `loses nothing when many post while one drains`() throws {
    let mailbox = try Mailbox<Int>()
    let posters = 4
    let perPoster = 5_000
    var received: [Int] = []
    let starters = try (0..<posters).map { poster in
      Starter(
        try WorkerThread {
          for number in 0..<perPoster { mailbox.post(poster * perPoster + number) }
        })
    }
    while received.count < posters * perPoster {
      try waitUntil(mailbox.number, is: .readable)
      received += mailbox.drain()
    }
    for starter in starters { starter.join() }
    #expect(Set(received).count == posters * perPoster)
    for poster in 0..<posters {
      let own = received.filter { $0 / perPoster == poster }
      #expect(own == own.sorted())
    }
  }

  @Test func `says no when it is full, and yes again once drained`() throws {
    let mailbox = try Mailbox<Int>(capacity: 2)
    #expect(mailbox.post(1) && mailbox.post(2))
    #expect(!mailbox.post(3))
    #expect(mailbox.drain() == [1, 2])
    #expect(mailbox.post(4))
  }

  @Test func `is readable while something waits, quiet once drained`() throws {
    let mailbox = try Mailbox<Int>()
    let poller = try Poller()
    try poller.add(mailbox.number, token: 1, .readable)
    var events: [PollEvent] = []
    mailbox.post(1)
    try poller.wait(timeout: .zero, into: &events)
    #expect(events.count == 1)
    _ = mailbox.drain()
    try poller.wait(timeout: .zero, into: &events)
    #expect(events.isEmpty)
    mailbox.wake()
    try poller.wait(timeout: .zero, into: &events)
    #expect(events.count == 1)
  }
}
