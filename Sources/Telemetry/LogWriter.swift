public import Linux
import Synchronization

/// Writes log lines to standard output on a thread of its own, so that a slow reader of the log
/// never holds up the mesh.
public final class LogWriter: Sendable {
  enum Limit {
    /// Lines that wait for a slow reader; what comes after is dropped and counted.
    static let waitingLines = 65_536
  }

  private let lines: Mailbox<Line>
  /// Lines posted and not yet taken by the thread.
  private let waiting: Waiting
  private let thread: Mutex<WorkerThread?>
  private let dropped = Atomic<UInt64>(0)

  private enum Line: Sendable {
    case batch(LogBatch)
    case end
  }

  private final class Waiting: Sendable {
    let lines = Atomic<Int>(0)
  }

  public init() throws(LinuxError) {
    let lines = try Mailbox<Line>(capacity: Limit.waitingLines)
    let waiting = Waiting()
    self.lines = lines
    self.waiting = waiting
    let poller = try Poller()
    try poller.add(lines.number, token: 0, .readable)
    thread = Mutex(try WorkerThread(name: "log") { LogWriter.run(lines, waiting, poller) })
  }

  /// Takes lines; one wake-up of the thread serves them all.
  public func write(_ batch: LogBatch) {
    let before = waiting.lines.load(ordering: .relaxed)
    if before + batch.lineCount <= Limit.waitingLines, lines.post(.batch(batch)) {
      waiting.lines.add(batch.lineCount, ordering: .relaxed)
    } else {
      dropped.add(UInt64(batch.lineCount), ordering: .relaxed)
    }
  }

  /// Lines that nobody will see.
  public var droppedLines: UInt64 { dropped.load(ordering: .relaxed) }

  /// Writes what waits, then ends the thread.
  public func finish() {
    lines.post(.end)
    lines.wake()
    let thread = self.thread.withLock { $0.take() }
    if let thread { thread.join() }
  }

  private static func run(
    _ lines: Mailbox<Line>, _ waiting: Waiting, _ poller: borrowing Poller
  ) {
    var events: [PollEvent] = []
    while true {
      var isLast = false
      var bytes: [UInt8] = []
      for line in lines.drain() {
        switch line {
        case .batch(let batch):
          if bytes.isEmpty { bytes = batch.bytes } else { bytes += batch.bytes }
          waiting.lines.subtract(batch.lineCount, ordering: .relaxed)
        case .end: isLast = true
        }
      }
      do {
        try StandardOutput.write(bytes)
        if isLast { return }
        try poller.wait(timeout: nil, into: &events)
      } catch {
        CurrentProcess.writeError("the log ends: \(error)")
        return
      }
    }
  }
}
