import CLinux
import Glibc
public import MeshModel

/// A counter that wakes a poller (eventfd).
public struct EventDescriptor: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  public init() throws(LinuxError) {
    descriptor = OwnedDescriptor(adopting: try check("eventfd") { clinux_eventfd() })
  }

  public var number: CInt { descriptor.number }

  /// Makes the descriptor readable.
  public borrowing func signal() {
    let number = descriptor.number
    var one: UInt64 = 1
    // EAGAIN: the counter is full, which is as readable as it gets.
    while unsafe Glibc.write(number, &one, 8) < 0 && errno == EINTR {}
  }

  /// Makes it unreadable again; the number of signals since the last drain.
  @discardableResult public borrowing func drain() -> UInt64 {
    let number = descriptor.number
    var count: UInt64 = 0
    while unsafe Glibc.read(number, &count, 8) < 0 {
      if errno != EINTR { return 0 }
    }
    return count
  }
}

/// A descriptor that becomes readable at a moment (timerfd).
public struct TimerDescriptor: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  public init() throws(LinuxError) {
    descriptor = OwnedDescriptor(adopting: try check("timerfd_create") { clinux_timerfd() })
  }

  public var number: CInt { descriptor.number }

  /// Fires once at `instant` of `MonotonicClock`; a moment that has passed fires at once.
  public borrowing func set(at instant: Instant) throws(LinuxError) {
    let number = descriptor.number
    let nanoseconds = max(instant.nanoseconds, 1)
    try check("timerfd_settime") { clinux_timerfd_set(number, nanoseconds) }
  }

  public borrowing func cancel() throws(LinuxError) {
    let number = descriptor.number
    try check("timerfd_settime") { clinux_timerfd_set(number, 0) }
  }

  /// Whether it fired since the last call.
  public borrowing func drain() -> Bool {
    let number = descriptor.number
    var count: UInt64 = 0
    while unsafe Glibc.read(number, &count, 8) < 0 {
      if errno != EINTR { return false }
    }
    return true
  }
}

/// Signals as readable records (signalfd) instead of interruptions.
///
/// Make it before any other thread starts: the signals are blocked in the calling thread and in
/// those it starts later; a thread that does not block them would still be interrupted.
public struct SignalDescriptor: ~Copyable, Sendable {
  private let descriptor: OwnedDescriptor

  public init(_ signals: [Signal]) throws(LinuxError) {
    let numbers = signals.map(\.rawValue)
    let count = CInt(numbers.count)
    let number = try unsafe numbers.withUnsafeBufferPointer { buffer throws(LinuxError) in
      try check("signalfd") { unsafe clinux_signalfd(buffer.baseAddress, count) }
    }
    descriptor = OwnedDescriptor(adopting: number)
  }

  public var number: CInt { descriptor.number }

  /// The next signal that arrived, nil when there is none.
  public borrowing func next() throws(LinuxError) -> Signal? {
    let number = descriptor.number
    var signal: CInt = 0
    while unsafe clinux_signalfd_read(number, &signal) < 0 {
      if errno == EAGAIN { return nil }
      if errno != EINTR { throw failed("read", errno, "signalfd") }
    }
    return Signal(rawValue: signal)
  }
}

public struct Signal: RawRepresentable, Hashable, Sendable {
  public let rawValue: CInt

  public init(rawValue: CInt) { self.rawValue = rawValue }

  public static let terminate = Signal(rawValue: SIGTERM)
  public static let interrupt = Signal(rawValue: SIGINT)
  public static let kill = Signal(rawValue: SIGKILL)
  public static let hangUp = Signal(rawValue: SIGHUP)
  public static let child = Signal(rawValue: SIGCHLD)
  public static let user1 = Signal(rawValue: SIGUSR1)
  public static let user2 = Signal(rawValue: SIGUSR2)
  public static let abort = Signal(rawValue: SIGABRT)
}
