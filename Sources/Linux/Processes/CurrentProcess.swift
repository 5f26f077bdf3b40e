import CLinux
import Glibc

/// This process: what it is, what it uses, and the few things set once at its start.
public enum CurrentProcess {
  public static var id: Int32 { getpid() }
  public static var isRoot: Bool { geteuid() == 0 }

  /// Raises the limit of open descriptors to the most we may; the limit now in force.
  public static func raiseDescriptorLimit() throws(LinuxError) -> UInt64 {
    var limit: UInt64 = 0
    try check("setrlimit", "RLIMIT_NOFILE") { unsafe clinux_raise_descriptor_limit(&limit) }
    return limit
  }

  /// A write to a closed pipe becomes EPIPE instead of a death.
  public static func ignoreBrokenPipe() throws(LinuxError) {
    try check("sigaction", "SIGPIPE") { clinux_ignore_signal(SIGPIPE) }
  }

  /// Memory in use that is not paged out, from /proc/self/statm.
  public static func residentBytes() throws(LinuxError) -> UInt64 {
    let fields = try File.readText("/proc/self/statm").split(separator: " ")
    guard fields.count > 1, let pages = UInt64(fields[1]) else {
      throw LinuxError(call: "parse", errno: EINVAL, subject: "/proc/self/statm")
    }
    return pages * UInt64(getpagesize())
  }

  /// Descriptors open now.
  public static func openDescriptorCount() throws(LinuxError) -> Int {
    // The one that lists them is among them.
    try Directory.entries("/proc/self/fd").count - 1
  }

  /// Processors this process may run on.
  public static var processorCount: Int { max(sysconf(CInt(_SC_NPROCESSORS_ONLN)), 1) }

  /// Hands the heap's free pages back to the kernel (malloc_trim); after a peak has passed.
  public static func trimHeap() {
    _ = clinux_trim_heap()
  }

  /// Makes every allocation of at least so many bytes a mapping of its own, which goes back to the
  /// kernel when it is freed.
  ///
  /// Left alone, malloc raises this bound at the first such free and keeps what comes later.
  public static func mapAllocations(from bytes: Int) {
    let result = clinux_map_blocks(CInt(clamping: bytes))
    precondition(result == 1, "mallopt(M_MMAP_THRESHOLD, \(bytes))")
  }

  /// Writes a line to standard error, in one system call when the kernel takes it whole.
  public static func writeError(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    var offset = 0
    while offset < bytes.count {
      let written = unsafe bytes.withUnsafeBytes { buffer in
        unsafe write(2, buffer.baseAddress.unsafelyUnwrapped + offset, buffer.count - offset)
      }
      // Nowhere is left to say that standard error is gone.
      if written < 0 && errno != EINTR { return }
      offset += max(written, 0)
    }
  }

  public static func exit(code: Int32) -> Never { Glibc.exit(code) }
}
