import Glibc
public import MeshModel

extension OwnedDescriptor {
  /// Reads until the other side closes; `subject` names this one in errors.
  ///
  /// Throws ETIMEDOUT when the end has not come by then, EFBIG when there is more than `limit`.
  public borrowing func readToEnd(
    _ subject: String, atMost limit: Int, until deadline: Instant
  ) throws(LinuxError) -> [UInt8] {
    try Linux.readToEnd(of: number, subject, atMost: limit, until: deadline)
  }
}

func readToEnd(
  of number: CInt, _ subject: String, atMost limit: Int, until deadline: Instant
) throws(LinuxError) -> [UInt8] {
  var buffer = Buffer()
  while true {
    try waitUntilReadable(number, subject, until: deadline)
    buffer.ensureFree(64 << 10)
    var free = buffer.free
    let count = try unsafe free.withUnsafeMutableBufferPointer { room throws(LinuxError) in
      try check("read", subject) { unsafe Glibc.read(number, room.baseAddress, room.count) }
    }
    if count == 0 { return unsafe buffer.readable.withUnsafeBufferPointer { unsafe Array($0) } }
    buffer.filled(count)
    guard buffer.count <= limit else {
      throw LinuxError(call: "read", errno: EFBIG, subject: subject)
    }
  }
}

/// Blocks until there is something to read, or the end; throws ETIMEDOUT when there is not by then.
func waitUntilReadable(
  _ number: CInt, _ subject: String, until deadline: Instant
) throws(LinuxError) {
  var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
  let (seconds, attoseconds) = deadline.since(MonotonicClock.now()).components
  // Rounded up: whoever waits a part of a millisecond shall not ask again and again.
  let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1
  let ready = try check("poll", subject) {
    unsafe poll(&entry, 1, CInt(clamping: max(milliseconds, 0)))
  }
  if ready == 0 { throw LinuxError(call: "poll", errno: ETIMEDOUT, subject: subject) }
}
