import CLinux
import Glibc

/// A network namespace, kept alive by the value.
///
/// The library knows per thread which namespace it is in: enter others only through this type.
public struct NetworkNamespace: ~Copyable, Sendable {
  public let descriptor: OwnedDescriptor

  /// Takes over a descriptor that must be of a network namespace: one a peer may have sent.
  public init(adopting descriptor: consuming OwnedDescriptor) throws(LinuxError) {
    let number = descriptor.number
    let isNetwork = clinux_is_network_namespace(number)
    // ENOTTY: no namespace at all.
    guard isNetwork == 1 else { throw LinuxError(call: "ioctl(NS_GET_NSTYPE)", errno: EINVAL) }
    self.descriptor = descriptor
  }

  /// Opens `/run/netns/…`, `/proc/…/ns/net` or another path of a namespace.
  public static func open(path: String) throws(LinuxError) -> NetworkNamespace {
    let number = try check("open", path) { unsafe clinux_open(path, O_RDONLY, 0) }
    do throws(LinuxError) {
      return try NetworkNamespace(adopting: OwnedDescriptor(adopting: number))
    } catch {
      throw error.about(path)
    }
  }

  /// The namespace of a process's main thread.
  public static func open(processID: Int32) throws(LinuxError) -> NetworkNamespace {
    try open(path: "/proc/\(processID)/ns/net")
  }

  /// The namespace the calling thread is in.
  public static func current() throws(LinuxError) -> NetworkNamespace {
    try open(path: "/proc/thread-self/ns/net")
  }

  /// A fresh namespace, with nothing but a loopback that is down; it ends with its last owner.
  public static func make() throws(LinuxError) -> NetworkNamespace {
    let number = try check("unshare", "CLONE_NEWNET") { clinux_network_make() }
    return try NetworkNamespace(adopting: OwnedDescriptor(adopting: number))
  }

  public var number: CInt { descriptor.number }

  public borrowing func duplicate() throws(LinuxError) -> NetworkNamespace {
    try NetworkNamespace(adopting: descriptor.duplicate())
  }

  /// The number in `net:[…]`; unique among the namespaces alive.
  public borrowing func inode() throws(LinuxError) -> UInt64 {
    let number = descriptor.number
    var inode: UInt64 = 0
    try check("fstat") { unsafe clinux_fstat_inode(number, &inode) }
    return inode
  }

  /// The kernel's number for the namespace, never used twice; what BPF sees.
  public borrowing func cookie() throws(LinuxError) -> UInt64 {
    try run { () throws(LinuxError) in
      let number = try check("socket") { clinux_unix_socket() }
      return try Socket(OwnedDescriptor(adopting: number)).namespaceCookie()
    }
  }

  /// Runs `body` with the calling thread inside the namespace, and only that thread.
  ///
  /// Traps when the thread cannot go back, since everything after would act on the wrong pod.
  @discardableResult public borrowing func run<Result: ~Copyable>(
    _ body: () throws(LinuxError) -> Result
  ) throws(LinuxError) -> Result {
    let before = try enter()
    defer { NetworkNamespace.goBack(to: before) }
    return try body()
  }

  /// The same for a body with errors of its own, which come back inside the result.
  public borrowing func perform<Success: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Success
  ) throws(LinuxError) -> Result<Success, Failure> {
    let before = try enter()
    defer { NetworkNamespace.goBack(to: before) }
    do throws(Failure) {
      return .success(try body())
    } catch {
      return .failure(error)
    }
  }

  private borrowing func enter() throws(LinuxError) -> CInt {
    let number = descriptor.number
    return try check("setns", "CLONE_NEWNET") { clinux_network_enter(number) }
  }

  private static func goBack(to number: CInt) {
    let result = clinux_network_return(number)
    precondition(result == 0, "this thread cannot leave a pod's namespace: errno \(errno)")
  }
}
