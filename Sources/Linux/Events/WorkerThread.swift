import CLinux
import Glibc

/// A thread that owns what it is given and runs until the body returns.
///
/// Join it; a value dropped without a join leaves the thread running on its own.
public struct WorkerThread: ~Copyable, Sendable {
  private let thread: pthread_t

  /// The first 15 bytes of `name` show in ps and top.
  public init(name: String = "", _ body: sending @escaping () -> Void) throws(LinuxError) {
    let box = unsafe Unmanaged.passRetained(Body(name: name, body))
    var thread = pthread_t()
    let failure = unsafe pthread_create(&thread, nil, start, box.toOpaque())
    guard failure == 0 else {
      unsafe box.release()
      throw LinuxError(call: "pthread_create", errno: failure, subject: name)
    }
    self.thread = thread
  }

  deinit { pthread_detach(thread) }

  public consuming func join() {
    let thread = thread
    discard self
    let failure = pthread_join(thread, nil)
    precondition(failure == 0, "pthread_join: \(failure)")
  }

  fileprivate final class Body {
    let name: String
    let run: () -> Void
    init(name: String, _ run: @escaping () -> Void) {
      self.name = name
      self.run = run
    }
  }
}

private func start(_ box: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let box = unsafe box else { preconditionFailure("pthread_create dropped its argument") }
  let body = unsafe Unmanaged<WorkerThread.Body>.fromOpaque(box).takeRetainedValue()
  let name = String(body.name.prefix(15))
  // A thread without its name works as well: the answer does not matter.
  if !name.isEmpty { _ = unsafe clinux_thread_name(name) }
  body.run()
  return nil
}
