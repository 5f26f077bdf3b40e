import CLinux
import Glibc
public import MeshModel

/// How a process ended.
public enum ProcessOutcome: Hashable, Sendable {
  case exited(code: Int32)
  case signalled(Signal)
}

extension ProcessOutcome: CustomStringConvertible {
  public var description: String {
    switch self {
    case .exited(let code): "exited with \(code)"
    case .signalled(let signal): "killed by signal \(signal.rawValue)"
    }
  }
}

/// A process, by a descriptor that means it for ever, whoever gets its number next (pidfd).
///
/// The descriptor is readable once the process has ended. Dropping the value leaves the process be.
public struct ProcessHandle: ~Copyable, Sendable {
  public let processID: Int32
  public let descriptor: OwnedDescriptor

  init(processID: Int32, descriptor: consuming OwnedDescriptor) {
    self.processID = processID
    self.descriptor = descriptor
  }

  public var number: CInt { descriptor.number }

  /// Any process; nil when there is none with that number.
  public static func open(processID: Int32) throws(LinuxError) -> ProcessHandle? {
    let number = clinux_pidfd_open(processID)
    if number >= 0 {
      return ProcessHandle(
        processID: processID, descriptor: OwnedDescriptor(adopting: number))
    }
    if errno == ESRCH { return nil }
    throw failed("pidfd_open", errno, "\(processID)")
  }

  /// False when the process has ended already.
  @discardableResult public borrowing func send(_ signal: Signal) throws(LinuxError) -> Bool {
    if clinux_pidfd_signal(descriptor.number, signal.rawValue) == 0 { return true }
    if errno == ESRCH { return false }
    throw failed("pidfd_send_signal", errno, "\(processID)")
  }

  /// How the process ended, nil while it runs; ECHILD when it is not a child of ours.
  ///
  /// The answer comes once: it also buries the process.
  public borrowing func exitStatus() throws(LinuxError) -> ProcessOutcome? {
    try wait(doesWait: 0)
  }

  /// Waits for a child to end.
  public borrowing func wait() throws(LinuxError) -> ProcessOutcome {
    while true {
      if let status = try wait(doesWait: 1) { return status }
    }
  }

  /// Waits for a child to end; throws ETIMEDOUT when it has not by then.
  public borrowing func wait(until deadline: Instant) throws(LinuxError) -> ProcessOutcome {
    try waitUntilReadable(descriptor.number, "\(processID)", until: deadline)
    return try wait()
  }

  private borrowing func wait(doesWait: CInt) throws(LinuxError) -> ProcessOutcome? {
    let number = descriptor.number
    var code: CInt = 0
    let result = try check("waitid", "\(processID)") {
      unsafe clinux_pidfd_wait(number, doesWait, &code)
    }
    switch result {
    case 0: return nil
    case 1: return .exited(code: code)
    default: return .signalled(Signal(rawValue: code))
    }
  }
}
