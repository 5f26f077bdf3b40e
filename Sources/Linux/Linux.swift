// The kernel, as the rest of Skein sees it: descriptors with one owner, sockets, readiness, network
// namespaces, control groups, child processes, rtnetlink, files.
//
// In go plain values and spans of bytes; out come owners, outcomes and `LinuxError`. An expected
// outcome (would block, end of file, already there) is a value; a bug of ours (EBADF, EFAULT) traps.
// Never here: a policy, a protocol above the socket, Foundation, name resolution.
// (No type is called Linux, so that `Linux.Link` can always name the module.)

import Glibc

/// A system call that failed: which one, on what, and the kernel's reason.
public struct LinuxError: Error, Hashable, Sendable {
  /// The system call, or the file format that did not parse.
  public let call: String
  /// The path, address or rule it was about; empty when the call says enough.
  public let subject: String
  public let errno: CInt

  public init(call: String, errno: CInt, subject: String = "") {
    self.call = call
    self.errno = errno
    self.subject = subject
  }
}

extension LinuxError {
  public var isNotFound: Bool { errno == ENOENT }
  /// The process ended: its directory is gone, or says nothing any more.
  public var isGoneProcess: Bool { errno == ENOENT || errno == ESRCH }
  public var isAlreadyThere: Bool { errno == EEXIST }
  public var isPermission: Bool { errno == EPERM || errno == EACCES }
  public var isRefused: Bool { errno == ECONNREFUSED }
  public var isTimedOut: Bool { errno == ETIMEDOUT }
  public var isUnreachable: Bool { errno == EHOSTUNREACH || errno == ENETUNREACH }
  /// The process or the machine has no descriptor left.
  public var isOutOfDescriptors: Bool { errno == EMFILE || errno == ENFILE }
  public var isInvalid: Bool { errno == EINVAL }
  /// The port, or the whole tuple, is in use.
  public var isAddressTaken: Bool { errno == EADDRINUSE || errno == EADDRNOTAVAIL }

  /// The kernel's words for the number alone, for example `Connection refused`.
  public var reason: String { unsafe String(cString: strerror(errno)) }

  /// The same failure, said to be about `subject`.
  public func about(_ subject: String) -> LinuxError {
    LinuxError(call: call, errno: errno, subject: subject)
  }
}

extension LinuxError: CustomStringConvertible {
  public var description: String {
    subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
  }
}

/// Runs `body` until it is not interrupted; a negative answer becomes an error.
///
/// EBADF and EFAULT say that we lost track of our own memory or descriptors: they trap.
@inline(always)
@discardableResult
func check<Number: FixedWidthInteger & SignedInteger>(
  _ call: StaticString, _ subject: @autoclosure () -> String = "", _ body: () -> Number
) throws(LinuxError) -> Number {
  while true {
    let result = body()
    if result >= 0 { return result }
    let failure = errno
    if failure == EINTR { continue }
    throw failed(call, failure, subject())
  }
}

/// The error for a call that set `failure`; traps when only a bug of ours can cause it.
func failed(_ call: StaticString, _ failure: CInt, _ subject: String = "") -> LinuxError {
  precondition(failure != EBADF && failure != EFAULT, "\(call) \(subject): errno \(failure)")
  return LinuxError(call: call.description, errno: failure, subject: subject)
}
