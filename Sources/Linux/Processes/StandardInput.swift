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
    try readToEnd(of: 0, "standard input", atMost: limit, until: MonotonicClock.now() + wait)
  }
}
