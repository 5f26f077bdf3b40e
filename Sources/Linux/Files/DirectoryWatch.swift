import CLinux
import Glibc

/// Says that something changed in one of a few directories (inotify), not below them; not what.
public struct DirectoryWatch: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  public init(_ directories: [String]) throws(LinuxError) {
    let descriptor = OwnedDescriptor(adopting: try check("inotify_init1") { clinux_inotify() })
    for path in directories {
      let mask = CLINUX_TREE_CHANGES | CLINUX_IN_ONLYDIR
      if unsafe clinux_inotify_add(descriptor.number, path, mask) < 0 {
        throw failed("inotify_add_watch", errno, path)
      }
    }
    self.descriptor = descriptor
  }

  /// Whether anything changed since the last call.
  ///
  /// Read the directory after the call: whatever changes later is told by the next.
  public borrowing func drain() throws(LinuxError) -> Bool {
    try drainWatch(descriptor.number, "inotify")
  }
}

/// Empties an inotify descriptor; true when something was in it.
func drainWatch(_ number: CInt, _ subject: String) throws(LinuxError) -> Bool {
  var hasChanged = false
  var bytes = [4_096 of UInt8](repeating: 0)
  while true {
    var span = bytes.mutableSpan
    let count = unsafe span.withUnsafeMutableBufferPointer { room in
      unsafe read(number, room.baseAddress, room.count)
    }
    if count > 0 {
      hasChanged = true
      continue
    }
    if count < 0 && errno == EINTR { continue }
    if count < 0 && errno != EAGAIN { throw failed("read", errno, subject) }
    return hasChanged
  }
}
