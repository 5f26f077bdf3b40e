import CLinux
import Glibc

/// What a descriptor is watched for, and what it turned out to be.
public struct Readiness: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let readable = Readiness(rawValue: CLINUX_EPOLLIN)
  public static let writable = Readiness(rawValue: CLINUX_EPOLLOUT)
  /// The peer will send no more; bytes may still be waiting.
  public static let peerClosed = Readiness(rawValue: CLINUX_EPOLLRDHUP)
  /// Always reported, need not be asked for.
  public static let error = Readiness(rawValue: CLINUX_EPOLLERR)
  /// Always reported, need not be asked for.
  public static let hangUp = Readiness(rawValue: CLINUX_EPOLLHUP)
  public static let edgeTriggered = Readiness(rawValue: CLINUX_EPOLLET)
  public static let oneShot = Readiness(rawValue: CLINUX_EPOLLONESHOT)
}

public struct PollEvent: Hashable, Sendable {
  /// The token given when the descriptor was added.
  public var token: UInt64
  public var readiness: Readiness

  public init(token: UInt64, readiness: Readiness) {
    self.token = token
    self.readiness = readiness
  }
}

/// A set of descriptors to wait on (epoll); it watches, it does not own them.
public struct Poller: ~Copyable, Sendable {
  public enum Limit {
    /// Events taken from the kernel by one wait; the rest comes with the next.
    public static let eventsPerWait = 256
  }

  private let descriptor: OwnedDescriptor

  public init() throws(LinuxError) {
    descriptor = OwnedDescriptor(adopting: try check("epoll_create1") { clinux_epoll_create() })
  }

  /// A poller can itself be watched by another.
  public var number: CInt { descriptor.number }

  public borrowing func add(
    _ number: CInt, token: UInt64, _ interest: Readiness
  ) throws(LinuxError) {
    try control(CLINUX_EPOLL_CTL_ADD, number, token, interest)
  }

  public borrowing func modify(
    _ number: CInt, token: UInt64, _ interest: Readiness
  ) throws(LinuxError) {
    try control(CLINUX_EPOLL_CTL_MOD, number, token, interest)
  }

  /// Stops watching; closing the last descriptor of an open file does the same.
  public borrowing func remove(_ number: CInt) throws(LinuxError) {
    try control(CLINUX_EPOLL_CTL_DEL, number, 0, [])
  }

  /// Replaces `events` with what is ready, waiting up to `timeout` (nil: for ever) when nothing is.
  ///
  /// A signal ends the wait early with no event. The timeout is rounded up to whole milliseconds.
  public borrowing func wait(
    timeout: Duration?, into events: inout [PollEvent]
  ) throws(LinuxError) {
    events.removeAll(keepingCapacity: true)
    let epoll = descriptor.number
    let milliseconds = timeout.map(Poller.milliseconds) ?? -1
    let failure = unsafe withUnsafeTemporaryAllocation(
      of: clinux_event.self, capacity: Limit.eventsPerWait
    ) { room -> CInt in
      let count = unsafe clinux_epoll_wait(
        epoll, room.baseAddress, CInt(Limit.eventsPerWait), milliseconds)
      if count < 0 { return errno }
      for index in 0..<Int(count) {
        let event = unsafe room[index]
        events.append(
          PollEvent(token: event.token, readiness: Readiness(rawValue: event.events)))
      }
      return 0
    }
    if failure != 0 && failure != EINTR { throw failed("epoll_wait", failure) }
  }

  private borrowing func control(
    _ operation: CInt, _ number: CInt, _ token: UInt64, _ interest: Readiness
  ) throws(LinuxError) {
    let epoll = descriptor.number
    try check("epoll_ctl") {
      clinux_epoll_control(epoll, operation, number, interest.rawValue, token)
    }
  }

  private static func milliseconds(_ timeout: Duration) -> CInt {
    let (seconds, attoseconds) = timeout.components
    if seconds < 0 || attoseconds < 0 { return 0 }
    if seconds >= 1_000_000 { return 1_000_000_000 }
    return CInt(seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
