import CLinux
import Glibc

/// Small files, read and written whole.
public enum File {
  public enum Limit {
    /// The largest file `read` takes.
    public static let bytes = 64 << 20
  }

  public static func read(
    _ path: String, atMost limit: Int = Limit.bytes
  ) throws(LinuxError) -> [UInt8] {
    // Without O_NONBLOCK a named pipe would be waited for until somebody writes.
    let flags = O_RDONLY | O_NONBLOCK
    let number = try check("open", path) { unsafe clinux_open(path, flags, 0) }
    let descriptor = OwnedDescriptor(adopting: number)
    // Files under /proc and /sys say nothing true about their size.
    var buffer = Buffer(capacity: 4_096)
    while true {
      buffer.ensureFree(4_096)
      var free = buffer.free
      let count = try unsafe free.withUnsafeMutableBufferPointer { room throws(LinuxError) in
        try check("read", path) {
          unsafe Glibc.read(descriptor.number, room.baseAddress, room.count)
        }
      }
      if count == 0 { return unsafe buffer.readable.withUnsafeBufferPointer { unsafe Array($0) } }
      buffer.filled(count)
      guard buffer.count <= limit else {
        throw LinuxError(call: "read", errno: EFBIG, subject: path)
      }
    }
  }

  /// The whole file as UTF-8, what is not being replaced by U+FFFD.
  public static func readText(
    _ path: String, atMost limit: Int = Limit.bytes
  ) throws(LinuxError) -> String {
    String(decoding: try read(path, atMost: limit), as: UTF8.self)
  }

  /// Writes into a file that is there, from its beginning: a setting of the kernel.
  public static func write(_ path: String, _ text: String) throws(LinuxError) {
    let number = try check("open", path) { unsafe clinux_open(path, O_WRONLY, 0) }
    try OwnedDescriptor(adopting: number).writeAll(Array(text.utf8), path)
  }

  /// Puts a whole file in place of whatever is at `path`; a reader sees the old or the new.
  public static func replace(
    _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600
  ) throws(LinuxError) {
    let beside = "\(path).\(getpid()).\(Random.uint64())"
    let flags = O_WRONLY | O_CREAT | O_EXCL
    let number = try check("open", beside) { unsafe clinux_open(beside, flags, mode) }
    let descriptor = OwnedDescriptor(adopting: number)
    do throws(LinuxError) {
      try descriptor.writeAll(bytes, beside)
      try check("fsync", beside) { fsync(number) }
      try check("rename", path) { unsafe Glibc.rename(beside, path) }
    } catch {
      // The first failure is the one to tell.
      _ = unsafe unlink(beside)
      throw error
    }
  }

  /// Gives a file another name, in place of whatever has that name.
  public static func rename(_ path: String, to other: String) throws(LinuxError) {
    try check("rename", other) { unsafe Glibc.rename(path, other) }
  }

  /// False when there was nothing.
  @discardableResult public static func remove(_ path: String) throws(LinuxError) -> Bool {
    if unsafe unlink(path) == 0 { return true }
    if errno == ENOENT { return false }
    throw failed("unlink", errno, path)
  }

  /// Whether something is at `path`, links followed.
  public static func exists(_ path: String) -> Bool {
    unsafe access(path, F_OK) == 0
  }

  /// An exclusive lock held while the value lives; nil when another process holds it.
  public static func lock(_ path: String) throws(LinuxError) -> OwnedDescriptor? {
    let number = try check("open", path) { unsafe clinux_open(path, O_RDWR | O_CREAT, 0o600) }
    let descriptor = OwnedDescriptor(adopting: number)
    while clinux_flock(number) != 0 {
      if errno == EWOULDBLOCK { return nil }
      if errno != EINTR { throw failed("flock", errno, path) }
    }
    return descriptor
  }
}

extension OwnedDescriptor {
  borrowing func writeAll(_ bytes: [UInt8], _ subject: String) throws(LinuxError) {
    let number = number
    var offset = 0
    while offset < bytes.count {
      offset += try unsafe bytes.span.withUnsafeBufferPointer { buffer throws(LinuxError) in
        try check("write", subject) {
          unsafe write(
            number, buffer.baseAddress.unsafelyUnwrapped + offset, buffer.count - offset)
        }
      }
    }
  }
}

public enum Directory {
  /// Makes the directory unless it is there.
  public static func make(_ path: String, mode: UInt32 = 0o755) throws(LinuxError) {
    if unsafe mkdir(path, mode) == 0 || errno == EEXIST { return }
    throw failed("mkdir", errno, path)
  }

  /// Makes the directory and those above it.
  public static func makeAll(_ path: String, mode: UInt32 = 0o755) throws(LinuxError) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/\(part)"
      try make(made, mode: mode)
    }
  }

  /// The names in a directory, sorted, without `.` and `..`.
  public static func entries(_ path: String) throws(LinuxError) -> [String] {
    guard let stream = unsafe opendir(path) else { throw failed("opendir", errno, path) }
    defer { _ = unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { characters in
          unsafe String(cString: characters)
        }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Removes an empty directory; false when there was none.
  @discardableResult public static func remove(_ path: String) throws(LinuxError) -> Bool {
    if unsafe rmdir(path) == 0 { return true }
    if errno == ENOENT { return false }
    throw failed("rmdir", errno, path)
  }

  /// Whether a directory is at `path`, links followed.
  public static func exists(_ path: String) -> Bool {
    var inode: UInt64 = 0
    var mode: UInt32 = 0
    return unsafe clinux_stat_inode(path, &inode, &mode) == 0 && mode & S_IFMT == S_IFDIR
  }
}
