import Glibc
import MeshModel

/// The process's standard input, read to its end by somebody who does not wait for ever.
public enum StandardInput {
  /// Whether somebody is there who could be asked.
  public static var isTerminal: Bool { isatty(0) == 1 }

  /// Throws ETIMEDOUT when the end has not come by then, EFBIG when there is more than `limit`.
  public static func read(
    atMost limit: Int, within wait: Duration
  ) throws(LinuxError) -> [UInt8] {
    let deadline = MonotonicClock.now() + wait
    var buffer = Buffer()
    while true {
      try waitUntilReadable(for: deadline.since(MonotonicClock.now()))
      buffer.ensureFree(64 << 10)
      var free = buffer.free
      let count = try unsafe free.withUnsafeMutableBufferPointer { room throws(LinuxError) in
        try check("read", subject) { unsafe Glibc.read(0, room.baseAddress, room.count) }
      }
      if count == 0 { return unsafe buffer.readable.withUnsafeBufferPointer { unsafe Array($0) } }
      buffer.filled(count)
      guard buffer.count <= limit else {
        throw LinuxError(call: "read", errno: EFBIG, subject: subject)
      }
    }
  }

  private static let subject = "standard input"

  private static func waitUntilReadable(for wait: Duration) throws(LinuxError) {
    var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    let (seconds, attoseconds) = wait.components
    let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    let ready = try check("poll", subject) {
      unsafe poll(&input, 1, CInt(clamping: max(milliseconds, 0)))
    }
    if ready == 0 { throw LinuxError(call: "poll", errno: ETIMEDOUT, subject: subject) }
  }
}
