import Linux

/// Wakes a task when the kernel reports a change, and now and then without one.
///
/// A thread of its own sleeps until then: asking forty times a second, as a task would, costs the
/// node two percent of a processor and its connections a millisecond each time.
final class Bell: Sendable {
  /// Rings that nobody has heard yet count as one.
  let rings: AsyncStream<Void>
  private let shared: Shared

  private enum Token {
    static let change: UInt64 = 0
    static let end: UInt64 = 1
  }

  private final class Shared: Sendable {
    let poller: Poller
    let end: EventDescriptor

    init() throws(LinuxError) {
      poller = try Poller()
      end = try EventDescriptor()
      try poller.add(end.number, token: Token.end, .readable)
    }
  }

  /// Rings at least once in every `interval`.
  init(interval: Duration) throws(LinuxError) {
    let (stream, continuation) = AsyncStream.makeStream(
      of: Void.self, bufferingPolicy: .bufferingNewest(1))
    rings = stream
    let shared = try Shared()
    self.shared = shared
    _ = try WorkerThread(name: "manifests") {
      Bell.run(shared, continuation, interval)
    }
  }

  deinit { shared.end.signal() }

  /// Rings from now on when the tree changes, until it is closed.
  func watch(_ tree: borrowing TreeWatch) throws(LinuxError) {
    try shared.poller.add(tree.number, token: Token.change, [.readable, .edgeTriggered])
  }

  private static func run(
    _ shared: Shared, _ continuation: AsyncStream<Void>.Continuation, _ interval: Duration
  ) {
    var events: [PollEvent] = []
    while true {
      do throws(LinuxError) {
        try shared.poller.wait(timeout: interval, into: &events)
      } catch {
        // Without it the watch asks again and again, which also works.
        break
      }
      if events.contains(where: { $0.token == Token.end }) { break }
      continuation.yield()
    }
    continuation.finish()
  }
}
