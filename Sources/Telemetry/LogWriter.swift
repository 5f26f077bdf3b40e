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
  private let thread: Mutex<WorkerThread?>
  private let dropped = Atomic<UInt64>(0)

  private enum Line: Sendable {
    case text(String)
    case end
  }

  public init() throws(LinuxError) {
    let lines = try Mailbox<Line>(capacity: Limit.waitingLines)
    self.lines = lines
    let poller = try Poller()
    try poller.add(lines.number, token: 0, .readable)
    thread = Mutex(try WorkerThread(name: "log") { LogWriter.run(lines, poller) })
  }

  public func write(_ line: String) {
    if !lines.post(.text(line)) { dropped.add(1, ordering: .relaxed) }
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

  private static func run(_ lines: Mailbox<Line>, _ poller: borrowing Poller) {
    var events: [PollEvent] = []
    while true {
      var isLast = false
      var text = ""
      for line in lines.drain() {
        switch line {
        case .text(let line): text += line + "\n"
        case .end: isLast = true
        }
      }
      do {
        try StandardOutput.write(text)
        if isLast { return }
        try poller.wait(timeout: nil, into: &events)
      } catch {
        CurrentProcess.writeError("the log ends: \(error)")
        return
      }
    }
  }
}
