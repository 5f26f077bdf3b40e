import Glibc

/// The process's standard output as lines for people or for a log collector.
public enum StandardOutput {
  /// Whether somebody looks at a terminal, and colours make sense.
  public static var isTerminal: Bool { isatty(1) == 1 }

  /// Writes everything, waiting for a reader that is slow; an error when nobody reads any more.
  public static func write(_ text: String) throws(LinuxError) { try write(Array(text.utf8)) }

  public static func write(_ bytes: [UInt8]) throws(LinuxError) {
    var offset = 0
    while offset < bytes.count {
      offset += try unsafe bytes.span.withUnsafeBufferPointer { buffer throws(LinuxError) in
        try check("write", "standard output") {
          unsafe Glibc.write(
            1, buffer.baseAddress.unsafelyUnwrapped + offset, buffer.count - offset)
        }
      }
    }
  }
}
