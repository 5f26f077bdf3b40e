import CLinux
import Glibc

/// Asks the kernel one thing at a time and collects its answer.
struct NetlinkSocket: ~Copyable, Sendable {
  enum Limit {
    /// The kernel fills at most 32 KiB per datagram of a dump.
    static let datagramBytes = 64 << 10
    /// Dumps begun anew because the table changed meanwhile.
    static let interruptedDumps = 8
  }

  /// Whom to ask, by the numbers of linux/netlink.h.
  enum Family: CInt {
    case route = 0
    case socketDiagnostics = 4
  }

  let descriptor: OwnedDescriptor

  /// In the calling thread's network namespace, now and for ever.
  init(_ family: Family = .route, groups: UInt32 = 0, isBlocking: Bool) throws(LinuxError) {
    let number = try check("socket", "netlink \(family)") {
      clinux_netlink_socket(family.rawValue, groups, isBlocking ? 1 : 0)
    }
    descriptor = OwnedDescriptor(adopting: number)
  }

  /// Has the kernel carry out a request; its refusal is thrown with its own words.
  borrowing func perform(_ request: NetlinkRequest, _ subject: String) throws(LinuxError) {
    let sequence = try send(request, subject)
    while true {
      for message in try receive(subject) where message.sequence == sequence {
        if message.type == RouteNetlink.error { return try succeed(message, subject) }
      }
    }
  }

  /// All the messages of a table.
  borrowing func dump(
    _ request: NetlinkRequest, _ subject: String
  ) throws(LinuxError) -> [NetlinkMessage] {
    for _ in 0..<Limit.interruptedDumps {
      if let messages = try dumpOnce(request, subject) { return messages }
    }
    throw LinuxError(call: "netlink", errno: EAGAIN, subject: "\(subject): it keeps changing")
  }

  /// Nil when the table changed while it was read.
  private borrowing func dumpOnce(
    _ request: NetlinkRequest, _ subject: String
  ) throws(LinuxError) -> [NetlinkMessage]? {
    let sequence = try send(request, subject)
    var messages: [NetlinkMessage] = []
    var isInterrupted = false
    while true {
      for message in try receive(subject) where message.sequence == sequence {
        if message.flags & RouteNetlink.dumpInterrupted != 0 { isInterrupted = true }
        switch message.type {
        case RouteNetlink.error, RouteNetlink.done:
          try succeed(message, subject)
          return isInterrupted ? nil : messages
        default:
          messages.append(message)
        }
      }
    }
  }

  private func succeed(_ message: NetlinkMessage, _ subject: String) throws(LinuxError) {
    let (failure, words) = message.failure
    guard failure != 0 else { return }
    throw failed("netlink", failure, words.isEmpty ? subject : "\(subject): \(words)")
  }

  private borrowing func send(
    _ request: NetlinkRequest, _ subject: String
  ) throws(LinuxError) -> UInt32 {
    let number = descriptor.number
    let sequence = UInt32(truncatingIfNeeded: Random.uint64()) | 1
    let bytes = request.encoded(sequence: sequence)
    try unsafe bytes.span.withUnsafeBufferPointer { buffer throws(LinuxError) in
      _ = try check("send", subject) {
        unsafe Glibc.send(number, buffer.baseAddress, buffer.count, 0)
      }
    }
    return sequence
  }

  private borrowing func receive(_ subject: String) throws(LinuxError) -> [NetlinkMessage] {
    guard let messages = try receiveIfAny(subject) else {
      throw LinuxError(call: "recv", errno: EAGAIN, subject: subject)
    }
    return messages
  }

  /// The messages of the next datagram; nil when it would block.
  borrowing func receiveIfAny(_ subject: String) throws(LinuxError) -> [NetlinkMessage]? {
    let number = descriptor.number
    var buffer = Buffer(capacity: Limit.datagramBytes)
    var flags: CInt = 0
    var free = buffer.free
    let count = unsafe free.withUnsafeMutableBufferPointer { room in
      var result: Int
      repeat {
        result = unsafe clinux_receive(number, room.baseAddress, room.count, 0, &flags)
      } while result < 0 && errno == EINTR
      return result
    }
    if count < 0 {
      if errno == EAGAIN { return nil }
      throw failed("recv", errno, subject)
    }
    buffer.filled(count)
    guard flags & CLINUX_MSG_TRUNC == 0, let messages = NetlinkMessage.all(in: buffer.readable)
    else { throw LinuxError(call: "recv", errno: EBADMSG, subject: subject) }
    return messages
  }
}
